"""Compares weights files bit for bit."""

from pathlib import Path

import h5py
import numpy as np


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Returns all arrays of an HDF5 file by name."""
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if hasattr(item, "shape") else None)
    return arrays


def assert_same_weights(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], name: str = ""):
    """Checks that weights are equal bit for bit, and that there are some."""
    assert found.keys() == expected.keys() and expected
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key], err_msg=name)
