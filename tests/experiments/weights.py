"""Weights files, for a comparison bit for bit."""

from pathlib import Path

import h5py
import numpy as np


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an HDF5 file, by their names in it."""
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if hasattr(item, "shape") else None)
    return arrays


def assert_same_weights(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], name: str = ""):
    """Bit for bit, and there are some."""
    assert found.keys() == expected.keys() and expected
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key], err_msg=name)
