import keras
import numpy as np
import pytest

from keras_langevin import LSGD, LAdadelta, LAdam, LangevinMonitor, optimizers
from keras_langevin.optimizers import layer_noise
from tests.quick import JIT_COMPILE, built


def trained(optimizer, epochs=3):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(3, "relu", name=name) for name in ("first", "second", "last")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    monitor = LangevinMonitor(warn_ratio=None)
    model.compile(optimizer, loss="mse", jit_compile=JIT_COMPILE)
    generator = np.random.default_rng(0)
    data = generator.normal(size=(8, 4)), generator.normal(size=(8, 3))
    built(model).fit(*data, epochs=epochs, batch_size=4, callbacks=[monitor], verbose=0)
    return model, monitor


@pytest.mark.parametrize("name", ["lsgd", "ladam", "ladamw", "lrmsprop", "ladagrad", "sghmc"])
def test_it_is_what_the_monitor_measures_of_the_last_update(name):
    """The monitor has the root mean square of each layer's noise; layers without noise have 0."""
    optimizer = optimizers.get(name, learning_rate=0.01, sigma=0.1, layers=2)
    _, monitor = trained(optimizer)
    found = layer_noise(optimizer)
    rows = monitor.history[-3:]
    assert list(found) == [row.layer for row in rows]
    for row in rows:
        assert np.sqrt(np.mean(found[row.layer] ** 2)) == pytest.approx(row.noise_rms, rel=1e-5)
    assert found["net/last"].tolist() == [0.0] * 12


def test_of_adadelta_the_squared_steps_are_those_that_the_next_update_begins_with():
    optimizer = LAdadelta(0.01, sigma=0.1)
    trained(optimizer)
    slots = (optimizer._accumulated_delta_vars[0], optimizer._accumulated_grads[0])
    steps, gradients = (np.array(keras.ops.convert_to_numpy(slot)) for slot in slots)
    expected = 0.1 * np.sqrt(0.01 * np.sqrt((steps + 1e-6) / (gradients + 1e-6)))
    np.testing.assert_allclose(layer_noise(optimizer)["net/first"][:12], expected.ravel(), rtol=1e-5)


def test_it_counts_updates_and_not_batches_under_gradient_accumulation():
    optimizer = LAdam(0.01, sigma=0.1, gradient_accumulation_steps=2)
    _, monitor = trained(optimizer)
    for row in monitor.history[-3:]:
        assert np.sqrt(np.mean(layer_noise(optimizer)[row.layer] ** 2)) == pytest.approx(row.noise_rms, rel=1e-5)


def test_sigma_and_learning_rate_are_those_of_the_next_update():
    optimizer = LSGD(0.01, sigma=0.5)
    trained(optimizer, epochs=1)
    optimizer.sigma, optimizer.learning_rate = 2.0, 0.25
    assert layer_noise(optimizer)["net/first"] == pytest.approx(np.full(15, 1.0))


def test_before_the_first_update_p_is_near_its_bound():
    optimizer = LAdadelta(1.0, sigma=1.0)
    optimizer.build([keras.Variable([1.0, 2.0], name="w")])
    (values,) = layer_noise(optimizer).values()
    assert values == pytest.approx([1.0, 1.0])


def test_of_a_loss_scale_optimizer_it_takes_the_inner_one():
    inner = LSGD(0.01, sigma=0.5)
    outer = keras.optimizers.LossScaleOptimizer(inner)
    outer.build([keras.Variable([1.0], name="w")])
    assert next(iter(layer_noise(outer).values())) == pytest.approx([0.05])


def test_other_optimizers_are_refused():
    with pytest.raises(ValueError, match="needs a Langevin optimizer"):
        layer_noise(keras.optimizers.Adam())
    with pytest.raises(ValueError, match="Received one that is not built"):
        layer_noise(LAdam())
