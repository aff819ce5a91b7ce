"""The cost of an update grows with the number of variables like the parent's."""

import keras
import pytest
import step_growth

# The most operations per variable that the noise may add, as a multiple of the parent's. On PyTorch the parent calls
# one function for all variables, so the bound is in calls.
MOST = {"jax": 2.0, "tensorflow": 2.0, "torch": 60}


def test_operations_grow_as_the_parents():
    few, more, most = (
        {arm: step_growth.operations(arm, count)[0] for arm in step_growth.ARMS} for count in (8, 16, 32)
    )
    slopes = {arm: (more[arm] - few[arm]) / 8 for arm in few}
    assert {arm: (most[arm] - more[arm]) / 16 for arm in few} == slopes, (
        "each variable must add the same, for any number of variables"
    )
    parent = slopes["parent"] if keras.backend.backend() != "torch" else 1
    assert 0 < slopes["langevin"] - slopes["parent"] <= MOST[keras.backend.backend()] * parent, slopes


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX reports the memory of a compiled update")
def test_memory_does_not_grow():
    assert step_growth.memory("langevin", 10**9) - step_growth.memory("parent", 10**9) < 10_000
