"""The noise on PyTorch: in place, in chunks that stay in the processor's cache; on a GPU in one.

Words are int32: the one 32-bit integer type in which PyTorch multiplies and shifts.
"""

import math
import operator
from functools import lru_cache, wraps
from types import SimpleNamespace

import torch

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw

# Elements drawn at once. On the two-core machine where this was tried from 2¹⁶ to 2²², 2¹⁷ and 2¹⁸ were the quickest.
_CHUNK = 1 << 18

_ops = SimpleNamespace(
    constant=law.signed,
    xor=lambda a, b: a ^ b,
    # `>>` copies the sign, the mask removes the copies
    shift=lambda a, count: (a >> count) & ((1 << (32 - count)) - 1),
    multiply=lambda a, factor: a * law.signed(factor),
    absolute=torch.abs,
    sqrt=torch.sqrt,
    float_bits=lambda x: x.view(torch.int32),
    bits_float=lambda x: x.view(torch.float32),
    to_float=lambda x: x.to(torch.float32),
)

# of Python's integers in [0, 2³²)
_int_ops = SimpleNamespace(
    constant=int, xor=operator.xor, shift=operator.rshift, multiply=lambda a, factor: a * factor % law.WORD
)


def _kept(function):
    """Keeps what a function returned, but not while `torch.compile` traces it, which warns of caches."""
    cached = lru_cache(maxsize=1024)(function)

    @wraps(function)
    def call(*arguments):
        return function(*arguments) if torch.compiler.is_compiling() else cached(*arguments)

    return call


def random_bits(seed_words, update, draw: Draw):
    return _filled(_words, torch.int32, seed_words, update, draw)


def sample(seed_words, update, draw: Draw):
    return _filled(_SAMPLES[draw.law], torch.float32, seed_words, update, draw)


sample_alone = sample


@torch.no_grad()
def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    values = [variable.value for variable in variables]
    spans = _spans(draw, _longest(scale.device))
    if draw.flat or len(spans) == 1:
        z = sample(seed_words, update, draw).to(scale.dtype)
        noise = _increment_(scale, torch.as_tensor(preconditioner.whole()), z)
        pieces = torch.split(noise, [math.prod(place.shape) for place in draw.places]) if draw.flat else [noise]
        pieces = [piece.view(place.shape) for piece, place in zip(pieces, draw.places, strict=True)]
        torch._foreach_add_(values, pieces)
        return
    (value,) = values
    flat = value.view(-1) if value.is_contiguous() else value.flatten()
    for span, *run in _runs(seed_words, update, spans):
        z = _SAMPLES[draw.law](*run).to(scale.dtype)
        _add_increment_(flat[span], scale, torch.as_tensor(preconditioner.of_span(span)), z)
    if not value.is_contiguous():
        value.copy_(flat.view(value.shape))


def _increment_(scale, preconditioner, z):
    """The twin of `law.increment` that writes into z."""
    return z.mul_(torch.sqrt(preconditioner).mul_(scale))


def _add_increment_(weights, scale, preconditioner, z):
    """The twin of `law.increment` that adds it to the weights, in one pass less."""
    if weights.dtype == scale.dtype:
        weights.addcmul_(z, torch.sqrt(preconditioner).mul_(scale))
    else:
        weights.add_(_increment_(scale, preconditioner, z))


def _filled(words, dtype, seed_words, update, draw: Draw):
    seed_words = torch.as_tensor(seed_words)
    spans = _spans(draw, _longest(seed_words.device))
    if len(spans) == 1:
        ((_, *run),) = _runs(seed_words, update, spans)
        return words(*run).view(draw.shape)
    result = torch.empty(math.prod(draw.shape), dtype=dtype, device=seed_words.device)
    for span, *run in _runs(seed_words, update, spans):
        result[span] = words(*run)
    return result.view(draw.shape)


def _longest(device) -> int:
    """Up to how many elements are drawn at once. A compiler, and a GPU, has no use for chunks."""
    return _CHUNK if device.type == "cpu" and not torch.compiler.is_compiling() else law.WORD


