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
    shift=lambda a, count: tf.bitwise.right_shift(a, tf.cast(count, tf.uint32)),
    multiply=lambda a, factor: a * tf.constant(factor, tf.uint32),
    last_bit=lambda a: tf.bitwise.bitwise_and(a, tf.constant(1, tf.uint32)),
    lowest_five=lambda a: tf.bitwise.bitwise_and(a, tf.constant(31, tf.uint32)),
    word=lambda value: value if tf.is_tensor(value) else tf.constant(value, tf.uint32),
    iota=lambda length: _iota(length),
    reshape=tf.reshape,
    concatenate=lambda parts: tf.concat(parts, 0) if parts else tf.zeros((0,), tf.uint32),
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
    return _call(_random_bits, seed_words, update, draw)


def sample(seed_words, update, draw: Draw):
    return _call(_sample, seed_words, update, draw)


sample_alone = sample


def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    noise = _call(_scaled_sample, seed_words, update, draw, scale, tf.convert_to_tensor(preconditioner.whole()))
    if draw.flat:
        pieces = tf.split(noise, [math.prod(place.shape) for place in draw.places])
        pieces = [tf.reshape(piece, place.shape) for piece, place in zip(pieces, draw.places, strict=True)]
    else:
        pieces = [noise]
    for variable, piece in zip(variables, pieces, strict=True):
        optimizer.assign_add(variable, piece)


def _call(compiled, seed_words, update, draw: Draw, *arguments):
    """Calls the compiled function of a draw. The place of a variable that is drawn alone is an argument, so variables
    of one shape share a function; the places of a pool are constants in it."""
    where = [0, 0]
    if not draw.flat:
        (place,) = draw.places
        where = law.signed(place.block), law.signed(place.offset)
        draw = draw._replace(places=(Place(0, 0, place.shape),))
    update = tf.bitcast(tf.cast(update, tf.int64), tf.int32)  # low word first
    words = tf.concat([tf.convert_to_tensor(seed_words), update, where], 0)
    return compiled(draw)(words, *arguments)


@lru_cache(maxsize=1024)
def _random_bits(draw: Draw):
    return tf.function(lambda words: _over_draw(law.bits, words, draw), jit_compile=True, autograph=False)


@lru_cache(maxsize=1024)
def _sample(draw: Draw):
    return tf.function(lambda words: _sample_of(words, draw), jit_compile=True, autograph=False)


@lru_cache(maxsize=1024)
def _scaled_sample(draw: Draw):
    def function(words, scale, preconditioner):
        def noise():
            z = tf.cast(_sample_of(words, draw), preconditioner.dtype)
            return law.increment(scale, preconditioner, z, _ops)

        # A conditional, which XLA leaves alone: else, where the whole step is compiled, it would compute the noise of a
        # pool anew for each variable. σ = 0 skips the noise besides.
        return tf.cond(scale != 0, noise, lambda: tf.zeros(draw.shape, preconditioner.dtype)) if draw.flat else noise()

    return tf.function(function, jit_compile=True, autograph=False)


def _sample_of(words, draw: Draw):
    if draw.law == "rademacher":
        return 1 - 2 * tf.cast(_over_draw(law.sign_bits, words, draw), tf.float32)
    return normal_from_bits(_over_draw(law.bits, words, draw))


def _over_draw(function, words, draw: Draw):
    low, high, update, upper, block, offset = tf.unstack(tf.bitcast(words, tf.uint32))
    if not draw.flat:
        draw = draw._replace(places=(Place(block, offset, draw.places[0].shape),))
    return law.over_draw(function, law.with_upper((low, high), upper, _ops), update, draw, _ops)


def _iota(length: int):
    if length < 1 << 31:
        return tf.bitcast(tf.range(length), tf.uint32)
    return tf.cast(tf.range(length, dtype=tf.int64), tf.uint32)


def normal_from_bits(words):
    signed = tf.bitwise.right_shift(tf.bitcast(words, tf.int32), tf.constant(8))
    return law.inverse_normal((tf.cast(signed, tf.float32) + 0.5) * 2.0**-23, _ops)


def concatenate(tensors):
    return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)


def reader(variables):
    values = [variable.value for variable in variables]
    # under a `tf.distribute` strategy: the first of the equal copies
    values = [value.values[0] if hasattr(value, "values") else value for value in values]
    dtype = tf.float64 if any(value.dtype == tf.float64 for value in values) else tf.float32

    @tf.function(autograph=False)
    def read():  # as arguments, variables would be looked at one by one at each call
        return concatenate([tf.cast(tf.convert_to_tensor(value), dtype) for value in values])

    return read


def is_distributed(optimizer) -> bool:
    """Under a `tf.distribute` strategy variables have copies, which only the function that Keras gives to
    `strategy.extended.update` may change: `update_step`."""
    # By name: TensorFlow has no public way to tell the strategy that stands for none.
    return type(optimizer._distribution_strategy).__name__ != "_DefaultDistributionStrategy"
