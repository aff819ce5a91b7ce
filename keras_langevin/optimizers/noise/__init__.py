"""The noise: a pure function of (seed, update, variable, element).

There is no generator state. An integer hash turns the place of an element (see `places`) and a 64-bit key, itself a
hash of (seed, update), into 32 random bits (see `law`), and the inverse of the normal law turns those into a standard
normal number. From this follow reproducibility, restarts, and equal noise on every replica, mesh and backend.

Each backend has its own file, because each fuses differently: XLA takes the whole formula into one loop (JAX; on
TensorFlow in a function that is compiled by itself where the step is not), PyTorch works through chunks that fit the
processor's cache. The integers are the same everywhere, and the tests pin them to NumPy.
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
    """32 random bits for each element of a draw.

    Args:
        seed_words: int32 tensor of shape `(2,)`, see `split_seed`.
        update: integer scalar tensor, the number of updates made so far.
        draw: what is drawn, see `places`.

    Returns:
        Tensor of the draw's shape, 32-bit integers (their sign is the backend's affair).
    """
    return _backend.random_bits(seed_words, update, draw)


def sample(seed_words, update, draw: Draw):
    """Independent numbers of mean 0 and variance 1, one for each element of a draw.

        normal:      z = √2 · erf⁻¹(u),   u = (w + ½) / 2²³,   w the upper 24 bits (signed) of `random_bits`
        rademacher:  z = ±1, by one bit of the word that 32 neighbours share

    so |z| is at most 5.42. The arguments are those of `random_bits`.

    Returns:
        float32 tensor of the draw's shape.
    """
    return _backend.sample(seed_words, update, draw)


def sample_alone(seed_words, update, draw: Draw):
    """As `sample`, outside of a step: compiled by itself where the backend compiles."""
    return _backend.sample_alone(seed_words, update, draw)


def normal_from_bits(words):
    """Standard normal numbers from the words of `random_bits`."""
    return _backend.normal_from_bits(words)


def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    """Adds scale · √P ⊙ Z (`law.increment`) to variables, in as few passes as the backend can.

    Args:
        optimizer: the optimizer, whose `assign_add` is used.
        variables: list of variables, those of the draw.
        draw, seed_words, update: see `random_bits`.
        scale: scalar tensor, σ√γ, float32 or float64.
        preconditioner: `draws.Preconditioner`, P of the dtype of `scale`.
    """
    _backend.add_noise(optimizer, variables, draw, seed_words, update, scale, preconditioner)


def concatenate(tensors):
    """The elements of all tensors in one flat tensor."""
    return _backend.concatenate(tensors)


def reader(variables):
    """A function that returns the elements of all variables in one flat NumPy array, float32, or float64 where one of
    them is; outside of a step, in one call of the backend where it would take one for each variable."""
    read = _backend.reader(variables)
    return lambda: np.array(read())


def is_distributed(optimizer) -> bool:
    """Whether variables have copies that only the optimizer's `update_step` may change."""
    return _backend.is_distributed(optimizer)
