"""The noise on JAX: elementwise code that XLA fuses into whatever uses it."""

import math
from functools import lru_cache, partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw, Place

# A pool is drawn in whole rows. XLA's loop over a flat range counts in 64-bit vectors. If the threads do not divide its
# length, XLA does not vectorize it at all.
_ROW = 2048
# Skips a draw if σ = 0. `vmap` would turn it into a selection that computes both branches, so `stacked.py` replaces it.
cond = lax.cond

# XLA fuses the whole formula into one loop: no library erf⁻¹, no buffer.
_ops = SimpleNamespace(
    constant=np.uint32,
    xor=lambda a, b: a ^ b,
    shift=lambda a, count: a >> (np.uint32(count) if isinstance(count, int) else count),
    multiply=lambda a, factor: a * np.uint32(factor),
    last_bit=lambda a: a & np.uint32(1),
    lowest_five=lambda a: a & np.uint32(31),
    word=lambda value: value if isinstance(value, jax.Array) else np.uint32(value),
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
    return _of_draw(_words, seed_words, update, draw)


def sample(seed_words, update, draw: Draw):
    return _of_draw(_LAWS[draw.law], seed_words, update, draw)


def _of_draw(numbers, seed_words, update, draw: Draw):
    """Computes `numbers(element, first key word, second key word)` for each element."""
    if not draw.flat:
        ((block, offset, shape),) = draw.places
        return _of_variable(numbers, seed_words, update, np.uint32(block), np.uint32(offset), shape)
    return law.over_runs(numbers, _key_of(seed_words, update), draw, _ROW, _ops)


@partial(jax.jit, static_argnums=(0, 5))
def _of_variable(numbers, seed_words, update, block, offset, shape: tuple[int, ...]):
    """Same for one variable. JAX traces it once per shape."""
    return law.over_draw(numbers, _key_of(seed_words, update), Draw((Place(block, offset, shape),), False), _ops)


def _key_of(seed_words, update):
    seed_words = lax.bitcast_convert_type(jnp.asarray(seed_words, jnp.int32), jnp.uint32)
    seed_words, update = (seed_words[0], seed_words[1]), jnp.asarray(update)
    if update.dtype.itemsize > 4:  # with `jax_enable_x64`
        seed_words = law.with_upper(seed_words, (update >> 32).astype(jnp.uint32), _ops)
    return partial(law.key, seed_words, update.astype(jnp.uint32), ops=_ops)


def _words(element, first, second):
    return law.bits(element, first, second, _ops)


def _normals(element, first, second):
    return normal_from_bits(_words(element, first, second))


def _signs(element, first, second):
    return 1 - 2 * law.sign_bits(element, first, second, _ops).astype(jnp.float32)


_LAWS = {"normal": _normals, "rademacher": _signs}


def normal_from_bits(words):
    signed = lax.bitcast_convert_type(words, jnp.int32) >> 8
    return law.inverse_normal((signed.astype(jnp.float32) + 0.5) * np.float32(2**-23), _ops)


def sample_alone(seed_words, update, draw: Draw):
    return _compiled(draw)(seed_words, update)


@lru_cache(maxsize=64)
def _compiled(draw: Draw):
    return jax.jit(lambda seed_words, update: sample(seed_words, update, draw))


def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    """XLA compiles equal loops once. A conditional hides each variable's place from XLA, so that variables of the same
    shape have equal loops."""
    if draw.flat:
        pieces = _pieces(seed_words, update, draw, scale)
    else:
        ((block, offset, shape),) = draw.places
        block, offset = lax.cond(scale != 0, lambda: np.uint32([block, offset]), lambda: np.uint32([0, 0]))
        pieces = [_of_variable(_LAWS[draw.law], seed_words, update, block, offset, shape).astype(scale.dtype)]
    for number, (variable, piece) in enumerate(zip(variables, pieces, strict=True)):
        noise = law.increment(scale, preconditioner.of(number), piece, _ops)
        optimizer.assign_add(variable, noise.astype(variable.dtype))


def _pieces(seed_words, update, draw: Draw, scale):
    """Returns each variable's numbers of a pool.

    Without the conditional, XLA would compile a loop for each variable, and compute the whole pool again in each loop.
    (An optimization barrier does not prevent this on a CPU.) The conditional also skips the draw if σ = 0.
    """
    rows, starts = draw.rows(_ROW)  # do not rebind: JAX may call the functions below again
    blocks, firsts = [block for block, _ in rows], [each for _, each in rows]
    size = sum(draw.shape) + sum(draw.gaps(_ROW))

    def drawn(seed_words, update, *firsts):  # as arguments: `vmap` of a conditional refuses arrays in its branches
        given = zip(blocks, firsts, strict=True)
        flat = law.of_rows(_LAWS[draw.law], _key_of(seed_words, update), given, _ROW, _ops)
        return flat.astype(scale.dtype), *(jnp.int32(start) for start in starts)

    def skipped(seed_words, update, *firsts):
        return jnp.zeros((size,), scale.dtype), *(jnp.int32(0) for _ in starts)

    flat, *unknown_starts = cond(scale != 0, drawn, skipped, seed_words, update, *firsts)
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
