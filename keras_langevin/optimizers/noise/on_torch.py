"""The noise on PyTorch: in place, in blocks that stay in the processor's cache; on a GPU in one block.

Words are int32: the one 32-bit integer type in which PyTorch multiplies and shifts.
"""

import math
from functools import lru_cache
from types import SimpleNamespace

import torch

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw

_BLOCK = 1 << 17  # elements: half a MiB for each of the two buffers

_ops = SimpleNamespace(
    constant=law.signed,
    xor=lambda a, b: a ^ b,
    # `>>` copies the sign, the mask removes the copies
    shift=lambda a, count: (a >> count) & ((1 << (32 - count)) - 1),
    multiply=lambda a, factor: a * law.signed(factor),
)


def random_bits(seed_words, update, draw: Draw):
    return torch.cat([*_blocks(seed_words, update, draw)] or [torch.zeros(0, dtype=torch.int32)]).reshape(draw.shape)


def standard_normal(seed_words, update, draw: Draw):
    parts = [normal_from_bits(words) for words in _blocks(seed_words, update, draw)]
    return torch.cat(parts or [torch.zeros(0)]).reshape(draw.shape)


@torch.no_grad()
def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    factor = torch.as_tensor(preconditioner())
    noise = standard_normal(seed_words, update, draw).to(factor.dtype).mul_(torch.sqrt(factor).mul_(scale))
    if draw.flat:
        pieces = torch.split(noise, [math.prod(place.shape) for place in draw.places])
        pieces = [piece.view(place.shape) for piece, place in zip(pieces, draw.places, strict=True)]
    else:
        pieces = [noise]
    torch._foreach_add_([variable.value for variable in variables], pieces)


def _blocks(seed_words, update, draw: Draw):
    """The words of the draw, row-major, in blocks."""
    seed_words = torch.as_tensor(seed_words)
    update = torch.as_tensor(update, device=seed_words.device).to(torch.int32)
    keys = {}
    for block, start, length in _runs(draw):
        if block not in keys:
            keys[block] = _key(seed_words, update, block)
        yield from _run(*keys[block], start, length)


@lru_cache(maxsize=1024)
def _runs(draw: Draw):
    if draw.flat or not draw.places[0].leading_axes:
        return draw._replace(flat=True).runs
    (place,) = draw.places
    rows = math.prod(place.shape[: place.leading_axes])
    size = math.prod(place.shape[place.leading_axes :])
    return [(place.block + row, 0, size) for row in range(rows)]


def _key(seed_words, update, block: int):
    # both words of the key at once: half as many kernels to launch
    state = torch.tensor([law.signed(start) for start in law.KEY_STARTS], dtype=torch.int32, device=seed_words.device)
    for word in (seed_words[0], seed_words[1], update, law.signed(block)):
        state = law.mix(state ^ word, _ops)
    return state[0], state[1]


def _run(first, second, start: int, length: int):
    step = _BLOCK if first.device.type == "cpu" else length
    for begin in range(start, start + length, step):
        size = min(step, start + length - begin)
        x = torch.arange(size, dtype=torch.int32, device=first.device).add_(first + law.signed(begin % law.WORD))
        shifted = torch.empty_like(x)
        _xor_shift(x, 16, shifted).mul_(law.signed(law.FIRST))
        _xor_shift(x, 15, shifted).bitwise_xor_(second)
        _xor_shift(x, 16, shifted).mul_(law.signed(law.FIRST))
        _xor_shift(x, 15, shifted).mul_(law.signed(law.SECOND))
        yield _xor_shift(x, 16, shifted)


def _xor_shift(x, count: int, shifted):
    torch.bitwise_right_shift(x, count, out=shifted)
    return x.bitwise_xor_(shifted.bitwise_and_((1 << (32 - count)) - 1))


def normal_from_bits(words):
    # PyTorch's own erf⁻¹ is quick and right to the end of the range
    return torch.erfinv((words >> 8).to(torch.float32).add_(0.5).mul_(2.0**-23)).mul_(math.sqrt(2.0))


def concatenate(tensors):
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def is_distributed(optimizer) -> bool:
    return False
