"""Several devices do what one device does, also with a gate, and a monitor sees the same. Runs in child processes."""

import os
import subprocess
import sys

import pytest

from tests.optimizers.cases import BACKEND

MODEL = """
import contextlib, dataclasses, keras, numpy as np
from keras_langevin import LAdam, LangevinMonitor, LayerScheduler

def trained():
    layers = [keras.layers.Dense(units, kernel_initializer="ones", name=f"dense_{units}") for units in (5, 8)]
    model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    model.compile(optimizer=LAdam(1e-2, sigma=0.1, seed=3), loss="mse", jit_compile=JIT)
    schedule, monitor = LayerScheduler({0: None, 1: ["dense_8"], 2: 0}), LangevinMonitor(warn_ratio=None)
    features = np.linspace(-1, 1, 64, dtype="float32").reshape(16, 4)
    targets = np.zeros((16, 8), "float32")
    callbacks = [schedule, monitor]
    model.fit(features, targets, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
    return model, np.array([dataclasses.astuple(row)[2:] for row in monitor.history])

def compare(context):
    expected, numbers = trained()
    with context:
        model, seen = trained()
    assert np.any(numbers[:, 1] > 0)
    np.testing.assert_allclose(seen, numbers, rtol=1e-3, atol=1e-6)
    for weights, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weights, other, rtol=1e-4, atol=1e-5)
"""

CONTEXTS = {
    "tensorflow": """
JIT = False
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
compare(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope())
""",
    "jax": """
JIT = True
compare(keras.distribution.DataParallel(devices=keras.distribution.list_devices()).scope())
""",
}


@pytest.mark.skipif(BACKEND not in CONTEXTS, reason="Keras distributes on TensorFlow and JAX")
@pytest.mark.slow
def test_replicas():
    environment = os.environ | {"KERAS_BACKEND": BACKEND, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    code = MODEL + CONTEXTS[BACKEND]
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
