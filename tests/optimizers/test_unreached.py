"""On every backend, a weight that the loss does not reach gets no noise; a weight with a zero gradient does."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, LAdam
from keras_langevin.optimizers import gate_layers, layer_noise
from tests.callbacks.models import EXECUTIONS, JIT, examples, policy
from tests.optimizers.cases import of_each_kind
from tests.quick import EAGERLY

HEADS = ("used", "unused", "stopped")


class Stopped(keras.layers.Layer):
    """Stops the gradient."""

    def call(self, inputs):
        return ops.stop_gradient(inputs)


def model_of(optimizer, losses=("mse", None, "mse"), **arguments):
    """Returns a trunk with three heads: one with a loss, one without, one behind a stopped gradient."""
    inputs = keras.Input((4,))
    trunk = keras.layers.Dense(3, name="trunk")(inputs)
    used, unused, stopped = (keras.layers.Dense(2, name=name)(trunk) for name in HEADS)
    model = keras.Model(inputs, [used, unused, Stopped(name="stop")(stopped)])
    model.compile(
        optimizer=optimizer, loss=list(losses), **{"jit_compile": JIT and not arguments.get("run_eagerly")} | arguments
    )
    return model


def moved_by(model, fits=1) -> dict[str, bool]:
    """Returns whether a fit changed the kernel, by layer."""
    names = ("trunk", *HEADS)
    before = [np.array(ops.convert_to_numpy(model.get_layer(name).kernel)) for name in names]
    x, y = examples(3)
    for _ in range(fits):
        model.fit(x, [y, y, y], batch_size=4, shuffle=False, verbose=0)
    after = [ops.convert_to_numpy(model.get_layer(name).kernel) for name in names]
    return {name: not np.array_equal(a, b) for name, a, b in zip(names, before, after, strict=True)}


EXPECTED = {"trunk": True, "used": True, "unused": False, "stopped": False}


@pytest.mark.parametrize("case", of_each_kind())
def test_it_stays_where_it_is(case):
    assert moved_by(model_of(case.make(sigma=0.1, seed=0, weight_decay=0.0), run_eagerly=EAGERLY)) == EXPECTED


@pytest.mark.parametrize("steps_per_execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["float32", "mixed_float16"])
def test_in_every_kind_of_step(steps_per_execution, name):
    with policy(name):
        assert moved_by(model_of(LAdam(seed=0), steps_per_execution=steps_per_execution), fits=2) == EXPECTED


def test_with_a_gate_and_accumulation():
    optimizer = LSGD(seed=0, gradient_accumulation_steps=3)
    gate_layers(optimizer)
    assert moved_by(model_of(optimizer, run_eagerly=EAGERLY)) == EXPECTED


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has no MultiOptimizer")
def test_in_a_multi_optimizer():
    parts = keras.optimizers.OptimizerMap(LAdam(seed=0), {"trunk/.*": LSGD(seed=0)})
    assert moved_by(model_of(keras.optimizers.MultiOptimizer(parts), run_eagerly=EAGERLY)) == EXPECTED


@pytest.mark.parametrize("eager", [False, True])
def test_the_others_have_their_noise(eager):
    """A loss of zero reaches the weights: each gets the same noise as by itself."""

    def zero(target, prediction):
        return 0.0 * ops.mean(prediction)

    changes = []
    for losses in ((zero, None, None), (zero, zero, None)):
        model = model_of(LSGD(1.0, sigma=0.1, seed=0), losses, run_eagerly=eager)
        for weights in model.trainable_variables:
            weights.assign(ops.zeros(weights.shape))
        moved_by(model)
        changes.append({weights.path: ops.convert_to_numpy(weights) for weights in model.trainable_variables})
    one, two = changes
    for path in ("trunk/kernel", "trunk/bias", "used/kernel", "used/bias"):
        assert one[path].all()
        np.testing.assert_allclose(one[path], two[path], rtol=1e-6)
    assert not one["unused/kernel"].any()
    assert two["unused/kernel"].all()


@pytest.mark.ci
def test_a_compiled_model_with_another_loss():
    """A weight that the first compilation did not reach is reached in the second."""
    model = model_of(LAdam(seed=0))
    assert moved_by(model) == EXPECTED
    model.compile(optimizer=model.optimizer, loss=["mse", "mse", "mse"], jit_compile=JIT)
    assert moved_by(model) == EXPECTED | {"unused": True}


def test_an_evaluation_between_the_steps_changes_nothing():
    model = model_of(LAdam(seed=0), run_eagerly=EAGERLY)
    x, y = examples(3)
    model.fit(x, [y, y, y], batch_size=4, verbose=0, validation_data=(x, [y, y, y]))
    assert moved_by(model) == EXPECTED


def test_layer_noise_says_so():
    model = model_of(LAdam(seed=0), run_eagerly=EAGERLY)
    model.optimizer.build(model.trainable_variables)
    assert all(values.all() for values in layer_noise(model.optimizer).values())  # not known yet
    moved_by(model)
    noise = layer_noise(model.optimizer)
    assert {path: bool(values.all()) for path, values in noise.items()} == EXPECTED
    assert not noise["unused"].any()
