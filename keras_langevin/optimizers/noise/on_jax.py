"""The noise on JAX: pure elementwise code, which XLA fuses into whatever uses it."""

import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from jax import lax

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw, Place

# The whole formula is one loop that XLA fuses: no library erf⁻¹, no buffer.
_ops = SimpleNamespace(
    constant=np.uint32,
    xor=lambda a, b: a ^ b,
    shift=lambda a, count: a >> np.uint32(count),
    multiply=lambda a, factor: a * np.uint32(factor),
    absolute=jnp.abs,
    sqrt=jnp.sqrt,
    float_bits=lambda x: lax.bitcast_convert_type(x, jnp.int32),
    bits_float=lambda x: lax.bitcast_convert_type(x, jnp.float32),
    to_float=lambda x: x.astype(jnp.float32),
)


def random_bits(seed_words, update, draw: Draw):
    seed_words = lax.bitcast_convert_type(jnp.asarray(seed_words, jnp.int32), jnp.uint32)
    update = jnp.asarray(update).astype(jnp.uint32)

    def key(block):
        return law.key((seed_words[0], seed_words[1]), update, block, _ops)

    if not draw.flat:
        return _bits_of_variable(key, draw.places[0])
    keys = {block: key(np.uint32(block)) for block, _, _ in draw.runs}
    parts = [
        law.bits(lax.iota(jnp.uint32, length) + np.uint32(start), *keys[block], _ops)
        for block, start, length in draw.runs
    ]
    return jnp.concatenate(parts) if parts else jnp.zeros((0,), jnp.uint32)


def _bits_of_variable(key, place: Place):
    leading = place.leading_axes
    element = _row_major(place.shape[leading:]) + np.uint32(place.offset)
    if not leading:
        return law.bits(element, *key(np.uint32(place.block)), _ops)
    rows = _row_major(place.shape[:leading]) + np.uint32(place.block)
    first, second = key(rows.reshape(rows.shape + (1,) * (len(place.shape) - leading)))
    return law.bits(element, first, second, _ops)


def _row_major(shape: tuple[int, ...]):
    """The index of each element, built by broadcasting, so that a sharded axis stays sharded."""
    index = jnp.zeros(shape, jnp.uint32)
    for axis in range(len(shape)):
        stride = math.prod(shape[axis + 1 :]) % law.WORD
        index = index + lax.broadcasted_iota(jnp.uint32, shape, axis) * np.uint32(stride)
    return index


def normal_from_bits(words):
    signed = lax.bitcast_convert_type(words, jnp.int32) >> 8
    return law.inverse_normal((signed.astype(jnp.float32) + 0.5) * np.float32(2**-23), _ops)


def standard_normal(seed_words, update, draw: Draw):
    return normal_from_bits(random_bits(seed_words, update, draw))


def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    def noise():
        root = jnp.sqrt(preconditioner())
        return scale * root * standard_normal(seed_words, update, draw).astype(root.dtype)

    pieces = _pieces(noise, draw, scale) if draw.flat else [noise()]
    for variable, piece in zip(variables, pieces, strict=True):
        optimizer.assign_add(variable, piece.astype(variable.dtype))


def _pieces(noise, draw: Draw, scale):
    """Of a pool, each variable's part.

    XLA would compute the whole noise anew in the loop of each part, and compile each of these loops. What a conditional
    returns it leaves alone (an optimization barrier it does not, on a CPU), and with starts that it does not know the
    loops of variables of one shape are one. σ = 0 skips the noise besides.
    """
    sizes = [math.prod(place.shape) for place in draw.places]
    starts = np.cumsum([0, *sizes[:-1]])
    flat, *starts = lax.cond(
        scale != 0,
        lambda: (noise(), *(jnp.int32(start) for start in starts)),
        lambda: (jnp.zeros(draw.shape, scale.dtype), *(jnp.int32(0) for _ in starts)),
    )
    return [
        lax.dynamic_slice(flat, (start,), (size,)).reshape(place.shape)
        for start, size, place in zip(starts, sizes, draw.places, strict=True)
    ]


def concatenate(tensors):
    return jnp.concatenate([tensor.reshape(-1) for tensor in tensors])


def is_distributed(optimizer) -> bool:
    return False
