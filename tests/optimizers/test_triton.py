"""The noise as one Triton kernel: without a GPU in Triton's interpreter, and compiled for GPUs that are not present."""

import json
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy import special

from keras_langevin import LAdam
from keras_langevin.optimizers import draws, noise
from keras_langevin.optimizers.noise import Draw, Place, places
from tests.optimizers.cases import BACKEND, CASES, all_of
from tests.optimizers.test_noise import mix, one, reference_bits, reference_signs

if BACKEND != "torch":
    pytest.skip("tests the noise on PyTorch", allow_module_level=True)
pytest.importorskip("triton", reason='pip install -e ".[triton]" (on Linux)')

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"

from keras_langevin.optimizers.noise import on_torch, on_triton  # noqa: E402

SIZE = on_triton._SIZE
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


def of_seed(seed, update):
    words = torch.as_tensor(noise.split_seed(seed), device=DEVICE)
    return words, torch.tensor(update, dtype=torch.int64, device=DEVICE)


def bits(seed, update, draw):
    found = on_triton.filled("bits", torch.int32, *of_seed(seed, update), draw)
    return found.cpu().numpy().view("uint32")


def sample(seed, update, draw):
    return on_triton.filled(draw.law, torch.float32, *of_seed(seed, update), draw).cpu().numpy()


class GivenFactor:
    """Given values of P, with the interface of `draws.Preconditioner`."""

    def __init__(self, factor):
        self.factor = factor

    def whole(self):
        return self.factor

    def of_span(self, span):
        return self.factor.reshape(-1)[span] if self.factor.ndim else self.factor


# --- integers and laws ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE - 1])
@pytest.mark.parametrize(
    ("seed", "update", "block", "offset"),
    [(0, 0, 0, 0), (1, 2, 3, 4), (2**64 - 1, 2**31 - 1, 2**31, 2**31 - 500), (5, 6, 2**32 - 1, 2**32 - 4 * SIZE)],
)
def test_bits_equal_the_numpy_reference(size, seed, update, block, offset):
    """Also if an element's number exceeds int32, and at the end of a block."""
    expected = reference_bits(seed, update, block, offset + np.arange(size))
    np.testing.assert_array_equal(bits(seed, update, one((size,), block, offset)), expected)


@pytest.mark.parametrize("upper", [1, 2**31 - 1])
def test_bits_after_two_to_the_32_updates(upper):
    expected = reference_bits(7 + 2**32 * int(mix(upper)), 3, 0, range(64))
    np.testing.assert_array_equal(bits(7, upper * 2**32 + 3, one((8, 8))), expected.reshape(8, 8))


def test_a_pool_holds_the_words_of_its_variables():
    """Variables get the words of a single draw, neighbours or not, in one or several blocks, around program edges."""
    a, b, c, d = noise.places_of([(2, 3), (SIZE + 1,), (5, 1), (2, SIZE)])
    far = Place(9, 2**32 - 4, (4,))
    for chosen in ((a, b, c, d), (a, c), (b, far, d), (Place(0, 0, (0,)), b), ()):
        expected = [
            reference_bits(3, 1, place.block, place.offset + np.arange(math.prod(place.shape))) for place in chosen
        ]
        together = bits(3, 1, Draw(chosen, flat=True))
        np.testing.assert_array_equal(together, np.concatenate([*expected, np.zeros(0, "uint32")]))


def test_a_variable_larger_than_a_block_has_a_block_for_each_row(monkeypatch):
    monkeypatch.setattr(places, "BLOCK", 8)
    (_, place) = noise.places_of([(7,), (5, 2, 3)])
    expected = [reference_bits(0, 0, block, np.arange(6)) for block in range(1, 6)]
    np.testing.assert_array_equal(bits(0, 0, Draw((place,), flat=False)), np.reshape(expected, (5, 2, 3)))


def test_normals_are_the_inverse_of_the_normal_law():
    draw = one((40, SIZE), 5, 2**31 - 3)
    words = reference_bits(2**40 + 1, 2, 5, 2**31 - 3 + np.arange(40 * SIZE)).view("int32").reshape(40, SIZE)
    z = sample(2**40 + 1, 2, draw)
    np.testing.assert_allclose(z, np.sqrt(2) * special.erfinv(((words >> 8) + 0.5) / 2**23), rtol=2e-6)
    np.testing.assert_allclose(z, on_torch.sample(*of_seed(2**40 + 1, 2), draw).cpu(), rtol=3e-6)


def test_normals_of_extreme_words(monkeypatch):
    """Short draws do not contain the words at the ends of the range and around 0."""
    triton, tl = on_triton.triton, on_triton.tl
    inverse = on_triton._inverse_normal

    @triton.jit
    def kernel(uniform, z, COUNT: tl.constexpr):
        places = tl.arange(0, COUNT)
        tl.store(z + places, inverse(tl.load(uniform + places)))

    monkeypatch.setitem(kernel.fn.__globals__, "tl", tl)
    monkeypatch.setitem(kernel.fn.__globals__, "inverse", inverse)
    words = np.array([2**31 - 1, -(2**31), 0, -1, 2**31 - 1 - 2**8, -(2**31) + 2**8, 2**8, 2**30], "int64")
    uniform = ((words >> 8) + 0.5) / 2**23
    of_device = torch.as_tensor(uniform, dtype=torch.float32, device=DEVICE)
    z = torch.empty_like(of_device)
    kernel[(1,)](of_device, z, len(words))
    np.testing.assert_allclose(z.cpu(), np.sqrt(2) * special.erfinv(uniform), rtol=2e-6)


