"""The noise: a pure function of (seed, update, variable, element).

There is no generator state. Two rounds of a 32-bit integer hash turn the index of an element and a 64-bit key, itself
a hash of (seed, update, variable), into 32 random bits, and the inverse error function turns those into a standard
normal number. From this follow reproducibility, restarts, and equal noise on every replica and every backend.

All integers are 32-bit and wrap around. They are held as `int32`, the one integer type that multiplies, shifts and
converts on JAX, TensorFlow and PyTorch alike; as bits they equal the `uint32` arithmetic of the NumPy reference in
`tests/optimizers/test_noise.py`.
"""

import math

import numpy as np
from keras import ops

_WORD = 1 << 32
# Start values of the two key words: the fractional bits of the golden ratio and of the square root of 3.
_KEY_STARTS = (0x9E3779B9, 0xBB67AE85)


def split_seed(seed: int) -> np.ndarray:
    """The 64 bits of `seed` as an `int32` array of shape `(2,)`, low word first."""
    return np.array([seed % _WORD, seed // _WORD], "uint32").view("int32")


def join_seed(words) -> int:
    """The inverse of `split_seed`."""
    low, high = np.asarray(words, "int32").view("uint32")
    return int(low) + int(high) * _WORD


def standard_normal(seed_words, update, variable_index: int, shape: tuple[int, ...]):
    """Independent standard normal numbers, one for each element of a variable.

        z = √2 · erf⁻¹(u),   u = (w + ½) / 2²³,   w the upper 24 bits (signed) of `random_bits`

    so |z| is at most 5.42.

    Args:
        seed_words: int32 tensor of shape `(2,)`, see `split_seed`.
        update: integer scalar tensor, the number of updates made so far.
        variable_index: int, the variable's place in the optimizer.
        shape: tuple of ints, the variable's shape.

    Returns:
        float32 tensor of shape `shape`.
    """
    return normal_from_bits(random_bits(stream_key(seed_words, update, variable_index), shape))


def normal_from_bits(words):
    """Standard normal numbers from int32 words, by the inverse of the normal law.

    The inverse is taken in the lower tail and mirrored: TensorFlow computes erf⁻¹(u) from 1 + u, which near u = 1 is
    rounded, to an error of 1e-3 at z = 4.4 and to infinity for one word in 2²⁴.
    """
    uniform = (ops.cast(ops.right_shift(words, 8), "float32") + 0.5) * 2.0**-23
    return ops.sign(uniform) * ops.erfinv(-ops.abs(uniform)) * -math.sqrt(2.0)


def stream_key(seed_words, update, variable_index: int):
    """Two int32 scalars that identify the draw for one variable at one update."""
    words = (seed_words[0], seed_words[1], ops.cast(update, "int32"), variable_index)
    return tuple(_chain(_signed(start), words) for start in _KEY_STARTS)


def random_bits(key, shape: tuple[int, ...]):
    """32 random bits for each element: int32 tensor of shape `shape`."""
    leading = _leading_axes(shape)
    element = _flat_index(shape[leading:])
    first, second = key
    if leading:  # more than 2³² elements: the leading axes go into the key
        rows = ops.reshape(_flat_index(shape[:leading]), shape[:leading] + (1,) * (len(shape) - leading))
        first = _mix(ops.bitwise_xor(rows, first))
    return _mix(ops.bitwise_xor(_mix(element + first), second))


def _leading_axes(shape: tuple[int, ...]) -> int:
    """How many axes to leave out so that the rest has at most 2³² elements."""
    return next(axis for axis in range(len(shape) + 1) if math.prod(shape[axis:]) <= _WORD)


def _flat_index(shape: tuple[int, ...]):
    """The row-major index of each element modulo 2³², built by broadcasting so that a sharded axis stays sharded."""
    index = ops.zeros((), "int32")
    for axis, size in enumerate(shape):
        stride = _signed(math.prod(shape[axis + 1 :]) % _WORD)
        line = ops.reshape(ops.arange(size, dtype="int32") * stride, (size,) + (1,) * (len(shape) - axis - 1))
        index = index + line
    return index


def _chain(state, words):
    for word in words:
        state = _mix(ops.bitwise_xor(state, word))
    return state


def _mix(x):
    """`lowbias32` of C. Wellons' hash-prospector (public domain): a bijection of 32-bit words that flips each output
    bit with probability close to ½ when any input bit flips. https://github.com/skeeto/hash-prospector"""
    x = ops.multiply(ops.bitwise_xor(x, _shift(x, 16)), _signed(0x7FEB352D))
    x = ops.multiply(ops.bitwise_xor(x, _shift(x, 15)), _signed(0x846CA68B))
    return ops.bitwise_xor(x, _shift(x, 16))


def _shift(x, bits: int):
    """Logical shift to the right: `>>` on int32 copies the sign, the mask removes the copies."""
    return ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)


def _signed(word: int) -> int:
    return word - _WORD if word >= _WORD // 2 else word
