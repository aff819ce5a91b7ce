"""The noise on TensorFlow: one function that XLA compiles, even if it does not compile the step.

Without XLA each operation would be a separate pass over memory.
"""

import math
from functools import lru_cache, partial
from types import SimpleNamespace

import tensorflow as tf

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw, Place

_ops = SimpleNamespace(
    constant=lambda word: tf.constant(word, tf.uint32),
    xor=tf.bitwise.bitwise_xor,
    shift=lambda a, count: tf.bitwise.right_shift(a, _word(count)),
    multiply=lambda a, factor: a * tf.constant(factor, tf.uint32),
    last_bit=lambda a: tf.bitwise.bitwise_and(a, tf.constant(1, tf.uint32)),
    lowest_five=lambda a: tf.bitwise.bitwise_and(a, tf.constant(31, tf.uint32)),
    word=lambda value: _word(value),
    iota=lambda length: _iota(length),
    reshape=tf.reshape,
    concatenate=lambda parts: tf.concat(parts, 0) if parts else tf.zeros((0,), tf.uint32),
    absolute=tf.abs,
    sqrt=tf.sqrt,
    float_bits=lambda x: _Word(tf.bitcast(x, tf.int32)),
    bits_float=lambda x: tf.bitcast(x.value, tf.float32),
    to_float=lambda x: tf.cast(x.value, tf.float32),
)


_ROW = 2048  # see `law.over_rows`


class _Word:
    """An int32 tensor with the shift operators that `law` uses. TensorFlow has only functions for them."""

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
    gaps = draw.gaps(_ROW) if draw.flat else None
    noise = _call(_scaled_sample, seed_words, update, draw, scale, tf.convert_to_tensor(preconditioner.whole(gaps)))
    if draw.flat:
        sizes = [math.prod(place.shape) for place in draw.places]
        between = [size for pair in zip(gaps, [*sizes, 0], strict=True) for size in pair]
        pieces = tf.split(noise, between)[1:-1:2]
        pieces = [tf.reshape(piece, place.shape) for piece, place in zip(pieces, draw.places, strict=True)]
    else:
        pieces = [noise]
    for variable, piece in zip(variables, pieces, strict=True):
        optimizer.assign_add(variable, piece)


def _call(compiled, seed_words, update, draw: Draw, *arguments):
    """Calls the compiled function of a draw. The place of a variable that is drawn alone is an argument, so variables
    of the same shape share a function. The places of a pool are constants."""
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
    return tf.function(lambda words: _of_draw(_words, words, draw), jit_compile=True, autograph=False)


@lru_cache(maxsize=1024)
def _sample(draw: Draw):
    return tf.function(lambda words: _of_draw(_LAWS[draw.law], words, draw), jit_compile=True, autograph=False)


@lru_cache(maxsize=1024)
def _scaled_sample(draw: Draw):
    """A pool is computed in whole rows, and so is its P, so that XLA compiles one loop without a branch."""

    def function(words, scale, preconditioner):
        def noise(words):
            z = tf.cast(_of_draw(_LAWS[draw.law], words, draw, law.over_rows), preconditioner.dtype)
            return law.increment(scale, preconditioner, z, _ops)

        if not draw.flat:
            return noise(words)
        # In a compiled step, XLA would compute the noise of a pool again for each variable without this conditional. It
        # also skips the noise if σ = 0. If both branches were elementwise, XLA would make a selection of it. Reversing
        # the words is not elementwise.
        backwards = tf.reverse(words, [0])
        zeros = partial(tf.zeros, (sum(draw.shape) + sum(draw.gaps(_ROW)),), preconditioner.dtype)
        return tf.cond(scale != 0, lambda: noise(tf.reverse(backwards, [0])), zeros)

    return tf.function(function, jit_compile=True, autograph=False)


def _of_draw(numbers, words, draw: Draw, over_pool=law.over_runs):
    """Computes `numbers(element, first key word, second key word)` for each element."""
    low, high, update, upper, block, offset = tf.unstack(tf.bitcast(words, tf.uint32))

    def key_of(block):
        return _key(low, high, upper, update, block)

    if draw.flat:
        return over_pool(numbers, key_of, draw, _ROW, _ops)
    shape = draw.shape
    draw = draw._replace(places=(Place(block, offset, shape),))
    return tf.reshape(law.over_draw(numbers, key_of, draw, _ops), shape)


def _traced_once(*dtypes):
    """Traces a function of tensors once for all shapes. The law has two hundred operations, and tracing takes a large
    part of a millisecond for each."""
    return tf.function(autograph=False, input_signature=[tf.TensorSpec(None, dtype) for dtype in dtypes])


@_traced_once(*[tf.uint32] * 5)
def _key(low, high, upper, update, block):
    return law.key(law.with_upper((low, high), upper, _ops), update, block, _ops)


@_traced_once(*[tf.uint32] * 3)
def _words(element, first, second):
    return law.bits(element, first, second, _ops)


@_traced_once(*[tf.uint32] * 3)
def _normals(element, first, second):
    return normal_from_bits(law.bits(element, first, second, _ops))


@_traced_once(*[tf.uint32] * 3)
def _signs(element, first, second):
    return 1 - 2 * tf.cast(law.sign_bits(element, first, second, _ops), tf.float32)


_LAWS = {"normal": _normals, "rademacher": _signs}


def _word(value):
    return value if tf.is_tensor(value) else tf.constant(value, tf.uint32)


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
    def read():  # as arguments, each call would check the variables one by one
        return concatenate([tf.cast(tf.convert_to_tensor(value), dtype) for value in values])

    return read


def is_distributed(optimizer) -> bool:
    """Whether a `tf.distribute` strategy keeps copies of the variables. Only the function that Keras passes to
    `strategy.extended.update` may change the copies: `update_step`."""
    # By name: TensorFlow has no public test for its default strategy, which keeps no copies.
    return type(optimizer._distribution_strategy).__name__ != "_DefaultDistributionStrategy"
