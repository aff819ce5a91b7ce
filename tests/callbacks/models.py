"""Models for the tests of the callbacks: a small net, and a layer with a zero gradient."""

import contextlib

import keras
import numpy as np
from keras import ops

from tests.optimizers.cases import BACKEND
from tests.quick import EAGERLY

JIT = BACKEND == "jax"  # on TensorFlow tracing a graph is faster than compiling it with XLA
EXECUTIONS = [1] if BACKEND == "torch" else [1, 3]  # on PyTorch Keras accepts only 1
LAYERS = ("first", "second", "third")


class CountedLoss:
    """A loss that counts how often it is traced (on PyTorch, which does not trace: called).

    Args:
        factor: float, multiplies the gradient.
    """

    def __init__(self, factor: float = 1.0):
        self.count = 0
        self.factor = factor

    def __call__(self, target, prediction):
        self.count += 1
        return self.factor * ops.mean(ops.square(prediction - target))


def small_model(optimizer, loss="mse", **compile_arguments):
    """Returns a compiled model of three dense layers with the same weights each time."""
    x = inputs = keras.Input((4,))
    for seed, (name, units) in enumerate((("first", 5), ("second", 3), ("third", 2))):
        initializer = keras.initializers.GlorotUniform(seed=seed)
        x = keras.layers.Dense(units, activation="tanh", kernel_initializer=initializer, name=name)(x)
    model = keras.Model(inputs, x, name="net")
    model.compile(optimizer=optimizer, loss=loss, **{"jit_compile": JIT} | compile_arguments)
    return model


def eager_model(optimizer, **arguments):
    """Returns a `small_model` for tests of a few steps that do not depend on a trace."""
    return small_model(optimizer, run_eagerly=EAGERLY, **arguments)


def examples(steps: int, batch: int = 4):
    """Returns features and targets of `steps` batches."""
    generator = np.random.default_rng(0)
    size = steps * batch
    return generator.normal(size=(size, 4)).astype("float32"), generator.normal(size=(size, 2)).astype("float32")


def fit(model, *callbacks, epochs=1, steps=3, batch=4, **arguments):
    """Calls `model.fit` on the same batches each time."""
    features, targets = examples(steps, batch)
    return model.fit(
        features,
        targets,
        **{"batch_size": batch, "epochs": epochs, "shuffle": False, "verbose": 0, "callbacks": list(callbacks)}
        | arguments,
    )


class States(keras.callbacks.Callback):
    """Keeps the values of `of` at the end of each epoch or batch.

    Args:
        of: function of the model.
        batches: bool, whether at the end of each batch. Defaults to `False`.
    """

    def __init__(self, of, batches=False):
        super().__init__()
        self.of, self.batches, self.seen = of, batches, []

    def on_epoch_end(self, epoch, logs=None):
        if not self.batches:
            self.seen.append(self.of(self.model))

    def on_train_batch_end(self, batch, logs=None):
        if self.batches:
            self.seen.append(self.of(self.model))


def weights_of(model) -> list[np.ndarray]:
    """Returns copies of a model's trainable weights."""
    return [np.array(ops.convert_to_numpy(variable)) for variable in model.trainable_variables]


@contextlib.contextmanager
def policy(name: str):
    """A context with a Keras dtype policy."""
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")
