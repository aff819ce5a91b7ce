"""Takes batches from training data."""

import itertools
import math

import keras
import numpy as np
from keras import ops

from keras_langevin.values import check_int


def num_batches(x, batch_size: int) -> int | None:
    """Returns the number of batches in `x`, which is arrays or a dataset; `None` if it is unknown.

    Raises:
        ValueError: `x` has no examples, or is a generator.
    """
    if x is None or hasattr(x, "__next__"):
        raise ValueError(
            "`x` must be arrays, a `keras.utils.PyDataset`, a `tf.data.Dataset` or a `DataLoader`. Received: "
            f"{'none' if x is None else 'a generator, which can be read only once'}. Pass the data that `fit` gets."
        )
    try:
        size = len(x) if is_batched(x) else math.ceil(len(keras.tree.flatten(x)[0]) / batch_size)
    except TypeError:  # a dataset of unknown length
        return None
    if size == 0:
        raise ValueError("`x` must have at least one example. Received: none. Pass the data that `fit` gets.")
    return size


def take(x, y, sample_weight, batch_size: int, count: int) -> list[tuple]:
    """Returns `count` batches. If there are fewer, it repeats them.

    Args:
        x, y, sample_weight: data, as for `fit`. From arrays, each call draws the same rows.
        batch_size: int, for arrays.
        count: int >= 1.
    """
    if is_batched(x):
        at = x.__getitem__ if isinstance(x, keras.utils.PyDataset) else None
        found = [at(index) for index in range(min(count, len(x)))] if at else list(itertools.islice(x, count))
        some = [tuple(map(as_fed, keras.utils.unpack_x_y_sample_weight(batch))) for batch in found]
    else:
        size = len(keras.tree.flatten(x)[0])
        order = np.random.default_rng(0).permutation(size)
        last = max(size - batch_size, 0)  # the last start of a full batch
        starts = range(0, min(last, (count - 1) * batch_size) + 1, batch_size)
        some = [
            tuple(_rows(each, order[start : start + batch_size]) for each in (x, y, sample_weight)) for start in starts
        ]
    if not some:
        raise ValueError("`x` must have at least one batch. Received: none. Pass the data that `fit` gets.")
    return list(itertools.islice(itertools.cycle(some), count))


def is_batched(x) -> bool:
    """Returns whether `x` yields batches, i.e. is not arrays."""
    return not all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(x))


def _rows(data, rows):
    return keras.tree.map_structure(lambda array: None if array is None else as_fed(np.asarray(array)[rows]), data)


def as_fed(data):
    """Converts data to NumPy arrays, float64 to `floatx` as in `fit`. Keeps tensors of this backend as they are."""

    def one(array):
        if array is None or ops.is_tensor(array):
            return array
        array = np.asarray(array)
        return array.astype(keras.config.floatx()) if array.dtype == np.float64 else array

    return keras.tree.map_structure(one, data)


def whole(x, y=None, sample_weight=None, batch_size: int | None = None) -> list[tuple]:
    """Returns all batches of the data. For arrays, it drops the examples that do not fill a batch.

    Args:
        x, y, sample_weight: data, as for `fit`.
        batch_size: int, for arrays; `None` for one batch of all examples.
    """
    if batch_size is not None:
        check_int("batch_size", batch_size, 1)
    if x is not None and not is_batched(x):
        num_batches(x, batch_size or 1)  # raises an error if there are no examples
        size = len(keras.tree.flatten(x)[0])
        batch_size = min(batch_size or size, size)
        return take(x, y, sample_weight, batch_size, size // batch_size)
    count = num_batches(x, 1)
    return take(x, y, sample_weight, 1, count if count is not None else sum(1 for _ in x))
