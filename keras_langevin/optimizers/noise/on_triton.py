"""The noise on PyTorch on a GPU: one Triton kernel, from (seed, update, element) to the weights.

The kernel reads its inputs (seed, update, σ√γ, P) from the device. It also reads a table with a row for each span of
consecutive elements (`Draw.spans`), so one launch serves all variables of a pool. Nothing is read back. The integers
and the law repeat those of `law`, because Triton compiles only its own functions.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import torch
import triton
import triton.language as tl

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.places import Draw

_SIZE = 1024  # elements per program of a kernel
_COLUMNS = tl.constexpr(5)  # of a table: block, first element, length, place in the draw, address of the weights
_OPTIONS = {"enable_fp_fusion": True}  # the default differs between Triton's releases
_DTYPES = {getattr(torch, name): getattr(tl, name) for name in ("float16", "bfloat16", "float32", "float64")}

_FIRST, _SECOND = tl.constexpr(law.FIRST), tl.constexpr(law.SECOND)
_KEY_START, _OTHER_START = (tl.constexpr(start) for start in law.KEY_STARTS)
_LOGARITHM, _INVERSE = tl.constexpr(law.LOGARITHM), tl.constexpr(law.INVERSE)
_LOGARITHM_DEGREE, _INVERSE_DEGREE = (tl.constexpr(len(each) - 1) for each in (law.LOGARITHM, law.INVERSE))
_SQRT_HALF_BITS, _LOG_2 = tl.constexpr(law.SQRT_HALF_BITS), tl.constexpr(math.log(2))


def filled(law_or_bits: str, dtype, seed_words, update, draw: Draw):
    """`noise.random_bits` if the first argument is `"bits"`, otherwise `noise.sample`."""
    result = torch.empty(draw.shape, dtype=dtype, device=seed_words.device)
    for spans in _spans(draw, ((0, dtype),) * len(draw.places), seed_words.device):
        with torch.cuda.device_of(seed_words):
            arguments = spans.table, spans.programs, seed_words, update, result
            _fill[spans.grid](*arguments, law_or_bits, _SIZE, **_OPTIONS)
    return result


def add_noise(values, draw: Draw, seed_words, update, scale, preconditioner):
    """`noise.add_noise` for contiguous tensors and P as a tensor."""
    is_number = preconditioner.numel() == 1
    if not is_number:
        preconditioner = preconditioner.expand(draw.shape).reshape(-1)
    targets = tuple((value.data_ptr(), value.dtype) for value in values)
    for spans in _spans(draw, targets, seed_words.device):
        with torch.cuda.device_of(seed_words):
            arguments = spans.table, spans.programs, seed_words, update, scale, preconditioner
            _add[spans.grid](*arguments, is_number, _DTYPES[spans.dtype], draw.law, _SIZE, **_OPTIONS)


class _Spans(NamedTuple):
    """The spans of a draw that one launch works on.

    Attributes:
        dtype: of the weights.
        table: int64 tensor of shape `(number of spans, _COLUMNS)`.
        programs: int, how many programs each span has.
    """

    dtype: torch.dtype
    table: torch.Tensor
    programs: int

    @property
    def grid(self) -> tuple[int]:
        return (len(self.table) * self.programs,)


@lru_cache(maxsize=256)
def _spans(draw: Draw, targets: tuple[tuple[int, torch.dtype], ...], device) -> list[_Spans]:
    """Returns the launches of a draw, one per dtype of its variables. Cached until their memory moves."""
    rows: dict[torch.dtype, list[tuple[int, ...]]] = {}
    begin = 0
    for place, (address, dtype) in zip(draw.places, targets, strict=True):
        for span, block, first in Draw((place,), flat=False).spans(law.WORD):
            row = block, first, span.stop - span.start, begin + span.start, address + span.start * dtype.itemsize
            rows.setdefault(dtype, []).append(row)
        begin += math.prod(place.shape)
    return [
        _Spans(dtype, torch.tensor(own, device=device), triton.cdiv(max(row[2] for row in own), _SIZE))
        for dtype, own in rows.items()
    ]


@triton.jit(do_not_specialize=["programs"])
def _add(
    table,
    programs,
    seed,
    update,
    scale,
    preconditioner,
    IS_NUMBER: tl.constexpr,
    DTYPE: tl.constexpr,
    LAW: tl.constexpr,
    SIZE: tl.constexpr,
):
    """A twin of `law.increment` that adds the result to the weights."""
    row, begin, inside, z = _drawn(table, programs, seed, update, LAW, SIZE)
    scale = tl.load(scale)
    if IS_NUMBER:
        factor = tl.sqrt(tl.load(preconditioner))
    else:
        factor = tl.sqrt(tl.load(preconditioner + tl.load(row + 3) + begin + tl.arange(0, SIZE), inside, 0.0))
    weights = tl.load(row + 4).to(tl.pointer_type(DTYPE)) + begin + tl.arange(0, SIZE)
    values = tl.load(weights, inside, 0.0).to(scale.dtype) + factor * scale * z.to(scale.dtype)
    tl.store(weights, values.to(DTYPE), inside)


@triton.jit(do_not_specialize=["programs"])
def _fill(table, programs, seed, update, result, LAW: tl.constexpr, SIZE: tl.constexpr):
    row, begin, inside, numbers = _drawn(table, programs, seed, update, LAW, SIZE)
    tl.store(result + tl.load(row + 3) + begin + tl.arange(0, SIZE), numbers, inside)


@triton.jit
def _drawn(table, programs, seed, update, LAW: tl.constexpr, SIZE: tl.constexpr):
    """Returns the row of this program's span, its first element there, which elements are in the span, the numbers."""
    program = tl.program_id(0)
    row = table + program // programs * _COLUMNS
    begin = (program % programs).to(tl.int64) * SIZE
    inside = tl.arange(0, SIZE) < tl.minimum(tl.load(row + 2) - begin, SIZE).to(tl.int32)
    first, second = _key(seed, update, tl.load(row).to(tl.uint32))
    element = (tl.load(row + 1) + begin).to(tl.uint32) + tl.arange(0, SIZE).to(tl.uint32)
    if LAW == "rademacher":
        word = _bits(element >> 5, first, second)
        numbers = 1.0 - 2.0 * ((word >> (element & 31)) & 1).to(tl.float32)
    elif LAW == "normal":
        signed = _bits(element, first, second).to(tl.int32, bitcast=True) >> 8
        numbers = _inverse_normal((signed.to(tl.float32) + 0.5) * 1.1920928955078125e-07)
    else:
        numbers = _bits(element, first, second).to(tl.int32, bitcast=True)
    return row, begin, inside, numbers


