"""The noise on JAX: pure elementwise code, which XLA fuses into whatever uses it."""

import math
from functools import lru_cache
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw

# A pool is drawn in whole rows: XLA's loop over a flat range counts in 64-bit vectors, and one whose length its threads
# do not divide is not vectorized at all.
_ROW = 2048
# By this a draw is skipped. `vmap` turns it into a selection that computes both branches, so the engine `vmap` puts
# another in its place.
cond = lax.cond

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
    seed_words, update = (seed_words[0], seed_words[1]), jnp.asarray(update)
    if update.dtype.itemsize > 4:  # with `jax_enable_x64`
        seed_words = law.with_upper(seed_words, (update >> 32).astype(jnp.uint32), _ops)
    return law.over_draw(function, seed_words, update.astype(jnp.uint32), draw, _ops)


def normal_from_bits(words):
    signed = lax.bitcast_convert_type(words, jnp.int32) >> 8
    return law.inverse_normal((signed.astype(jnp.float32) + 0.5) * np.float32(2**-23), _ops)


def sample(seed_words, update, draw: Draw):
    if draw.law == "rademacher":
        return 1 - 2 * _over_draw(law.sign_bits, seed_words, update, draw).astype(jnp.float32)
    return normal_from_bits(random_bits(seed_words, update, draw))


def sample_alone(seed_words, update, draw: Draw):
    return _compiled(draw)(seed_words, update)


@lru_cache(maxsize=64)
def _compiled(draw: Draw):
    return jax.jit(lambda seed_words, update: sample(seed_words, update, draw))


def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    if draw.flat:
        pieces = _pieces(seed_words, update, draw, scale)
    else:
        pieces = [sample(seed_words, update, draw).astype(scale.dtype)]
    for number, (variable, piece) in enumerate(zip(variables, pieces, strict=True)):
        noise = law.increment(scale, preconditioner.of(number), piece, _ops)
        optimizer.assign_add(variable, noise.astype(variable.dtype))


def _pieces(seed_words, update, draw: Draw, scale):
    """Of a pool, each variable's numbers.

    XLA would compute the whole pool anew in the loop of each variable, and compile each of these loops. What a
    conditional returns it leaves alone (an optimization barrier it does not, on a CPU), and with starts that it does
    not know the loops of variables of one shape are one. σ = 0 skips the draw besides.
    """
    places, starts = draw.padded(_ROW)  # not to be rebound: JAX may call these functions again

    def drawn(seed_words, update):
        parts = [sample(seed_words, update, Draw((place,), False, draw.law)).reshape(-1) for place in places]
        flat = jnp.concatenate(parts) if parts else jnp.zeros((0,), jnp.float32)
        return flat.astype(scale.dtype), *(jnp.int32(start) for start in starts)

    def skipped(seed_words, update):
        size = sum(math.prod(place.shape) for place in places)
        return jnp.zeros((size,), scale.dtype), *(jnp.int32(0) for _ in starts)

    flat, *unknown_starts = cond(scale != 0, drawn, skipped, seed_words, update)
    return [
        lax.dynamic_slice(flat, (start,), (math.prod(place.shape),)).reshape(place.shape)
        for start, place in zip(unknown_starts, draw.places, strict=True)
    ]


def concatenate(tensors):
    return jnp.concatenate([tensor.reshape(-1) for tensor in tensors])


def reader(variables):
    return lambda: _flat([variable.value for variable in variables])


@jax.jit
def _flat(arrays):
    is_double = any(array.dtype == jnp.float64 for array in arrays)
    return concatenate([array.astype(jnp.float64 if is_double else jnp.float32) for array in arrays])


def is_distributed(optimizer) -> bool:
    return False
