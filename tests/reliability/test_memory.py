"""Long training does not leak memory and is traced once."""

import json

import keras
import pytest

from tests.reliability.children import run_together, start
from tests.reliability.growth import FITS, OPTIMIZERS, STEPS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found():
    """The output of a process per optimizer."""
    # one thread each: PyTorch's threads wait for one another, which takes minutes if two processes share the cores
    outputs = run_together([start("growth", name, OMP_NUM_THREADS="1") for name in OPTIMIZERS])
    return {name: json.loads(output.splitlines()[-1]) for name, output in zip(OPTIMIZERS, outputs, strict=True)}


@pytest.mark.parametrize("what, count", [("steps", STEPS // 100), ("fits", FITS)])
def test_memory_is_flat(what, count, found):
    """Within 2%, after a tenth of the run as warm-up."""
    growth = {}
    for name in OPTIMIZERS:
        memory = found[name][what]
        assert len(memory) == count
        after = memory[count // 10 :]
        growth[name] = max(after) / after[0]
    print(what, growth)
    assert growth["langevin"] <= 1.02


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch traces nothing")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_is_traced_after_the_first_step(name, found):
    """Counts the calls of the loss, also when callbacks change sigma and the noisy layers, and in new fits."""
    assert found[name]["calls"] == found[name]["first"] <= 3
