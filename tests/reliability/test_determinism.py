"""Two processes with the same seed give the same weights; without a seed they differ."""

import numpy as np
import pytest

from tests.reliability.children import run_together, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The results of two processes."""
    paths = [tmp_path_factory.mktemp("drawn") / f"{number}.npz" for number in range(2)]
    run_together([start("drawn", path) for path in paths])
    return [dict(np.load(path)) for path in paths]


@pytest.mark.parametrize("name", ["given seed", "no seed"])
def test_two_processes_with_the_same_random_seed_give_equal_weights(name, found):
    """Bit for bit, also if the optimizer draws the seed of its noise."""
    one, other = (each[f"{name}/weights"] for each in found)
    assert np.isfinite(one).all() and one.std() > 0
    np.testing.assert_array_equal(one, other)
    assert found[0][f"{name}/seed"] == found[1][f"{name}/seed"]


def test_a_drawn_seed_is_another_than_the_given(found):
    assert found[0]["given seed/seed"] == "7" != found[0]["no seed/seed"]
    assert not np.array_equal(found[0]["given seed/weights"], found[0]["no seed/weights"])


def test_without_a_random_seed_the_noise_differs_between_processes(found):
    """Here the initial weights and the order of the examples are the same."""
    assert found[0]["unseeded/seed"] != found[1]["unseeded/seed"]
    assert (found[0]["unseeded/weights"] != found[1]["unseeded/weights"]).mean() > 0.9
