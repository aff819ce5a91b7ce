"""What a callback could not save is refused before training, not after an epoch."""

import functools

import keras
import pytest

from keras_langevin import LSGD, CyclicalLangevin, LayerScheduler, PosteriorSamples
from tests.callbacks.models import eager_model, fit

HAS_PARTS = hasattr(keras.optimizers, "MultiOptimizer")


def wrapped(optimizer, wrapper: str):
    if wrapper == "LossScaleOptimizer":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    if wrapper == "MultiOptimizer":
        others = {".*third.*": keras.optimizers.SGD()}
        return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(optimizer, others))
    return optimizer


class Chooses:
    def __call__(self, path):
        return True


class Own(keras.callbacks.ModelCheckpoint):
    """A user's subclass."""


WRAPPERS = ["", "LossScaleOptimizer"] + ["MultiOptimizer"] * HAS_PARTS
CANNOT = {
    "lambda": {"layers": lambda path: True},
    "partial": {"layers": functools.partial(str.startswith, "f")},
    "object": {"layers": Chooses()},
    "sigma": {"sigma": functools.partial(float, 0.1)},
    "learning rate": {"learning_rate": functools.partial(float, 0.1)},
}


class Count(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.batches += 1


def refused(optimizer, *callbacks, match):
    count = Count()
    with pytest.raises(ValueError, match=match):
        fit(eager_model(optimizer), count, *callbacks)
    assert count.batches == 0


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("what", CANNOT)
def test_a_checkpoint_of_what_cannot_be_saved_is_refused(what, wrapper, tmp_path):
    for saver in (keras.callbacks.ModelCheckpoint, Own):
        refused(
            wrapped(LSGD(**CANNOT[what]), wrapper),
            saver(tmp_path / "model.keras"),
            match=rf"`{saver.__name__}` saves the optimizer's configuration.*Received: .*Register",
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_weights_alone_can_be_saved(wrapper, tmp_path):
    path = tmp_path / "model.weights.h5"
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    fit(eager_model(wrapped(LSGD(layers=lambda path: True), wrapper)), checkpoint, backup)
    assert path.exists()


def test_what_can_be_saved_is_saved(tmp_path):
    """Also with a lambda as the learning rate, which Keras saves, and after a callback has set a schedule."""
    path = tmp_path / "model.keras"
    for optimizer in (LSGD(lambda: 0.1, layers=["first"]), LSGD(layers="first")):
        fit(eager_model(optimizer), keras.callbacks.ModelCheckpoint(path))
        assert path.exists()
        path.unlink()
    fit(eager_model(LSGD()), CyclicalLangevin(cycles=1), keras.callbacks.ModelCheckpoint(path))
    assert path.exists()


@pytest.mark.parametrize("saver", ["checkpoint", "samples"])
def test_layers_that_a_schedule_will_set(saver, tmp_path):
    """They are refused before training, not at the epoch that sets them."""
    keeper = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras") if saver == "checkpoint" else PosteriorSamples(0)
    schedule = LayerScheduler({0: None, 5: lambda path: True})
    refused(LSGD(), schedule, keeper, match="saves the optimizer's configuration.*must be registered")
    fit(eager_model(LSGD()), LayerScheduler({0: None, 5: lambda path: True}))


def test_another_optimizer_is_kerass_business(tmp_path):
    """Without a Langevin optimizer nothing is checked."""
    optimizer = keras.optimizers.SGD(functools.partial(float, 0.1))
    with pytest.raises(Exception) as error:
        fit(eager_model(optimizer), keras.callbacks.ModelCheckpoint(tmp_path / "model.keras"))
    assert "saves the optimizer's configuration" not in str(error.value)
