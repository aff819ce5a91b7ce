"""Random draws and trainings of a process, to compare with those of another process.

`python -m tests.reliability.drawn FILE` writes a `.npz` file with the weights of three trainings and the seeds of their
noise.
"""

import sys

import keras
import numpy as np

from keras_langevin import LAdam


def deterministic_operations():
    _DETERMINISTIC[keras.backend.backend()]()


def _tensorflow():
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def _torch():
    import torch

    torch.use_deterministic_algorithms(True)


_DETERMINISTIC = {"tensorflow": _tensorflow, "torch": _torch, "jax": lambda: None}  # JAX is deterministic


def train(optimizer, is_drawn: bool) -> dict[str, np.ndarray]:
    """Returns the weights after a fit, and the seed of the noise.

    Args:
        optimizer: the optimizer.
        is_drawn: bool, whether initial weights, the order of the examples and the masks of a dropout are also drawn,
            or only the noise.
    """
    generator = np.random.default_rng(0)
    x = generator.normal(size=(48, 8, 8, 1)).astype("float32")
    y = generator.integers(3, size=48)
    more = [keras.layers.Dropout(0.2)] if is_drawn else []
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Flatten(), *more, keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    if not is_drawn:
        model.set_weights([0.1 * generator.normal(size=weight.shape) for weight in model.get_weights()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=keras.backend.backend() == "jax")
    model.fit(x, y, batch_size=8, epochs=2, shuffle=is_drawn, verbose=0)
    weights = np.concatenate([weight.ravel() for weight in model.get_weights()])
    return {"weights": weights, "seed": np.array(str(optimizer.seed))}


def main(path):
    found = {"unseeded": train(LAdam(0.01, sigma=0.1), is_drawn=False)}  # first, before anything is seeded
    deterministic_operations()
    keras.utils.set_random_seed(5)
    found["given seed"] = train(LAdam(0.01, sigma=0.1, seed=7), is_drawn=True)
    keras.utils.set_random_seed(5)
    found["no seed"] = train(LAdam(0.01, sigma=0.1, seed=None), is_drawn=True)
    np.savez(path, **{f"{name}/{key}": value for name, arrays in found.items() for key, value in arrays.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
