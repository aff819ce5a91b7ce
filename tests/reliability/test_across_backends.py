"""A training that is saved on one backend resumes on another."""

import importlib.util
import itertools

import numpy as np
import pytest

from tests.reliability.across import OPTIMIZERS
from tests.reliability.children import run_together, start

INSTALLED = [name for name in ("jax", "tensorflow", "torch") if importlib.util.find_spec(name)]
PAIRS = list(itertools.permutations(INSTALLED, 2))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(len(INSTALLED) < 2, reason=f"needs two backends; installed: {INSTALLED}"),
]

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
every_pair = pytest.mark.parametrize("saved_by, goes_on", PAIRS, ids=["-".join(pair) for pair in PAIRS])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder in which every backend has trained, saved, and resumed from the others' files."""
    folder = tmp_path_factory.mktemp("across")
    # one thread each: PyTorch's threads wait for one another, which takes minutes next to two other processes
    run_together([start("across", folder, *INSTALLED, backend=name, OMP_NUM_THREADS="1") for name in INSTALLED])
    return folder


def read(folder, *names) -> dict[str, np.ndarray]:
    with np.load(folder / f"{'-'.join(names)}.npz") as file:
        return dict(file)


@every_pair
@every_optimizer
def test_the_whole_state_is_loaded(name, saved_by, goes_on, folder):
    """Weights, slots, updates, learning rate, sigma and seed are equal bit for bit; so are the noisy layers."""
    saved, loaded = read(folder, saved_by, name), read(folder, saved_by, name, goes_on)
    assert str(loaded["said"]) == str(saved["said"])
    kept = [key for key in saved if key.startswith("state/")]
    assert len(kept) > 10 and kept == [key for key in loaded if key.startswith("state/")]
    for key in kept:
        # the dtype may differ: Keras counts updates in int64 on TensorFlow and in int32 elsewhere
        np.testing.assert_array_equal(loaded[key], saved[key])
    # a schedule's value is computed, and each backend rounds a logarithm differently
    np.testing.assert_allclose(loaded["sigma"], saved["sigma"], rtol=2e-7)


@every_pair
@every_optimizer
def test_the_noise_of_the_next_updates_is_the_same(name, saved_by, goes_on, folder):
    own, others = (read(folder, saved_by, name, backend)["noise"] for backend in (saved_by, goes_on))
    assert (own != 0).mean() > 0.3
    np.testing.assert_array_equal(others == 0, own == 0)  # in the same layers
    # The integers are equal, but the normal numbers are rounded differently. Those of JAX and TensorFlow were equal;
    # PyTorch's differ from them by up to 1.2e-6 of the largest, which is 10 units in the last place.
    np.testing.assert_allclose(others, own, rtol=0, atol=3e-6 * abs(own).max())


@every_pair
@every_optimizer
def test_the_training_goes_on_as_it_would_have(name, saved_by, goes_on, folder):
    saved, others = read(folder, saved_by, name)["trained"], read(folder, saved_by, name, goes_on)["trained"]
    # 15 updates of weights up to 2.3, each rounded differently: differences of 1.1e-6 were seen. Different noise makes
    # a difference of 0.1.
    np.testing.assert_allclose(others, saved, rtol=0, atol=1e-5)


@every_optimizer
@pytest.mark.parametrize("backend", INSTALLED)
def test_on_the_same_backend_it_goes_on_bit_for_bit(name, backend, folder):
    np.testing.assert_array_equal(
        read(folder, backend, name, backend)["trained"], read(folder, backend, name)["trained"]
    )
