"""The noise on PyTorch: in place, in chunks that stay in the processor's cache.

On a GPU it is one Triton kernel (`on_triton`) or, without Triton, the operations here on the whole draw. Words are
int32, the only 32-bit integer type that PyTorch multiplies and shifts.
"""

import math
import operator
import warnings
from functools import lru_cache, wraps
from types import SimpleNamespace

import torch

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw, Place

# Elements per chunk. Of 2¹⁶ to 2²², 2¹⁷ and 2¹⁸ were the fastest on a two-core machine.
_CHUNK = 1 << 18

_ops = SimpleNamespace(
    constant=law.signed,
    xor=lambda a, b: a ^ b,
    # `>>` copies the sign; the mask clears the copies
    shift=lambda a, count: (a >> count) & ((1 << (32 - count)) - 1),
    multiply=lambda a, factor: a * law.signed(factor),
    absolute=torch.abs,
    sqrt=torch.sqrt,
    float_bits=lambda x: x.view(torch.int32),
    bits_float=lambda x: x.view(torch.float32),
    to_float=lambda x: x.to(torch.float32),
)

# for Python's integers in [0, 2³²)
_int_ops = SimpleNamespace(
    constant=int, xor=operator.xor, shift=operator.rshift, multiply=lambda a, factor: a * factor % law.WORD
)


def _kept(function):
    """Caches what a function returns, except under `torch.compile`, which warns about caches."""
    cached = lru_cache(maxsize=1024)(function)

    @wraps(function)
    def call(*arguments):
        return function(*arguments) if torch.compiler.is_compiling() else cached(*arguments)

    return call


@_kept
def _pieces(draw: Draw, longest: int, device) -> list[tuple[slice, int, int, int | torch.Tensor]]:
    """Splits a draw into pieces: (slice of the draw, block, first element in the block, number of elements).

    For a pool of many runs in one block, the last two are 0 and the elements' numbers."""
    spans = draw.spans(longest)
    blocks = {block for _, block, _ in spans}
    if not draw.flat or len(spans) == 1 or len(blocks) != 1 or torch.compiler.is_compiling():
        return [(span, block, first, span.stop - span.start) for span, block, first in spans]
    numbers = torch.cat([torch.arange(first, first + length, device=device) for _, first, length in draw.runs])
    each = numbers.to(torch.int32).split(min(longest, len(numbers)))
    (block,) = blocks
    return [(slice(i * longest, i * longest + len(own)), block, 0, own) for i, own in enumerate(each)]


def _kernels(seed_words, values=()):
    """Returns `on_triton` on a GPU, if it works there and all tensors are contiguous. Otherwise returns `None`.
    `torch.compile` makes its own kernel from the operations here."""
    device = seed_words.device
    if device.type != "cuda" or torch.compiler.is_compiling():
        return None
    return _on_triton(device) if all(each.is_contiguous() and each.device == device for each in values) else None


@lru_cache
def _on_triton(device):
    """Returns `on_triton` if it works. PyTorch installs Triton on Linux, but Triton needs a C compiler."""
    try:
        from keras_langevin.optimizers.noise import on_triton

        seed_words = torch.zeros(2, dtype=torch.int32, device=device)
        on_triton.filled("bits", torch.int32, seed_words, seed_words[0], Draw((Place(0, 0, (1,)),), flat=False))
    except ImportError:
        return None
    except Exception as error:  # of many classes, including those of compilers
        what = (str(error).strip().splitlines() or [""])[0]
        warnings.warn(
            f"Triton should compile the noise for {device}. Received {type(error).__name__}: {what}. PyTorch's own "
            "operations draw it instead, which is slower. Install a C compiler, or another release of Triton.",
            stacklevel=2,
        )
        return None
    return on_triton


def random_bits(seed_words, update, draw: Draw):
    return _filled("bits", torch.int32, seed_words, update, draw)


def sample(seed_words, update, draw: Draw):
    return _filled(draw.law, torch.float32, seed_words, update, draw)


sample_alone = sample


@torch.no_grad()
def add_noise(optimizer, variables, draw: Draw, seed_words, update, scale, preconditioner):
    values = [variable.value for variable in variables]
    if kernels := _kernels(seed_words, values):
        kernels.add_noise(values, draw, seed_words, update, scale, torch.as_tensor(preconditioner.whole()))
        return
    if draw.flat or len(pieces := _pieces(draw, _longest(scale.device), scale.device)) == 1:
        z = sample(seed_words, update, draw).to(scale.dtype)
        noise = _increment_(scale, torch.as_tensor(preconditioner.whole()), z)
        of_each = torch.split(noise, [math.prod(place.shape) for place in draw.places]) if draw.flat else [noise]
        of_each = [own.view(place.shape) for own, place in zip(of_each, draw.places, strict=True)]
        torch._foreach_add_(values, of_each)
        return
    (value,) = values
    flat = value.view(-1) if value.is_contiguous() else value.flatten()
    for span, *run in _runs(seed_words, update, pieces):
        z = _NUMBERS[draw.law](*run).to(scale.dtype)
        _add_increment_(flat[span], scale, torch.as_tensor(preconditioner.of_span(span)), z)
    if not value.is_contiguous():
        value.copy_(flat.view(value.shape))


