"""What the worker processes of one machine share: its cores, and one copy of the data."""

import mmap
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from keras_langevin import datasets
from keras_langevin.experiments.runner import Cell
from keras_langevin.quiet import without_log_lines


def environment() -> dict[str, str]:
    """The environment variables of a worker that is to train as this process would."""
    shared = {
        "KERAS_BACKEND": keras.backend.backend(),
        # several processes on one GPU: none may take all of its memory
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    inherited = {*shared, "JAX_ENABLE_X64"} - {"KERAS_BACKEND"}  # without the second, JAX has no float64
    own = {name: os.environ[name] for name in inherited if name in os.environ}
    return shared | own


def available_cores() -> list[int]:
    """The cores that this process may use."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return list(range(os.cpu_count() or 1))


def share_of_cores(cores: list[int], worker: int, workers: int) -> list[int]:
    """The cores of one of several workers: equal shares, or one core in turn where there are more workers than cores.

    Example:

    >>> [share_of_cores([0, 1, 2, 3, 4], worker, 2) for worker in range(2)], share_of_cores([0, 1], 2, 3)
    ([[0, 2, 4], [1, 3]], [0])
    """
    return cores[worker::workers] or [cores[worker % len(cores)]]


@contextmanager
def as_a_child_starts(cores: list[int], variables: dict[str, str]) -> Iterator[None]:
    """What a process that is started meanwhile inherits: these cores, where the system can, and these variables.

    A backend counts its threads when it is imported or first used, so a child cannot set them for itself.
    TensorFlow's log lines are kept off the console.
    """
    before, own = dict(os.environ), available_cores()
    os.environ.update(variables | {"OMP_NUM_THREADS": str(len(cores))})
    can_pin = hasattr(os, "sched_setaffinity")
    if can_pin:
        os.sched_setaffinity(0, cores)
    try:
        with without_log_lines():
            yield
    finally:
        if can_pin:
            os.sched_setaffinity(0, own)
        os.environ.clear()
        os.environ.update(before)


def once_for_each_dataset(cells: Sequence[Cell], share: Callable[[datasets.Data], Any]) -> list[Any]:
    """What `share` made of the data of each cell; it is called once for the data that several cells have."""
    datasets_by_id = {id(cell.data): cell.data for cell in cells}
    shared = {key: share(data) for key, data in datasets_by_id.items()}
    return [shared[id(cell.data)] for cell in cells]


def write_mapped(value: Any, path: Path):
    """Writes a value so that `read_mapped` need not copy its arrays."""
    buffers = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    lengths = [view.nbytes for view in views]
    with open(path, "wb") as file:
        pickle.dump((head, lengths), file)
        for view in views:
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            file.write(view)


def read_mapped(path: Path) -> Any:
    """The value, its arrays in memory that all processes share; they cannot be written."""
    with open(path, "rb") as file:
        head, lengths = pickle.load(file)
        position = file.tell()
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    views = []
    for length in lengths:
        position += -position % _ALIGNMENT
        views.append(mapped[position : position + length])
        position += length
    return pickle.loads(head, buffers=views)


_ALIGNMENT = 64
