"""A small net and its data, the same in every process, for the tests of reliability."""

import keras
import numpy as np

from keras_langevin import LAdam

_generator = np.random.default_rng(0)
X = _generator.normal(size=(32, 4)).astype("float32")
Y = _generator.normal(size=(32, 2)).astype("float32")
BATCH = 8


def make_optimizer(**arguments):
    return LAdam(**{"learning_rate": 0.01, "sigma": 0.1, "layers": ["first"], "seed": 3} | arguments)


def make_layers(**arguments):
    return [
        keras.layers.Dense(
            units, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=units), name=name, **arguments
        )
        for name, units in (("first", 3), ("second", 2))
    ]


def make_model(optimizer=None, model_class=keras.Model, **compile_arguments):
    """Returns the net, compiled with the given optimizer or with L-Adam and noise on the first layer."""
    x = inputs = keras.Input((4,))
    for layer in make_layers():
        x = layer(x)
    model = model_class(inputs, x, name="net")
    model.compile(optimizer or make_optimizer(), **{"loss": "mse", "jit_compile": False} | compile_arguments)
    return model


def fit(model, epochs=2, initial_epoch=0, **arguments):
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0} | arguments
    model.fit(X, Y, epochs=epochs, initial_epoch=initial_epoch, **options)
    return model


def batches(epochs=2):
    """Yields the batches in the order of `fit`."""
    for _ in range(epochs):
        for start in range(0, len(X), BATCH):
            yield X[start : start + BATCH], Y[start : start + BATCH]


def assert_equal_weights(model, other, **tolerance):
    """Compares weights bit for bit, or within a tolerance."""
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, **{"rtol": 0, "atol": 0} | tolerance)