def _increment_(scale, preconditioner, z):
    """A twin of `law.increment` that overwrites z."""
    return z.mul_(torch.sqrt(preconditioner).mul_(scale))


def _add_increment_(weights, scale, preconditioner, z):
    """A twin of `law.increment` that adds the result to the weights, which saves a pass."""
    if weights.dtype == scale.dtype:
        weights.addcmul_(z, torch.sqrt(preconditioner).mul_(scale))
    else:
        weights.add_(_increment_(scale, preconditioner, z))


def _filled(law_or_bits: str, dtype, seed_words, update, draw: Draw):
    seed_words = torch.as_tensor(seed_words)
    update = torch.as_tensor(update, device=seed_words.device)
    if kernels := _kernels(seed_words):
        return kernels.filled(law_or_bits, dtype, seed_words, update, draw)
    numbers = _NUMBERS[law_or_bits]
    pieces = _pieces(draw, _longest(seed_words.device), seed_words.device)
    if len(pieces) == 1:
        ((_, *run),) = _runs(seed_words, update, pieces)
        return numbers(*run).view(draw.shape)
    result = torch.empty(math.prod(draw.shape), dtype=dtype, device=seed_words.device)
    for span, *run in _runs(seed_words, update, pieces):
        result[span] = numbers(*run)
    return result.view(draw.shape)


def _longest(device) -> int:
    """Returns the maximum number of elements to draw at once. Compiled code and GPUs do not need chunks."""
    return _CHUNK if device.type == "cpu" and not torch.compiler.is_compiling() else law.WORD


def _runs(seed_words, update, pieces):
    """Yields (slice, the key's two words, first element, length or elements' numbers) for each piece."""
    keys = {}
    for span, block, *which in pieces:
        if block not in keys:
            keys[block] = _key(seed_words, update, block)
        yield span, *keys[block], *which


def _key(seed_words, update, block: int):
    if seed_words.device.type != "cpu" or torch.compiler.is_compiling():
        words = law.with_upper(seed_words, (update.to(torch.int64) >> 32).to(torch.int32), _ops)
        return law.key(words, update.to(torch.int32), law.signed(block), _ops)
    # In Python: PyTorch would take most of a millisecond for a hundred operations on two numbers.
    low, high, number, upper = (word % law.WORD for word in (*seed_words.tolist(), int(update), int(update) >> 32))
    key = law.key(law.with_upper((low, high), upper, _int_ops), number, block, _int_ops)
    return torch.tensor([law.signed(word) for word in key], dtype=torch.int32).unbind()


@_kept
def _numbers(device):
    return torch.arange(_CHUNK, dtype=torch.int32, device=device)


def _words(first, second, begin: int, length: int | torch.Tensor):
    if isinstance(length, torch.Tensor):
        numbers = length
    elif length > _CHUNK or torch.compiler.is_compiling():
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


def _signs(first, second, begin: int, length: int | torch.Tensor):
    """Returns ±1 for each element. A word gives 32 of them."""
    if isinstance(length, torch.Tensor):
        words = _words(first, second, 0, _ops.shift(length, 5))
        return (words >> (length & 31)).bitwise_and_(1).to(torch.float32).mul_(-2.0).add_(1.0)
    group = begin >> 5
    words = _words(first, second, group, ((begin + length - 1) >> 5) - group + 1)
    signs = (words[:, None] >> _bit_numbers(first.device)).bitwise_and_(1).to(torch.float32)
    return signs.reshape(-1)[begin & 31 :][:length].mul_(-2.0).add_(1.0)


@_kept
def _bit_numbers(device):
    return torch.arange(32, dtype=torch.int32, device=device)


def _normals(first, second, begin: int, length: int | torch.Tensor):
    return _as_normals(_words(first, second, begin, length))


_NUMBERS = {"bits": _words, "normal": _normals, "rademacher": _signs}


def _xor_shift(x, count: int, shifted):
    torch.bitwise_right_shift(x, count, out=shifted)
    return x.bitwise_xor_(shifted.bitwise_and_((1 << (32 - count)) - 1))


def normal_from_bits(words):
    return _as_normals(words.clone())


def _as_normals(words):
    """Overwrites the words with normal numbers: new memory would cost as much as the conversion."""
    if torch.compiler.is_compiling():
        return law.inverse_normal(torch.add(words >> 8, 0.5).mul_(2.0**-23), _ops)
    words.bitwise_right_shift_(8)
    uniform = words.view(torch.float32).copy_(words).mul_(2.0**-23).add_(2.0**-24)
    # one pass instead of thirty; PyTorch's erf⁻¹ is accurate to the end of the range
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
