"""The noise on JAX: pure elementwise code, which XLA fuses into whatever uses it."""

import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from jax import lax

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw

# The whole formula is one loop that XLA fuses: no library erf⁻¹, no buffer.
_ops = SimpleNamespace(
    constant=np.uint32,
    xor=lambda a, b: a ^ b,
    shift=lambda a, count: a >> (np.uint32(count) if isinstance(count, int) else count),
    multiply=lambda a, factor: a * np.uint32(factor),
    last_bit=lambda a: a & np.uint32(1),
    lowest_five=lambda a: a & np.uint32(31),
    word=np.uint32,
    iota=lambda length: lax.iota(jnp.uint32, length),
    reshape=jnp.reshape,
    concatenate=lambda parts: jnp.concatenate(parts) if parts else jnp.zeros((0,), jnp.uint32),
    absolute=jnp.abs,
    sqrt=jnp.sqrt,
    float_bits=lambda x: lax.bitcast_convert_type(x, jnp.int32),
    bits_float=lambda x: lax.bitcast_convert_type(x, jnp.float32),
    to_float=lambda x: x.astype(jnp.float32),
)


def random_bits(seed_words, update, draw: Draw):
    return _over_draw(law.bits, seed_words, update, draw)


def _over_draw(function, seed_words, update, draw: Draw):
    seed_words = lax.bitcast_convert_type(jnp.asarray(seed_words, jnp.int32), jnp.uint32)
    update = jnp.asarray(update).astype(jnp.uint32)
    return law.over_draw(function, (seed_words[0], seed_words[1]), update, draw, _ops)


def normal_from_bits(words):
    signed = lax.bitcast_convert_type(words, jnp.int32) >> 8
    return law.inverse_normal((signed.astype(jnp.float32) + 0.5) * np.float32(2**-23), _ops)


def sample(seed_words, update, draw: Draw):
    if draw.law == "rademacher":
        return 1 - 2 * _over_draw(law.sign_bits, seed_words, update, draw).astype(jnp.float32)
    return normal_from_bits(random_bits(seed_words, update, draw))


def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    def noise():
        root = jnp.sqrt(preconditioner())
        return scale * root * sample(seed_words, update, draw).astype(root.dtype)

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
