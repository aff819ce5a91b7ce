"""The noise: a pure function of (seed, update, variable, element).

There is no generator state. Each element has a place in a counter (see `places`). An integer hash turns place, seed and
update into 32 random bits (see `law`), and the inverse of the normal distribution turns them into a standard normal
number. So runs are reproducible and can resume, and the noise is the same on every replica, mesh and backend.

Each backend has its own file, because each fuses differently. XLA compiles the whole formula into one loop (JAX and
TensorFlow). PyTorch works in chunks that fit the processor's cache, or with one kernel on a GPU. The integers are the
same everywhere: the tests compare them with NumPy.
"""

import importlib

import keras
import numpy as np

from keras_langevin.optimizers.noise.law import LAWS, join_seed, split_seed
from keras_langevin.optimizers.noise.places import Draw, Place, places_of

__all__ = [
    "LAWS",
    "Draw",
    "Place",
    "add_noise",
    "concatenate",
    "is_distributed",
    "join_seed",
    "normal_from_bits",
    "places_of",
    "random_bits",
    "reader",
    "sample",
    "sample_alone",
    "split_seed",
]

_backend = importlib.import_module(f"keras_langevin.optimizers.noise.on_{keras.backend.backend()}")


def random_bits(seed_words, update, draw: Draw):
    """Draws 32 random bits for each element of a draw.

    Args:
        seed_words: int32 tensor of shape `(2,)`, see `split_seed`.
        update: integer scalar tensor, the number of updates made so far.
        draw: the elements to draw, see `places`.

    Returns:
        Tensor of the draw's shape, 32-bit integers; signed or unsigned, depending on the backend.
    """
    return _backend.random_bits(seed_words, update, draw)


def sample(seed_words, update, draw: Draw):
    """Draws independent numbers of mean 0 and variance 1, one for each element of a draw.

        normal:      z = √2 · erf⁻¹(u),   u = (w + ½) / 2²³,   w the upper 24 bits (signed) of `random_bits`
        rademacher:  z = ±1, from one bit of a word that 32 neighbouring elements share

    |z| is at most 5.42. The arguments are those of `random_bits`.

    Returns:
        float32 tensor of the draw's shape.
    """
    return _backend.sample(seed_words, update, draw)


def sample_alone(seed_words, update, draw: Draw):
    """Same as `sample`, but outside a step. Backends with a compiler compile it separately."""
    return _backend.sample_alone(seed_words, update, draw)


def normal_from_bits(words):
    """Turns the words of `random_bits` into standard normal numbers."""
    return _backend.normal_from_bits(words)


def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    """Adds scale · √P ⊙ Z (`law.increment`) to variables, in as few passes as the backend allows.

    Args:
        optimizer: the optimizer. JAX and TensorFlow call its `assign_add`.
        variables: list of the variables of the draw.
        draw, seed_words, update: see `random_bits`.
        scale: scalar tensor, σ√γ, float32 or float64.
        preconditioner: `draws.Preconditioner`, P in the dtype of `scale`.
    """
    _backend.add_noise(optimizer, variables, draw, seed_words, update, scale, preconditioner)


def concatenate(tensors):
    """Joins the elements of all tensors into one flat tensor."""
    return _backend.concatenate(tensors)


def reader(variables):
    """Returns a function that reads all variables into one flat NumPy array, outside a step and in one backend call.
    The array is float32, or float64 if any variable is."""
    read = _backend.reader(variables)
    return lambda: np.array(read())


def is_distributed(optimizer) -> bool:
    """Whether variables have copies that only the optimizer's `update_step` may change."""
    return _backend.is_distributed(optimizer)
