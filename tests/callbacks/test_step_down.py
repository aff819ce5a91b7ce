"""`StepDown`: the schedule of a comparison, for any optimizer."""

import keras
import pytest

from keras_langevin import LAdam, LogSchedule, NoiseBurst, StepDown
from keras_langevin.reading import innermost, number
from tests.callbacks.models import eager_model, fit, policy


class Seen(keras.callbacks.Callback):
    """Keeps learning rate and σ of each epoch."""

    def __init__(self):
        super().__init__()
        self.values = []

    def on_epoch_end(self, epoch, logs=None):
        optimizer = innermost(self.model.optimizer)
        sigma = number(optimizer.sigma) if hasattr(optimizer, "sigma") else None
        self.values.append((round(number(optimizer.learning_rate), 6), sigma))


def seen(optimizer, callback, epochs, **options):
    watcher = Seen()
    fit(eager_model(optimizer), callback, watcher, epochs=epochs, **options)
    return watcher.values


@pytest.mark.parametrize(("epochs", "noisy"), [(1, 1), (2, 2), (3, 2), (4, 3), (6, 4)])
def test_after_two_thirds_the_rate_is_a_tenth_and_there_is_no_noise(epochs, noisy):
    expected = [(0.5, 0.25)] * noisy + [(0.05, 0.0)] * (epochs - noisy)
    assert seen(LAdam(0.5, sigma=0.25), StepDown(), epochs) == expected


@pytest.mark.parametrize("name", ["float32", "mixed_float16"])
def test_an_optimizer_without_noise_has_the_rate_alone(name):
    with policy(name):
        assert seen(keras.optimizers.Adam(0.5), StepDown(1, divide_by=5), 3) == [(0.5, None), (0.1, None), (0.1, None)]


def test_a_fit_that_is_resumed_after_the_step_stays_there():
    optimizer = LAdam(0.5, sigma=0.25)
    model, watcher = eager_model(optimizer), Seen()
    fit(model, StepDown(2), watcher, epochs=3)
    fit(model, StepDown(2), watcher, epochs=5, initial_epoch=3)
    assert watcher.values == [(0.5, 0.25)] * 2 + [(0.05, 0.0)] * 3


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        (lambda: LAdam(LogSchedule(0.1)), "learning_rate"),
        (lambda: LAdam(0.1, sigma=LogSchedule(0.1)), "sigma"),
        (lambda: keras.optimizers.Adam(LogSchedule(0.1)), "learning_rate"),
    ],
)
def test_what_cannot_be_set_is_refused_before_training(optimizer, name):
    match = rf"`StepDown` sets the {name}, so it must be a float\. Received .* Pass a float"
    with pytest.raises(ValueError, match=match):
        fit(eager_model(optimizer()), StepDown())


@pytest.mark.parametrize("wrong", [{"epoch": 0}, {"epoch": 1.5}, {"divide_by": 0}, {"divide_by": "x"}])
def test_a_wrong_argument_is_an_error(wrong):
    with pytest.raises(ValueError, match=r"must be .* Received"):
        StepDown(**wrong)


def test_it_can_be_saved():
    burst = seen(LAdam(0.5, sigma=NoiseBurst(0.25, 10**6)), StepDown(1, stop_noise=False), 2)
    assert burst == [(0.5, 0.25), (0.05, 0.25)]
    assert seen(LAdam(0.5, sigma=0.25), StepDown(1, stop_noise=False), 2) == [(0.5, 0.25), (0.05, 0.25)]
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(StepDown(3, divide_by=2.0)))
    assert again.get_config() == {"epoch": 3, "divide_by": 2.0, "stop_noise": True}
