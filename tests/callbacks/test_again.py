"""A callback starts afresh for a second model, and for a second fit of the same model."""

import keras
import numpy as np
import pytest

from keras_langevin import (
    LSGD,
    CyclicalLangevin,
    LAdam,
    LangevinMonitor,
    LayerScheduler,
    ReduceSigmaOnPlateau,
    SigmaScheduler,
    StepDown,
)
from keras_langevin.reading import number
from tests.callbacks.models import eager_model, fit, policy, weights_of
from tests.quick import EAGERLY

SIGMA = 0.5
CALLBACKS = {
    "SigmaScheduler": lambda: SigmaScheduler(lambda epoch, sigma: sigma / 2),
    "ReduceSigmaOnPlateau": lambda: ReduceSigmaOnPlateau("loss", 0.5, patience=1, min_delta=1e9, cooldown=1),
    "CyclicalLangevin": lambda: CyclicalLangevin(2),
    "StepDown": lambda: StepDown(),
    "LayerScheduler": lambda: LayerScheduler({0: None, 2: 1}),
    "LangevinMonitor": lambda: LangevinMonitor(warn_ratio=None, layer_logs=True),
}
every_callback = pytest.mark.parametrize("name", CALLBACKS)


def model_of(seed=0):
    return eager_model(LSGD(0.1, sigma=SIGMA, seed=seed))


def logs_of(model, callback, **arguments):
    return fit(model, callback, epochs=4, steps=1, **arguments).history


@every_callback
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_second_model_has_what_the_first_had(name, precision):
    with policy(precision):
        callback, models = CALLBACKS[name](), [model_of(), model_of()]
        first, second = (logs_of(model, callback) for model in models)
    assert first == second
    for ours, theirs in zip(*map(weights_of, models), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@every_callback
def test_a_new_optimizer_for_the_same_model(name):
    callback, model = CALLBACKS[name](), model_of()
    start = model.get_weights()
    first = logs_of(model, callback)
    model.set_weights(start)
    model.compile(optimizer=LSGD(0.1, sigma=SIGMA, seed=0), loss="mse", run_eagerly=model.run_eagerly)
    assert logs_of(model, callback) == first


@pytest.mark.parametrize("name", ["SigmaScheduler", "ReduceSigmaOnPlateau", "CyclicalLangevin", "StepDown"])
def test_a_second_fit_of_the_same_model_has_the_levels_of_the_first(name):
    """As in cross-validation with reset weights: neither the noise level nor the learning rate compounds."""
    callback, model = CALLBACKS[name](), model_of()
    first, second, third = (logs_of(model, callback) for _ in range(3))
    assert len(set(first["sigma"])) > 1
    for name in first.keys() & {"sigma", "learning_rate"}:
        assert first[name] == second[name] == third[name]


@pytest.mark.parametrize("name", ["SigmaScheduler", "ReduceSigmaOnPlateau"])
def test_a_fit_from_a_later_epoch_resumes(name):
    def levels(*epochs):
        callback, model = CALLBACKS[name](), model_of()
        histories = [fit(model, callback, initial_epoch=first, epochs=last, steps=1).history for first, last in epochs]
        return [sigma for history in histories for sigma in history["sigma"]]

    resumed, whole = levels((0, 3), (3, 6)), levels((0, 6))
    if name == "SigmaScheduler":
        assert resumed == whole
    assert resumed[3] <= whole[2] < SIGMA  # the level stays, but Keras restarts the count of patience


@pytest.mark.parametrize("name", ["SigmaScheduler", "ReduceSigmaOnPlateau"])
def test_a_level_that_somebody_has_set_since_is_kept(name):
    callback, model = CALLBACKS[name](), model_of()
    fit(model, callback, epochs=4, steps=1)
    model.optimizer.sigma = 8.0
    expected = [4.0, 2.0] if name == "SigmaScheduler" else [8.0, 8.0]
    assert fit(model, callback, epochs=2, steps=1).history["sigma"] == expected


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise KeyboardInterrupt


@every_callback
def test_backup_and_restore_in_the_same_object(name, tmp_path):
    """An interrupted fit is restarted with the same callback and model."""

    def run(callback, *more):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        return fit(model, backup, callback, *more, epochs=6, steps=1).history

    model = model_of()
    uninterrupted = run(CALLBACKS[name]())
    expected = weights_of(model)
    model, callback = model_of(), CALLBACKS[name]()
    with pytest.raises(KeyboardInterrupt):
        run(callback, Stop())
    resumed = run(callback)
    for key in resumed.keys() & {"sigma", "learning_rate", "distance"}:
        if name != "ReduceSigmaOnPlateau":
            np.testing.assert_allclose(resumed[key], uninterrupted[key][3:], rtol=1e-6)
    if name != "ReduceSigmaOnPlateau":  # Keras restarts its counts
        for ours, theirs in zip(weights_of(model), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    else:
        assert resumed["sigma"][0] == uninterrupted["sigma"][2] < SIGMA


def test_the_monitor_of_a_second_model_of_another_shape():
    monitor = LangevinMonitor(warn_ratio=1e-6)
    with pytest.warns(UserWarning, match="warn_ratio"):
        fit(model_of(), monitor)
    first = monitor.history
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2, name="only")(inputs))
    model.compile(optimizer=LAdam(sigma=0.1), loss="mse", run_eagerly=EAGERLY)
    with pytest.warns(UserWarning, match="warn_ratio"):  # warns again
        fit(model, monitor)
    assert [row.layer for row in monitor.history] == ["all", "only"]
    assert len(first) == 4  # a list that was kept does not change


def test_the_monitor_goes_on_with_the_same_model():
    monitor, model = LangevinMonitor(warn_ratio=None), model_of()
    start = weights_of(model)
    for _ in range(2):
        fit(model, monitor)
    moved = [after - before for after, before in zip(weights_of(model), start, strict=True)]
    distance = np.sqrt(sum(np.sum(np.square(each)) for each in moved))
    assert monitor.history[4].distance == pytest.approx(distance, rel=1e-5)
    assert number(model.optimizer.iterations) == 6