# Twins of the functions with these names in `law`.


@triton.jit
def _mix(x):
    x = (x ^ (x >> 16)) * _FIRST
    x = (x ^ (x >> 15)) * _SECOND
    return x ^ (x >> 16)


@triton.jit
def _absorb(first, second, word):
    first = _mix(first ^ word)
    return first, _mix(second ^ first)


@triton.jit
def _key(seed, update, block):
    number = tl.load(update).to(tl.int64)
    low, high = tl.load(seed).to(tl.uint32, bitcast=True), tl.load(seed + 1).to(tl.uint32, bitcast=True)
    first, second = _absorb(_KEY_START, _OTHER_START, low)
    first, second = _absorb(first, second, high ^ _mix((number >> 32).to(tl.uint32)))  # `with_upper`
    first, second = _absorb(first, second, number.to(tl.uint32))
    return _absorb(first, second, block)


@triton.jit
def _bits(element, first, second):
    x = element + first
    x = (x ^ (x >> 16)) * _FIRST
    return _mix(x ^ (x >> 15) ^ second)


@triton.jit
def _inverse_normal(uniform):
    a = 1 - tl.abs(uniform)
    x = a * (2 - a)
    word = x.to(tl.int32, bitcast=True)
    exponent = (word - _SQRT_HALF_BITS) >> 23
    r = (word - (exponent << 23)).to(tl.float32, bitcast=True) - 1
    logarithm = exponent.to(tl.float32) * _LOG_2 + r * _polynomial(_LOGARITHM, _LOGARITHM_DEGREE, r)
    return uniform * _polynomial(_INVERSE, _INVERSE_DEGREE, tl.sqrt(3.5 - logarithm) - 2)


@triton.jit
def _polynomial(coefficients: tl.constexpr, degree: tl.constexpr, x):
    value = x * coefficients[degree] + coefficients[degree - 1]
    for i in tl.static_range(2, degree + 1):
        value = value * x + coefficients[degree - i]
    return value