def _runs(seed_words, update, spans):
    """Of each span: itself, its key's two words, its first element, its length."""
    seed_words = torch.as_tensor(seed_words)
    update = torch.as_tensor(update, device=seed_words.device).to(torch.int64)
    keys = {}
    for span, block, first in spans:
        if block not in keys:
            keys[block] = _key(seed_words, update, block)
        yield span, *keys[block], first, span.stop - span.start


@_kept
def _spans(draw: Draw, longest: int) -> list[tuple[slice, int, int]]:
    """The pieces of a draw, in row-major order: where it is in the draw, its block, its first element there."""
    if draw.flat or not draw.places[0].leading_axes:
        runs = draw._replace(flat=True).runs
    else:
        (place,) = draw.places
        rows = math.prod(place.shape[: place.leading_axes])
        runs = [(place.block + row, 0, math.prod(place.shape[place.leading_axes :])) for row in range(rows)]
    spans, total = [], 0
    for block, first, length in runs:
        for begin in range(0, length, longest):
            size = min(longest, length - begin)
            spans.append((slice(total, total + size), block, first + begin))
            total += size
    return spans


def _key(seed_words, update, block: int):
    if seed_words.device.type != "cpu" or torch.compiler.is_compiling():
        words = law.with_upper(seed_words, (update.to(torch.int64) >> 32).to(torch.int32), _ops)
        return law.key(words, update.to(torch.int32), law.signed(block), _ops)
    # a hundred operations on two numbers: PyTorch would take most of a millisecond for them
    low, high, number, upper = (word % law.WORD for word in (*seed_words.tolist(), int(update), int(update) >> 32))
    key = law.key(law.with_upper((low, high), upper, _int_ops), number, block, _int_ops)
    return torch.tensor([law.signed(word) for word in key], dtype=torch.int32).unbind()


@_kept
def _numbers(device):
    return torch.arange(_CHUNK, dtype=torch.int32, device=device)


def _words(first, second, begin: int, length: int):
    if length > _CHUNK or torch.compiler.is_compiling():
        numbers = torch.arange(length, dtype=torch.int32, device=first.device)
    else:
        numbers = _numbers(first.device)[:length]
    x = numbers + (first + law.signed(begin % law.WORD))
    shifted = torch.empty_like(x)
    _xor_shift(x, 16, shifted).mul_(law.signed(law.FIRST))
    _xor_shift(x, 15, shifted).bitwise_xor_(second)
    _xor_shift(x, 16, shifted).mul_(law.signed(law.FIRST))
    _xor_shift(x, 15, shifted).mul_(law.signed(law.SECOND))
    return _xor_shift(x, 16, shifted)


def _signs(first, second, begin: int, length: int):
    """±1, of which a word gives 32."""
    group = begin >> 5
    words = _words(first, second, group, ((begin + length - 1) >> 5) - group + 1)
    signs = (words[:, None] >> _bit_numbers(first.device)).bitwise_and_(1).to(torch.float32)
    return signs.reshape(-1)[begin & 31 :][:length].mul_(-2.0).add_(1.0)


@_kept
def _bit_numbers(device):
    return torch.arange(32, dtype=torch.int32, device=device)


def _normals(first, second, begin: int, length: int):
    return normal_from_bits(_words(first, second, begin, length))


_SAMPLES = {"normal": _normals, "rademacher": _signs}


def _xor_shift(x, count: int, shifted):
    torch.bitwise_right_shift(x, count, out=shifted)
    return x.bitwise_xor_(shifted.bitwise_and_((1 << (32 - count)) - 1))


def normal_from_bits(words):
    uniform = torch.add(words >> 8, 0.5).mul_(2.0**-23)
    if torch.compiler.is_compiling():
        return law.inverse_normal(uniform, _ops)
    # one pass, not thirty; PyTorch's own erf⁻¹ is right to the end of the range
    return torch.erfinv(uniform, out=uniform).mul_(math.sqrt(2.0))


def concatenate(tensors):
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def reader(variables):
    return lambda: _flat(variables)


@torch.no_grad()
def _flat(variables):
    tensors = [variable.value for variable in variables]
    is_double = any(tensor.dtype == torch.float64 for tensor in tensors)
    return concatenate([tensor.to(torch.float64 if is_double else torch.float32) for tensor in tensors]).cpu()


def is_distributed(optimizer) -> bool:
    return False
