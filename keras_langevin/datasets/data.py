"""A dataset in memory."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np


class DatasetNotFoundError(ValueError):
    """A dataset is neither prepared on this machine nor to be downloaded."""


class CorruptDatasetError(ValueError):
    """A file of a dataset is truncated or damaged; the message names it."""


class Split(NamedTuple):
    """Examples and labels, in the order that `fit` and `evaluate` take them: `model.fit(*data.train)`.

    Attributes:
        x: array of shape `(num_examples, height, width, channels)`.
        y: int32 array of shape `(num_examples,)`, class numbers.
    """

    x: np.ndarray
    y: np.ndarray

    def take(self, indices: np.ndarray) -> "Split":
        """The examples with these indices, an int array of shape `(num_taken,)`."""
        return Split(self.x[indices], self.y[indices])


class Stored(NamedTuple):
    """A dataset as its source stores it, before a validation split is cut.

    Attributes:
        train, test: `Split`, with uint8 pixels.
        shape: tuple of ints, (height, width, channels).
        class_names: tuple of str.
        max_pixel: int, the pixel value of white.
        note: str, how it differs from the official release, or empty.
        source: str, what was read, without the folder: records are passed on.
    """

    train: Split
    test: Split
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    max_pixel: int
    note: str
    source: str


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """A dataset in memory, in three splits.

    Attributes:
        name: str, as it was asked for.
        train, validation, test: `Split`. Validation is cut from the training examples; test is the dataset's own.
        class_names: tuple of str.
        max_pixel: float, the pixel value of white: 1 where the pixels are floats; 255 (digits: 16) where they are
            uint8, and are to be divided by it.
        note: str, how the data differ from the official release, e.g. `"JPEG copy"`; empty where they do not. Figures
            and tables say it.
        source: str, where the data were read.

    Example:

    >>> from keras_langevin import datasets
    >>> datasets.load("digits")
    Data(digits: 1,293 train, 144 validation, 360 test; 8×8×1 float32; 10 classes: 0, 1, 2, ...)
    """

    name: str
    train: Split
    validation: Split
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
        """The SHA-256 of all examples, labels and class names: what tells these data from others of the same name."""
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

    def as_tf_dataset(self, split: str, batch_size: int, *, seed: int | None = None):
        """A split as a `tf.data.Dataset` of batches `(x, y)`, for TensorFlow programs. Needs TensorFlow.

        Args:
            split: str, `"train"`, `"validation"` or `"test"`.
            batch_size: int >= 1; the last batch holds what is left over.
            seed: int, determines the order of the examples, a new one in each epoch; or `None` for the order in which
                they are stored. Defaults to `None`.

        Raises:
            ValueError: no such split.

        Example:

        >>> from keras_langevin import datasets
        >>> batches = datasets.load("digits").as_tf_dataset("train", 32, seed=0)
        >>> x, y = next(iter(batches))
        >>> x.shape, y.shape
        (TensorShape([32, 8, 8, 1]), TensorShape([32]))
        """
        if split not in ("train", "validation", "test"):
            raise ValueError(f"`split` must be 'train', 'validation' or 'test'. Received: {split!r}")
        import tensorflow as tf

        examples = getattr(self, split)
        with tf.device("CPU"):
            x, y = (tf.constant(array) for array in examples)
        indices = tf.data.Dataset.range(len(examples.x))
        if seed is not None:
            indices = indices.shuffle(len(examples.x), seed=seed, reshuffle_each_iteration=True)
        # whole batches are gathered: many times quicker than batching single examples
        batches = indices.batch(batch_size).map(lambda chosen: (tf.gather(x, chosen), tf.gather(y, chosen)))
        return batches.prefetch(tf.data.AUTOTUNE)


def stratified(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Draws examples so that each class keeps its share, to within one example.

    Within a class the order is random; over the classes, an example's turn is its place in that order divided by the
    size of its class. The first `size` turns are drawn, so a smaller draw is a part of a larger one.

    Args:
        labels: int array of shape `(num_examples,)`, class numbers.
        size: int in [0, num_examples].
        seed: int.

    Returns:
        int array of shape `(size,)`, indices in ascending order.

    Example:

    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[stratified(labels, 3, seed=0)].tolist()
    [0, 0, 1]
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels[order]
    counts = np.bincount(labels)
    by_class = np.argsort(shuffled, kind="stable")
    place = np.empty(len(labels), int)
    place[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    turn = (place + 0.5) / counts[shuffled]
    return np.sort(order[np.argsort(turn, kind="stable")[:size]])
