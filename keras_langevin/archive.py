"""Arrays and what is to be known of them, in one file that is written whole or not at all."""

import json
from pathlib import Path

import numpy as np

from keras_langevin.files import replaced, writing_to

# `np.load` and `json.loads` raise many kinds of errors for a file that `write` has not made: of the system, of zip and
# zlib, of types and values, of memory and recursion.
UNREADABLE = (Exception,)


def write(path: Path, head: dict, arrays: list[np.ndarray]):
    """Replaces the file; a reader sees the old one or the new one, also if the process is killed meanwhile.

    Args:
        path: where it goes; its folder exists.
        head: dict that JSON can hold.
        arrays: list of arrays. NumPy has no name for bfloat16: such an array is read as bytes of its size (dtype `V2`).

    Raises:
        StorageError: the disk is full, say.
    """
    plain = [array.view(f"V{array.itemsize}") if array.dtype.kind == "V" else array for array in arrays]
    with writing_to(path.parent), replaced(path, "wb") as file:
        np.savez(file, *plain, head=np.array(json.dumps(head)))


def read_head(path: Path) -> dict:
    """The head alone; the arrays stay on the disk. Raises one of `UNREADABLE`."""
    with np.load(path, allow_pickle=False) as file:
        return json.loads(str(file["head"]))


def read(path: Path) -> tuple[dict, list[np.ndarray]]:
    """Head and arrays. Raises one of `UNREADABLE`."""
    with np.load(path, allow_pickle=False) as file:
        arrays = [file[f"arr_{index}"] for index in range(len(file.files) - 1)]
        return json.loads(str(file["head"])), arrays