@pytest.mark.parametrize("offset", [0, 5, 31, 2**31 - 7, 2**32 - 2 * SIZE])
def test_signs_equal_the_numpy_reference(offset):
    expected = reference_signs(2**40 + 1, 2, 3, offset + np.arange(SIZE + 70))
    draw = one((SIZE + 70,), 3, offset)._replace(law="rademacher")
    np.testing.assert_array_equal(sample(2**40 + 1, 2, draw), expected)


# --- what is added ----------------------------------------------------------------------------------------------------


def added(path, dtypes, draw, factor, scale):
    """Returns the weights after the noise."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(place.shape, generator=generator) for place in draw.places]
    values = [each.to(dtype).to(DEVICE) for each, dtype in zip(weights, dtypes, strict=True)]
    if path is on_triton:
        on_triton.add_noise(values, draw, *of_seed(3, 4), scale, factor)
    else:
        variables = [SimpleNamespace(value=value) for value in values]
        on_torch.add_noise(None, variables, draw, *of_seed(3, 4), scale, GivenFactor(factor))
    return [value.cpu().double().numpy() for value in values]


@pytest.mark.parametrize("law", noise.LAWS)
@pytest.mark.parametrize("factor", ["number", "of each"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shapes", [[(3, SIZE)], [(2, 3), (), (0,), (SIZE + 1,), (7,)]], ids=["large", "pool"])
def test_what_is_added_is_what_operations_add(monkeypatch, shapes, dtype, factor, law):
    monkeypatch.setattr(on_torch, "_on_triton", lambda device: None)  # also on a GPU
    draw = Draw(tuple(noise.places_of(shapes)), len(shapes) > 1, law)
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    size = draw.shape if factor == "of each" else ()
    factor = torch.rand(size, dtype=precision, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    scale = torch.tensor(0.3, dtype=precision, device=DEVICE)
    found, expected = (added(path, [dtype] * len(shapes), draw, factor, scale) for path in (on_triton, on_torch))
    for mine, other in zip(found, expected, strict=True):
        # one unit in the last place of the stored number, in addition to the error of the law
        np.testing.assert_allclose(mine, other, rtol=torch.finfo(dtype).eps, atol=3e-6)


def test_a_pool_may_have_variables_of_several_dtypes():
    draw = Draw(tuple(noise.places_of([(5,), (3, 4), (6,), (2,)])), flat=True)
    dtypes = [torch.float32, torch.bfloat16, torch.float32, torch.float16]
    factor, scale = torch.rand(draw.shape, device=DEVICE), torch.tensor(0.3, device=DEVICE)
    found, expected = (added(path, dtypes, draw, factor, scale) for path in (on_triton, on_torch))
    for mine, other, dtype in zip(found, expected, dtypes, strict=True):
        np.testing.assert_allclose(mine, other, rtol=torch.finfo(dtype).eps, atol=3e-6)


@pytest.mark.parametrize("case", all_of(CASES))
def test_every_optimizer_takes_the_step_that_it_takes_without_triton(monkeypatch, case):
    """Two updates of a pool, of a large variable, and with a closed gate for the last layer."""
    monkeypatch.setattr(draws, "_SMALL", 100)
    ends = []
    for kernels in (None, on_triton):
        monkeypatch.setattr(on_torch, "_kernels", lambda *_, kernels=kernels: kernels)
        generator, variables = np.random.default_rng(0), []
        for layer, shapes in enumerate([[(3, 4), (4,)], [(20, 60), (60,)], [(2, 2)]]):
            with keras.name_scope(f"layer_{layer}"):
                variables += [keras.Variable(generator.normal(size=shape), dtype="float32") for shape in shapes]
        optimizer = case.make(sigma=0.1, seed=1, layers=2)
        gradients = [generator.normal(size=variable.shape).astype("float32") for variable in variables]
        for _ in range(2):
            optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients], variables)
        ends.append([keras.ops.convert_to_numpy(variable) for variable in variables])
    for mine, other in zip(*ends, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


# --- which way is taken, and what it costs ----------------------------------------------------------------------------


class Recorder:
    """Stands in for a kernel and keeps the grids that it is started on."""

    def __init__(self):
        self.grids = []

    def __getitem__(self, grid):
        self.grids.append(grid)
        return lambda *arguments, **options: None


@pytest.mark.parametrize("law", noise.LAWS)
def test_to_start_the_kernels_nothing_is_read_from_the_device(monkeypatch, law):
    """Runs on PyTorch's meta device, from which no number can be read. Later steps copy nothing to it either."""
    kernels = {name: Recorder() for name in ("_add", "_fill")}
    for name, kernel in kernels.items():
        monkeypatch.setattr(on_triton, name, kernel)
    weights = [torch.zeros(shape, device="meta") for shape in [(2, 3), (SIZE + 1,)]]
    draw = Draw(tuple(noise.places_of([tuple(each.shape) for each in weights])), flat=True, law=law)
    seed_words = torch.zeros(2, dtype=torch.int32, device="meta")
    update, scale = torch.zeros((), dtype=torch.int64, device="meta"), torch.zeros((), device="meta")
    for step in range(3):
        on_triton.add_noise(weights, draw, seed_words, update, scale, torch.zeros(draw.shape, device="meta"))
        assert on_triton.filled(law, torch.float32, seed_words, update, draw).device.type == "meta"
        if step == 0:
            monkeypatch.setattr(torch, "tensor", None)
    assert kernels["_add"].grids == kernels["_fill"].grids == [(4,)] * 3


