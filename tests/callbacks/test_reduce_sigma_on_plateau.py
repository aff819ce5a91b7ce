"""`ReduceSigmaOnPlateau` against Keras's own callback for the learning rate."""

import keras
import numpy as np
import pytest

from keras_langevin import LAdam, ReduceSigmaOnPlateau
from tests.callbacks.models import eager_model, fit, policy

LOSSES = [5.0, 4.0, 4.0, 4.1, 3.0, 3.0, 3.0, 3.0, 3.00001, 2.99, 2.99, 2.99, 2.99, 2.99, 2.99, 2.99]


class Told(keras.callbacks.Callback):
    """Writes a given metric into the logs."""

    def on_epoch_end(self, epoch, logs=None):
        logs["given"] = self.sign * LOSSES[epoch]

    def __init__(self, sign):
        super().__init__()
        self.sign = sign


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        ({"patience": 1, "factor": 0.5}, "min"),
        ({"patience": 2, "factor": 0.5, "cooldown": 2}, "max"),
        ({"patience": 0, "factor": 0.1, "min_delta": 0.5}, "min"),
        ({"patience": 3, "factor": 0.0}, "max"),
    ],
    ids=str,
)
def test_it_does_to_sigma_what_keras_does_to_the_learning_rate(arguments, mode):
    """Both get the same metric, arguments and lower bound, and start at 0.5."""
    settings = arguments | {"monitor": "given", "mode": mode}
    model = eager_model(LAdam(0.5, sigma=0.5))
    told = Told(1 if mode == "min" else -1)
    ours, keras_own = (
        ReduceSigmaOnPlateau(min_sigma=0.02, **settings),
        keras.callbacks.ReduceLROnPlateau(min_lr=0.02, **settings),
    )
    history = fit(model, told, keras_own, ours, epochs=len(LOSSES), steps=1).history
    assert history["sigma"] == history["learning_rate"]
    assert len(set(history["sigma"])) > 1
    assert float(model.optimizer.sigma) == pytest.approx(float(model.optimizer.learning_rate))


def test_the_learning_rate_stays():
    with policy("mixed_float16"):
        model = eager_model(LAdam(0.25, sigma=0.5))
        callback = ReduceSigmaOnPlateau(monitor="loss", patience=1, min_delta=1e9, factor=0.5)
        history = fit(model, callback, epochs=3).history
    assert history["sigma"] == [0.5, 0.5, 0.25]
    assert "learning_rate" not in history
    assert float(model.optimizer.learning_rate) == 0.25


def test_auto_knows_losses_and_accuracies():
    for name in ("loss", "accuracy"):
        callback = ReduceSigmaOnPlateau(monitor=name, patience=1, factor=0.5)
        model = eager_model(LAdam(1e-3), metrics=["accuracy"])
        fit(model, callback)
        better = 1.0 if name == "accuracy" else -1.0
        assert callback._is_improvement(better, 0.0)
        assert not callback._is_improvement(-better, 0.0)


def test_a_metric_that_is_not_there_is_a_warning_as_keras_has_it():
    with pytest.warns(UserWarning, match="conditioned on metric `val_loss` which is not available.*loss"):
        fit(eager_model(LAdam(1e-3)), ReduceSigmaOnPlateau())


def test_verbose(capsys):
    fit(eager_model(LAdam(1e-3, sigma=0.5)), ReduceSigmaOnPlateau("loss", 0.5, 0, 1, min_delta=1e9), epochs=2)
    assert "\nEpoch 2: ReduceSigmaOnPlateau reducing sigma to 0.25.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1.0}, r"in \[0, 1\)\. Received: factor=1\.0\. To halve"),
        ({"factor": -0.1}, r"Received: factor=-0\.1"),
        ({"factor": np.nan}, r"Received: factor=nan"),
        ({"mode": "mean"}, r'Received: mode=\'mean\'\. Pass "min"'),
        ({"patience": -1}, r"`patience` must be an int >= 0\. Received: patience=-1\. Give"),
        ({"cooldown": 1.5}, r"`cooldown` must be an int >= 0\. Received: cooldown=1\.5\. Give"),
        ({"min_sigma": -1.0}, r"Received: min_sigma=-1\.0\. For no bound"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReduceSigmaOnPlateau(**arguments)


def test_it_is_serializable():
    callback = ReduceSigmaOnPlateau("loss", 0.5, 3, 0, "min", 0.01, 2, 0.1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(callback))
    assert again.get_config() == callback.get_config()
    for name in ("monitor", "factor", "patience", "mode", "min_delta", "cooldown", "min_sigma"):
        assert getattr(again, name) == getattr(callback, name)
