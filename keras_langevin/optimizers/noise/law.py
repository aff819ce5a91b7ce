"""The integers and the law (distribution) of the noise, written once for all array libraries.

The operations of a library come in as `ops`. All integers are 32-bit words and wrap around.
"""

import math

import numpy as np

WORD = 1 << 32
LAWS = ("normal", "rademacher")
# Initial values of the two key words: the fractional bits of the golden ratio and of the square root of 3.
KEY_STARTS = (0x9E3779B9, 0xBB67AE85)
# `lowbias32` of C. Wellons' hash-prospector (public domain): https://github.com/skeeto/hash-prospector
FIRST, SECOND = 0x7FEB352D, 0x846CA68B


def split_seed(seed: int) -> np.ndarray:
    """Returns the 64 bits of `seed` as an `int32` array of shape `(2,)`, low word first."""
    return np.array([seed % WORD, seed // WORD], "uint32").view("int32")


def join_seed(words) -> int:
    """Returns the seed with these words, the inverse of `split_seed`."""
    low, high = np.asarray(words, "int32").view("uint32")
    return int(low) + int(high) * WORD


def signed(word: int) -> int:
    """Returns the int32 with the same bits."""
    return word - WORD if word >= WORD // 2 else word


def mix(x, ops):
    """`lowbias32`: a bijection of words. If an input bit flips, each output bit flips with probability close to ½.

    Args:
        x: array of words.
        ops: `xor(a, b)`, `shift(a, bits)` (logical, to the right) and `multiply(a, int)`.
    """
    x = ops.multiply(ops.xor(x, ops.shift(x, 16)), FIRST)
    x = ops.multiply(ops.xor(x, ops.shift(x, 15)), SECOND)
    return ops.xor(x, ops.shift(x, 16))


def key(seed_words, update, block, ops):
    """Hashes (seed, update, block) to two key words.

    Each word changes the pair (a, b) by `a = mix(a ^ word); b = mix(b ^ a)`. With one seed, different (update, block)
    have different keys. The update is one word here; `with_upper` handles larger ones.

    Args:
        seed_words: pair of words.
        update: word.
        block: word or array of words.
    """
    first, second = (ops.constant(start) for start in KEY_STARTS)
    for word in (*seed_words, update, block):
        first = mix(ops.xor(first, word), ops)
        second = mix(ops.xor(second, first), ops)
    return first, second


def with_upper(seed_words, upper, ops):
    """Hashes the upper word of the counter of updates into the second word of the seed. `mix(0)` is 0, so nothing
    changes below 2³² updates.

    Args:
        seed_words: pair of words.
        upper: word, the upper half of a 64-bit counter of updates.
    """
    low, high = seed_words
    return low, ops.xor(high, mix(upper, ops))


def bits(element, first, second, ops):
    """Returns 32 random bits for each element under a key.

    The second key word enters between the first two of the three multiplications. So the streams of two keys are not
    one stream at different offsets.

    Under one key this is a bijection: no two elements of a block have equal bits in one update. N elements are drawn
    without replacement from 2³² words, and their sum has the variance N(1 − N/2³²): 0.02% less for 10⁶ elements of a
    block, 2.3% less for 10⁸. Each update, block and seed gives another permutation."""
    x = element + first
    x = ops.multiply(ops.xor(x, ops.shift(x, 16)), FIRST)
    return mix(ops.xor(ops.xor(x, ops.shift(x, 15)), second), ops)


def sign_bits(element, first, second, ops):
    """Returns a random bit for each element under a key. 32 neighbouring elements share a word."""
    word = bits(ops.shift(element, 5), first, second, ops)
    return ops.last_bit(ops.shift(word, ops.lowest_five(element)))


def over_draw(function, key_of, draw, ops):
    """Computes `function(element, first key word, second key word)` for each element of a draw that is not flat.

    Args:
        function: for example `bits` with `ops` bound.
        key_of: `key` as a function of the block only.
        draw: `places.Draw`. Its block and offset may be words of the library.
        ops: also `word` (makes words of an int or an array; keeps words of the library), `iota` (0, 1, ... as words),
            `reshape` and `concatenate`.
    """
    (place,) = draw.places
    leading = place.leading_axes
    element = _row_major(place.shape[leading:], ops) + ops.word(place.offset)
    block = ops.word(place.block)
    if leading:
        rows = _row_major(place.shape[:leading], ops) + block
        block = ops.reshape(rows, place.shape[:leading] + (1,) * (len(place.shape) - leading))
    return function(element, *key_of(block))


def over_rows(function, key_of, draw, length: int, ops):
    """Same as `over_draw` for a flat draw, in whole rows (see `Draw.rows`). The flat result includes padding.

    One formula serves all runs of a block, so the compiled code does not grow with their number. A loop over rows of a
    round length is also faster than one over a range of arbitrary length.
    """
    return of_rows(function, key_of, draw.rows(length)[0], length, ops)


def of_rows(function, key_of, rows, length: int, ops):
    """Same as `over_rows`, for rows from `Draw.rows`. The first elements may also be tensors."""
    parts = []
    for block, firsts in rows:
        element = ops.reshape(ops.word(firsts), (-1, 1)) + ops.reshape(ops.iota(length), (1, -1))
        parts.append(ops.reshape(function(element, *key_of(ops.word(block))), (-1,)))
    return ops.concatenate(parts)


def over_runs(function, key_of, draw, length: int, ops):
    """Same as `over_rows`, without the padding."""
    flat = over_rows(function, key_of, draw, length, ops)
    parts, begin = [], 0
    for _, _, size in draw.runs:
        parts.append(flat[begin : begin + size])
        begin += -(-size // length) * length
    return ops.concatenate(parts)


def _row_major(shape: tuple[int, ...], ops):
    """Returns the row-major number of each element, as words that wrap around."""
    # A sum over axes instead of a reshaped range: a sharded variable then needs no communication.
    number = ops.word(0)
    for axis, size in enumerate(shape):
        stride = math.prod(shape[axis + 1 :]) % WORD
        number = number + ops.reshape(ops.iota(size) * ops.word(stride), (size,) + (1,) * (len(shape) - axis - 1))
    return number


def increment(scale, preconditioner, z, ops):
    """Computes what a step adds to the weights: the formula of this package. `on_torch` and `on_triton` have twins.

        scale · √P ⊙ Z,   scale = σ√γ

    Args:
        scale: scalar, of the dtype of P.
        preconditioner: P, array or scalar.
        z: Z, array of the draw's shape.
        ops: `sqrt`.
    """
    return scale * ops.sqrt(preconditioner) * z


# ln(1 + r) = r · (l₀ + l₁ r + ...) for r in [√½ − 1, √2 − 1], to 2e-7.
LOGARITHM = (
    1.000003248565852,
    -0.500019655998493,
    0.33303292858473776,
    -0.24881318699182417,
    0.20604729529660146,
    -0.1890219097829771,
    0.11827552330957919,
)
# √2 · erf⁻¹(u) / u = c₀ + c₁ s + ... with s = √(7/2 − ln(1 − u²)) − 2, to 1.4e-6 for |u| <= 1 − 2⁻²⁴; found by
# iteratively reweighted least squares (Lawson's algorithm) on Chebyshev nodes.
INVERSE = (
    1.421035652403205,
    1.3676308111151343,
    0.5204756139995936,
    -0.134054753135203,
    -0.1388220350063314,
    -0.07785237335930706,
    0.28669340084332207,
    -0.22710447492229574,
    0.0878348922174183,
    -0.01737630868365287,
    0.001412413707743875,
)
SQRT_HALF_BITS = 0x3F3504F3  # √½ as a float32


def inverse_normal(uniform, ops):
    """Computes √2 · erf⁻¹(u) for |u| < 1 on float32's grid of 2⁻²⁴, to a relative error of 2e-6, without a branch.

    A library's erf⁻¹ has a branch for the tails, and vectorized code computes both sides. This function takes half the
    time under XLA. It is also accurate near |u| = 1: a = 1 − |u| is exact, so 1 − u² = a(2 − a) keeps its digits.
    TensorFlow's erf⁻¹ is off by 1e-3 there, and infinite at 1 − 2⁻²⁴.

    Args:
        uniform: float32 array u.
        ops: `absolute`, `sqrt`, `float_bits` (float32 to int32 of the same bits), `bits_float` (its inverse),
            `to_float` (int32 to float32 of the same value).
    """
    a = 1 - ops.absolute(uniform)
    x = a * (2 - a)
    # x = 2ᵏ(1 + r), where k counts from √½
    word = ops.float_bits(x)
    exponent = (word - SQRT_HALF_BITS) >> 23
    r = ops.bits_float(word - (exponent << 23)) - 1
    logarithm = ops.to_float(exponent) * math.log(2) + r * polynomial(LOGARITHM, r)
    return uniform * polynomial(INVERSE, ops.sqrt(3.5 - logarithm) - 2)


def polynomial(coefficients, x):
    """Computes c₀ + c₁ x + c₂ x² + ... by Horner's rule."""
    value = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value
