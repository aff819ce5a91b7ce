"""Stores arrays with their metadata in one file, which is written atomically."""

import json
from pathlib import Path

import numpy as np

from keras_langevin.files import replaced, writing_to

# For a file that `write` did not make, `np.load` and `json.loads` raise many kinds of errors: from the system, zip and
# zlib, TypeError, ValueError, MemoryError, RecursionError.
UNREADABLE = (Exception,)


def write(path: Path, head: dict, arrays: list[np.ndarray]):
    """Replaces the file atomically: a reader sees the old or the new one, even if the process is killed.

    Args:
        path: the file. Its folder must exist.
        head: dict that JSON can hold.
        arrays: list of arrays. NumPy has no name for bfloat16, so `read` returns such an array as bytes (dtype `V2`).

    Raises:
        StorageError: writing fails, e.g. because the disk is full.
    """
    plain = [array.view(f"V{array.itemsize}") if array.dtype.kind == "V" else array for array in arrays]
    with writing_to(path.parent), replaced(path, "wb") as file:
        np.savez(file, *plain, head=np.array(json.dumps(head)))


def read_head(path: Path) -> dict:
    """Returns the head without reading the arrays. Raises one of `UNREADABLE`."""
    with np.load(path, allow_pickle=False) as file:
        return json.loads(str(file["head"]))


def read(path: Path) -> tuple[dict, list[np.ndarray]]:
    """Returns head and arrays. Raises one of `UNREADABLE`."""
    with np.load(path, allow_pickle=False) as file:
        arrays = [file[f"arr_{index}"] for index in range(len(file.files) - 1)]
        return json.loads(str(file["head"])), arrays
