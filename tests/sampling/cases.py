"""Small models and fits for the tests of sampling."""

import keras
import numpy as np

from keras_langevin import LSGD, PosteriorSamples
from tests.quick import JIT_COMPILE, built

BACKEND = keras.backend.backend()
SIZE, BATCH = 24, 8  # 3 updates per epoch


def data(num_features=3, num_classes=3):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(SIZE, num_features)).astype("float32")
    return x, generator.integers(0, num_classes, SIZE)


def classifier(activation="softmax", units=3, **compile_arguments):
    """Returns a small net with the same initial weights each time."""
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(4, "tanh", kernel_initializer=keras.initializers.RandomNormal(seed=1), name="hidden"),
        keras.layers.Dense(units, activation, kernel_initializer=keras.initializers.RandomNormal(seed=2), name="top"),
    ]
    model = keras.Sequential(layers)
    compile_arguments = {"optimizer": LSGD(0.05, sigma=0.3, seed=5), "jit_compile": JIT_COMPILE} | compile_arguments
    logits = activation is None
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=logits), **compile_arguments)
    return built(model)


def fit(model, samples, epochs=4, x=None, y=None):
    """Fits with the batches in the same order each time."""
    x, y = (x, y) if x is not None else data()
    model.fit(x, y, epochs=epochs, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[samples])
    return samples


def iterations(samples):
    return [settings["iteration"] for settings in samples.settings]


def sample_arrays(samples):
    """Returns the weights of each sample by iteration."""
    (ring,) = samples.rings
    return {iteration: ring.arrays(index) for index, iteration in enumerate(iterations(samples))}


def trained(model=None, max_samples=5, epochs=4, **arguments):
    """Returns a model and samples of its last `max_samples` updates."""
    model = model or classifier()
    return model, fit(model, PosteriorSamples(burn_in=0, max_samples=max_samples, **arguments), epochs=epochs)


def weights(model):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.variables]


def assert_equal_arrays(found, expected):
    assert len(found) == len(expected)
    for array, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array, other)
