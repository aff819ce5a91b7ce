"""A dataset in memory."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np


class DatasetNotFoundError(ValueError):
    """A dataset is not prepared on this machine and cannot be downloaded."""


class CorruptDatasetError(ValueError):
    """A file of a dataset is truncated or damaged; the message names it."""


class Split(NamedTuple):
    """Examples and labels, in the order that `fit` and `evaluate` take them."""

    x: np.ndarray  # of shape (num_examples, height, width, channels)
    y: np.ndarray  # int32 of shape (num_examples,), class numbers


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """A dataset in memory, in three splits: `model.fit(*data.train)`.

    Attributes:
        name, source: str, the name that you asked for, and where the data were read.
        train, validation, test: pairs `(x, y)`: an array `(num_examples, height, width, channels)` and an int32 array.
        class_names: tuple of str.
        max_pixel: float, the pixel value of white: 1 for float pixels; for uint8 pixels 255 (digits: 16).
        note: str, how the data differ from the official release, e.g. `"JPEG copy"`, or empty.

    Example:

    >>> from keras_langevin import datasets
    >>> datasets.load("digits")
    Data(digits: 1,293 train, 144 validation, 360 test; 8×8×1 float32; 10 classes: 0, 1, 2, ...)
    """

    name: str
    train: Split
    validation: Split | None  # `None` until `load` cuts it
    test: Split
    class_names: tuple[str, ...]
    max_pixel: float
    note: str = ""
    source: str = ""

    @property
    def label(self) -> str:
        """The name that figures show, e.g. `cifar10 (JPEG copy)`."""
        return f"{self.name} ({self.note})" if self.note else self.name

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: height, width, channels."""
        return self.train.x.shape[1:]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of all examples, labels and class names. It distinguishes data of the same name."""
        digest = hashlib.sha256(repr((self.class_names, self.max_pixel)).encode())
        for array in (array for split in (self.train, self.validation, self.test) for array in split):
            digest.update(f"{array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(getattr(self, name).x):,} {name}" for name in ("train", "validation", "test"))
        shape = "×".join(map(str, self.input_shape))
        names = ", ".join(self.class_names[:3]) + (", ..." if self.num_classes > 3 else "")
        classes = f"{self.num_classes} classes: {names}"
        return f"Data({self.label}: {counts}; {shape} {self.train.x.dtype}; {classes})"


def stratified(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Returns the sorted indices of `size` random examples; each class keeps its share to within one example.

    An example's turn is its random position in its class divided by the class size. The examples with the lowest turns
    are drawn, so a smaller draw is part of a larger one. (scikit-learn's `train_test_split` draws again for each size.)
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels[order]
    counts = np.bincount(labels)
    by_class = np.argsort(shuffled, kind="stable")
    place = np.empty(len(labels), int)
    place[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    turn = (place + 0.5) / counts[shuffled]
    return np.sort(order[np.argsort(turn, kind="stable")[:size]])
