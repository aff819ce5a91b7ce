"""The contract of every callback: an error before training if the optimizer does not fit."""

import keras
import pytest
from keras import ops

from keras_langevin import (
    CyclicalLangevin,
    LAdam,
    LangevinMonitor,
    LayerScheduler,
    LogSchedule,
    ReduceSigmaOnPlateau,
    SigmaScheduler,
)
from tests.callbacks.models import fit, small_model

CALLBACKS = {
    "SigmaScheduler": lambda: SigmaScheduler(lambda epoch, sigma: sigma),
    "ReduceSigmaOnPlateau": lambda: ReduceSigmaOnPlateau(monitor="loss"),
    "CyclicalLangevin": lambda: CyclicalLangevin(2),
    "LayerScheduler": lambda: LayerScheduler({0: None}),
    "LangevinMonitor": lambda: LangevinMonitor(warn_ratio=None),
}
every_callback = pytest.mark.parametrize("name", CALLBACKS)


@every_callback
@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.Adam, lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())],
    ids=["Adam", "LossScaleOptimizer"],
)
def test_an_optimizer_without_noise_is_refused_before_training(name, optimizer):
    model = small_model(optimizer())
    before = model.get_weights()
    with pytest.raises(
        ValueError, match=rf"`{name}` needs a model that is compiled with a Langevin optimizer\. Received .*\. Compile"
    ):
        fit(model, CALLBACKS[name]())
    assert all((old == new).all() for old, new in zip(before, model.get_weights(), strict=True))
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 0


@pytest.mark.parametrize("sigma", [LogSchedule(0.1), lambda: 0.1], ids=["schedule", "callable"])
@pytest.mark.parametrize("name", ["SigmaScheduler", "ReduceSigmaOnPlateau"])
def test_a_sigma_that_cannot_be_set_is_refused_before_training(name, sigma):
    model = small_model(LAdam(1e-3, sigma=sigma))
    with pytest.raises(ValueError, match=rf"`{name}` sets the noise level, so .* a float\. Received .* Compile the"):
        fit(model, CALLBACKS[name]())
    assert int(ops.convert_to_numpy(model.optimizer.iterations)) == 0


@pytest.mark.parametrize("name", ["LayerScheduler", "LangevinMonitor"])
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="on other backends Keras builds it first")
def test_a_model_that_is_not_built_is_refused(name):
    model = keras.Sequential([keras.layers.Dense(2)])
    model.compile(optimizer=LAdam(1e-3), loss="mse")
    with pytest.raises(ValueError, match=rf"`{name}` needs a model whose weights exist .* Received .* Start it"):
        fit(model, CALLBACKS[name]())


@every_callback
def test_it_can_be_saved(name):
    """All are serializable. (test_sigma_scheduler.py saves `SigmaScheduler` with a registered function.)"""
    if name == "SigmaScheduler":
        with pytest.raises(Exception, match=r"lambda|registered|serializ"):
            keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(CALLBACKS[name]()))
        return
    callback = CALLBACKS[name]()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(callback))
    assert type(again) is type(callback)
    assert again.get_config() == callback.get_config()


def test_all_of_them_together():
    """In one fit, the monitor sees what the other callbacks set."""
    monitor = LangevinMonitor(warn_ratio=None)
    layers = LayerScheduler({0: None, 1: ["second"], 2: 0})
    model = small_model(LAdam(1e-3, sigma=0.5))
    fit(model, layers, SigmaScheduler(lambda epoch, sigma: 0.5 / (epoch + 1)), monitor, epochs=3)
    seen = {(row.epoch, row.layer): row.sigma for row in monitor.history}
    assert [seen[0, layer] for layer in ("first", "second", "third")] == [0.5, 0.5, 0.5]
    assert [seen[1, layer] for layer in ("all", "first", "second", "third")] == [0.25, 0, 0.25, 0]
    assert seen[2, "all"] == 0
