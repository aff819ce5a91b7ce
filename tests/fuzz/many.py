"""Checks properties over many random cases: a hundred in the default suite, ten thousand in the slow tests."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FEW, MANY = 100, 10_000
fuzzed = pytest.mark.parametrize("cases", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])

# Values that a user or a file may have in place of the expected type.
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-3, 12),
    st.floats(),
    st.floats(0, 2),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.complex_numbers(max_magnitude=2),
)
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def check(cases: int, function, *strategies):
    """Calls the function with this many random cases; a failure shows the smallest failing case."""
    quiet = settings(
        max_examples=cases, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    quiet(given(*strategies)(function))()


def refused(error: Exception) -> bool:
    """Whether an error says what was expected and what was received, as the documentation promises."""
    return isinstance(error, ValueError) and "Received" in str(error)
