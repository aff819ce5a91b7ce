"""The noise on TensorFlow: one function that XLA compiles by itself, also where the step is not compiled by XLA.

Outside XLA each of its operations would be a pass over memory of its own.
"""

import math
from functools import lru_cache
from types import SimpleNamespace

import tensorflow as tf

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw, Place

_ops = SimpleNamespace(
    constant=lambda word: tf.constant(word, tf.uint32),
    xor=tf.bitwise.bitwise_xor,
    shift=lambda a, count: tf.bitwise.right_shift(a, tf.constant(count, tf.uint32)),
    multiply=lambda a, factor: a * tf.constant(factor, tf.uint32),
    absolute=tf.abs,
    sqrt=tf.sqrt,
    float_bits=lambda x: _Word(tf.bitcast(x, tf.int32)),
    bits_float=lambda x: tf.bitcast(x.value, tf.float32),
    to_float=lambda x: tf.cast(x.value, tf.float32),
)


class _Word:
    """An int32 tensor with the shifts that `law` writes as operators and TensorFlow has as functions only."""

    def __init__(self, value):
        self.value = value

    def __sub__(self, other):
        return _Word(self.value - (other.value if isinstance(other, _Word) else other))

    def __rshift__(self, count):
        return _Word(tf.bitwise.right_shift(self.value, tf.constant(count, tf.int32)))

    def __lshift__(self, count):
        return _Word(tf.bitwise.left_shift(self.value, tf.constant(count, tf.int32)))


def random_bits(seed_words, update, draw: Draw):
    return _random_bits(draw)(tf.convert_to_tensor(seed_words), tf.cast(update, tf.int32))


def standard_normal(seed_words, update, draw: Draw):
    return _standard_normal(draw)(tf.convert_to_tensor(seed_words), tf.cast(update, tf.int32))


def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    factor = tf.convert_to_tensor(preconditioner())
    noise = _scaled_normal(draw)(tf.convert_to_tensor(seed_words), tf.cast(update, tf.int32), scale, factor)
    if draw.flat:
        pieces = tf.split(noise, [math.prod(place.shape) for place in draw.places])
        pieces = [tf.reshape(piece, place.shape) for piece, place in zip(pieces, draw.places, strict=True)]
    else:
        pieces = [noise]
    for variable, piece in zip(variables, pieces, strict=True):
        optimizer.assign_add(variable, piece)


# One compiled function for each set of places: they are constants in it.
@lru_cache(maxsize=1024)
def _random_bits(draw: Draw):
    return tf.function(lambda seed_words, update: _bits(seed_words, update, draw), jit_compile=True, autograph=False)


@lru_cache(maxsize=1024)
def _standard_normal(draw: Draw):
    def function(seed_words, update):
        return normal_from_bits(_bits(seed_words, update, draw))

    return tf.function(function, jit_compile=True, autograph=False)


@lru_cache(maxsize=1024)
def _scaled_normal(draw: Draw):
    def function(seed_words, update, scale, preconditioner):
        def noise():
            z = normal_from_bits(_bits(seed_words, update, draw))
            return scale * tf.sqrt(preconditioner) * tf.cast(z, preconditioner.dtype)

        # A conditional, which XLA leaves alone: else, where the whole step is compiled, it would compute the noise of a
        # pool anew for each variable. σ = 0 skips the noise besides.
        return tf.cond(scale != 0, noise, lambda: tf.zeros(draw.shape, preconditioner.dtype)) if draw.flat else noise()

    return tf.function(function, jit_compile=True, autograph=False)


def _bits(seed_words, update, draw: Draw):
    low, high = tf.unstack(tf.bitcast(seed_words, tf.uint32))
    update = tf.bitcast(update, tf.uint32)

    def key(block):
        return law.key((low, high), update, block, _ops)

    if not draw.flat:
        return _bits_of_variable(key, draw.places[0])
    keys = {block: key(_word(block)) for block, _, _ in draw.runs}
    parts = [law.bits(_iota(length) + _word(start), *keys[block], _ops) for block, start, length in draw.runs]
    return tf.concat(parts, 0) if parts else tf.zeros((0,), tf.uint32)


def _bits_of_variable(key, place: Place):
    leading = place.leading_axes
    element = _row_major(place.shape[leading:]) + _word(place.offset)
    if not leading:
        return law.bits(element, *key(_word(place.block)), _ops)
    rows = _row_major(place.shape[:leading]) + _word(place.block)
    first, second = key(tf.reshape(rows, place.shape[:leading] + (1,) * (len(place.shape) - leading)))
    return law.bits(element, first, second, _ops)


def _row_major(shape: tuple[int, ...]):
    index = tf.zeros((), tf.uint32)
    for axis, size in enumerate(shape):
        stride = math.prod(shape[axis + 1 :]) % law.WORD
        index = index + tf.reshape(_iota(size) * _word(stride), (size,) + (1,) * (len(shape) - axis - 1))
    return index


def _iota(length: int):
    if length < 1 << 31:
        return tf.bitcast(tf.range(length), tf.uint32)
    return tf.cast(tf.range(length, dtype=tf.int64), tf.uint32)


def _word(value: int):
    return tf.constant(value, tf.uint32)


def normal_from_bits(words):
    signed = tf.bitwise.right_shift(tf.bitcast(words, tf.int32), tf.constant(8))
    return law.inverse_normal((tf.cast(signed, tf.float32) + 0.5) * 2.0**-23, _ops)


def concatenate(tensors):
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)


def is_distributed(optimizer) -> bool:
    """Under a `tf.distribute` strategy variables have copies, which only the function that Keras gives to
    `strategy.extended.update` may change: `update_step`."""
    # By name: TensorFlow has no public way to tell the strategy that stands for none.
    return type(optimizer._distribution_strategy).__name__ != "_DefaultDistributionStrategy"
