"""The noise on JAX: pure elementwise code, which XLA fuses into whatever uses it."""

import math
from contextlib import contextmanager
from contextvars import ContextVar
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
# Whether steps are traced that `vmap` maps over runs.
_is_mapped = ContextVar("is_mapped", default=False)

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
    places, starts = draw.padded(_ROW)  # the functions below are also called later: neither name may change

    def drawn(seed_words, update):
        parts = [sample(seed_words, update, Draw((place,), False, draw.law)).reshape(-1) for place in places]
        flat = jnp.concatenate(parts) if parts else jnp.zeros((0,), jnp.float32)
        return flat.astype(scale.dtype), *(jnp.int32(start) for start in starts)

    def skipped(seed_words, update):
        size = sum(math.prod(place.shape) for place in places)
        return jnp.zeros((size,), scale.dtype), *(jnp.int32(0) for _ in starts)

    def unless_zero(scale, *arguments):
        return lax.cond(scale != 0, drawn, skipped, *arguments)

    unless_zero = _mappable(unless_zero, drawn, skipped, len(starts)) if _is_mapped.get() else unless_zero
    flat, *unknown_starts = unless_zero(scale, seed_words, update)
    return [
        lax.dynamic_slice(flat, (start,), (math.prod(place.shape),)).reshape(place.shape)
        for start, place in zip(unknown_starts, draw.places, strict=True)
    ]


@contextmanager
def mapped_over_runs():
    """Within it steps are traced of which `vmap` makes steps of many runs. Without it the numbers are the same, and
    take longer: see `_mappable`. (Not always so, because XLA rounds a step that has it otherwise.)"""
    token = _is_mapped.set(True)
    try:
        yield
    finally:
        _is_mapped.reset(token)


def _mappable(unless_zero, drawn, skipped, num_starts: int):
    """`unless_zero` with a rule for `vmap`. Both branches return the numbers, and so many starts, which are those of
    every run.

    `vmap` would turn the conditional into a selection, of which XLA knows what is inside. By this rule it stays a
    conditional: over runs that are trained at once, it draws where one of them has noise.
    """
    unless_zero = jax.custom_batching.custom_vmap(unless_zero)

    @unless_zero.def_vmap
    def mapped(size, is_mapped, scale, *arguments):
        axes = [0 if each else None for each in is_mapped[1:]]
        if not any(is_mapped[1:]):  # runs that differ in scale alone
            arguments, axes = [jnp.stack([each] * size) for each in arguments], [0] * len(arguments)
        branches = [jax.vmap(branch, axes, (0, *[None] * num_starts)) for branch in (drawn, skipped)]
        return lax.cond(jnp.any(scale != 0), *branches, *arguments), (True, *[False] * num_starts)

    return unless_zero


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