def on_a_gpu(**others):
    return SimpleNamespace(device=torch.device("cuda"), is_contiguous=lambda: True, **others)


def test_the_kernel_is_taken_on_a_gpu_alone(monkeypatch):
    monkeypatch.setattr(on_torch, "_on_triton", lambda device: on_triton)
    here = on_a_gpu()
    assert on_torch._kernels(here, [here]) is on_triton
    assert on_torch._kernels(torch.zeros(2)) is None
    assert on_torch._kernels(here, [here, SimpleNamespace(device=here.device, is_contiguous=lambda: False)]) is None
    assert on_torch._kernels(here, [torch.zeros(2)]) is None
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert on_torch._kernels(here, [here]) is None


def test_without_triton_and_without_a_compiler_operations_are_used(monkeypatch):
    def fails(*_):
        raise RuntimeError("Failed to find C compiler\nMore.")

    choose = on_torch._on_triton.__wrapped__
    assert choose(torch.device(DEVICE)) is on_triton
    monkeypatch.setattr(on_triton, "filled", fails)
    with pytest.warns(UserWarning, match=r"Received RuntimeError: Failed to find C compiler\. .*Install"):
        assert choose(torch.device(DEVICE)) is None
    monkeypatch.delattr(noise, "on_triton")
    monkeypatch.setitem(sys.modules, on_triton.__name__, None)
    assert choose(torch.device(DEVICE)) is None


def test_the_kernels_compile_for_gpus_that_are_not_here():
    """Compiles to machine code for A100 and H100: a compiler may refuse what the interpreter accepts. An update on the
    CPU, which needs no Triton, comes first."""
    code = """
import json, os, sys
os.environ.pop("TRITON_INTERPRET", None)
import keras, keras_langevin
with keras.device("cpu"):
    keras_langevin.LAdam(1e-3).apply([keras.ops.ones(1)], [keras.Variable([1.0])])
modules = [f"keras_langevin.optimizers.noise.on_{name}" in sys.modules for name in ("torch", "triton")]
assert modules == [True, False]

from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from keras_langevin.optimizers.noise import on_triton

def compiled(kernel, capability, types, **constants):
    names = dict(zip(kernel.arg_names, types)) | dict.fromkeys(constants, "constexpr")
    source = ASTSource(kernel, signature=names, constexprs=constants | {"SIZE": on_triton._SIZE})
    return len(compile(source, target=GPUTarget("cuda", capability, 32), options=on_triton._OPTIONS).asm["cubin"])

spans = ("*i64", "i32", "*i32", "*i32")
cases = [(80, "normal", "float32", False), (90, "rademacher", "bfloat16", True), (90, "normal", "float64", False)]
sizes = [compiled(on_triton._fill, 90, (*spans, "*i32"), LAW="bits", SIZE=None)]
for capability, law, dtype, is_number in cases:
    precision = "*fp64" if dtype == "float64" else "*fp32"
    constants = {"IS_NUMBER": is_number, "DTYPE": getattr(on_triton.tl, dtype), "LAW": law, "SIZE": None}
    sizes.append(compiled(on_triton._add, capability, (*spans, precision, precision), **constants))
print(json.dumps(sizes))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert all(size > 1000 for size in json.loads(ended.stdout.splitlines()[-1]))


@pytest.mark.skipif(DEVICE != "cuda", reason="needs a GPU")
def test_a_step_on_a_gpu_waits_for_nothing():
    variables = [keras.Variable(np.zeros(shape), dtype="float32") for shape in [(3, 4), (4,), (300, 300)]]
    optimizer = LAdam(1e-3, sigma=0.1, seed=0)
    optimizer.build(variables)
    gradients = [keras.ops.ones(variable.shape) for variable in variables]
    optimizer.apply(gradients, variables)  # creates the tables
    draws_of_step = optimizer._draws(dict(enumerate(variables)))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for indices, draw in draws_of_step:
            own = [variables[index] for index in indices]
            optimizer._add_noise(own, indices, draw, [], optimizer.learning_rate)
    finally:
        torch.cuda.set_sync_debug_mode("default")
