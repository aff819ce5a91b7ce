"""Several devices: every replica and every shard gets the noise that one device would give it.

In processes of their own, because the number of devices is set before the backend starts.
"""

import os
import subprocess
import sys

import pytest

from tests.optimizers.cases import BACKEND

MODEL = """
import keras, numpy as np
from keras_langevin import SGHMC, LAdadelta, LAdam, LRMSprop

def zero_loss(_, prediction):
    return 0.0 * keras.ops.mean(prediction, axis=-1)

def trained(make, **compile_arguments):
    # One variable beyond the limit of the pool, three in it; without a gradient, so that the weights are the noise.
    layers = [keras.layers.Dense(units, kernel_initializer="zeros", name=f"dense_{units}") for units in (300, 8)]
    model = keras.Sequential([keras.Input((256,)), *layers], name="net")
    model.compile(optimizer=make(), loss=zero_loss, **compile_arguments)
    model.fit(np.ones((16, 256), "float32"), np.ones((16, 8), "float32"), batch_size=8, verbose=0)
    return model

MAKERS = [
    lambda: LAdam(1e-3, sigma=0.1, seed=3),
    lambda: LAdadelta(0.1, sigma=0.1, seed=3, layers=["dense_8"]),
    lambda: SGHMC(1e-3, sigma=0.1, seed=3),
    lambda: LRMSprop(1e-3, sigma=0.1, seed=3, gamma_correction=True),
]
"""

MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
for make in MAKERS:
    expected = trained(make, jit_compile=False).get_weights()
    assert np.any(expected[-1])
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = trained(make, jit_compile=False)
    for variable, weights in zip(model.trainable_variables, expected, strict=True):
        first, second = (replica.numpy() for replica in variable.value.values)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(first, weights, rtol=1e-5, atol=1e-6)
"""

SHARDED = """
import jax
devices = keras.distribution.list_devices()
assert len(devices) == 4
for make in MAKERS:
    expected = trained(make).get_weights()
    mesh = keras.distribution.DeviceMesh((2, 2), ["batch", "model"], devices)
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*kernel"] = (None, "model")
    for distribution in (
        keras.distribution.DataParallel(devices=devices),
        keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch"),
    ):
        keras.distribution.set_distribution(distribution)
        model = trained(make)
        keras.distribution.set_distribution(None)
        for variable, weights in zip(model.trainable_variables, expected, strict=True):
            np.testing.assert_allclose(np.asarray(variable.value), weights, rtol=1e-5, atol=1e-6)
"""

COLLECTIVES = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from keras_langevin import SGHMC, LAdam, LAdadelta, LRMSprop

mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("row", "column"))
SPECS = {(512, 256): ("row", "column"), (256,): ("column",), (8, 256): (None, "column"), (4, 6): ("row", None)}
CLASSES = (LAdam, {}), (LAdadelta, {}), (SGHMC, {}), (LRMSprop, {"gamma_correction": True})
for cls, arguments in CLASSES:
    variables = [keras.Variable(np.zeros(shape, "float32"), name="kernel") for shape in SPECS]
    optimizer = cls(1e-3, sigma=1.0, seed=0, **arguments)
    optimizer.build(variables)
    split = {shape: NamedSharding(mesh, PartitionSpec(*spec)) for shape, spec in SPECS.items()}
    everywhere = NamedSharding(mesh, PartitionSpec())
    place = lambda variable: jax.device_put(variable.value, split.get(tuple(variable.shape), everywhere))
    values, state = [place(v) for v in variables], [place(v) for v in optimizer.variables]
    gradients = [jax.device_put(np.ones(v.shape, "float32"), split[tuple(v.shape)]) for v in variables]
    step = jax.jit(lambda g, v, s: optimizer.stateless_apply(s, g, v), out_shardings=(
        [v.sharding for v in values], [s.sharding for s in state]))
    text = step.lower(gradients, values, state).compile().as_text()
    assert "num_partitions=4" in text
    for collective in ("all-gather", "all-reduce", "all-to-all", "collective-permute"):
        assert collective not in text, collective
"""


def run(code, **environment):
    environment = os.environ | {"KERAS_BACKEND": BACKEND} | environment
    result = subprocess.run(
        [sys.executable, "-c", MODEL + code], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a strategy of TensorFlow")
def test_mirrored_replicas_stay_equal():
    """Bit for bit equal to each other, and equal to one device's run within rounding."""
    run(MIRRORED)


@pytest.mark.skipif(BACKEND != "jax", reason="a distribution of JAX")
def test_noise_is_the_same_on_any_mesh():
    run(SHARDED, XLA_FLAGS="--xla_force_host_platform_device_count=4")


@pytest.mark.skipif(BACKEND != "jax", reason="a distribution of JAX")
def test_devices_that_share_variables_say_nothing_to_each_other():
    """In the compiled update of sharded variables, large and small, there is no communication."""
    run(COLLECTIVES, XLA_FLAGS="--xla_force_host_platform_device_count=4")
