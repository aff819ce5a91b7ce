"""Image-classification data as arrays: train, validation and test."""

import logging
import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np

from keras_langevin.names import unknown

TFDS_NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100")
NAMES = ("digits", *TFDS_NAMES)


class Split(NamedTuple):
    """Examples and labels.

    Attributes:
        x: float32 array of shape `(num_examples, *input_shape)`, pixels in [0, 1].
        y: int32 array of shape `(num_examples,)`, class numbers.
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Data:
    """A dataset in memory.

    Attributes:
        name: str.
        train, validation, test: `Split`. Validation is cut from the training examples; test is the dataset's own.
        class_names: tuple of str.
    """

    name: str
    train: Split = field(repr=False)
    validation: Split = field(repr=False)
    test: Split = field(repr=False)
    class_names: tuple[str, ...]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.train.x.shape[1:]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)


class DatasetNotFoundError(ValueError):
    """A dataset is neither prepared on this machine nor to be downloaded."""


def load(name: str, *, validation_fraction: float = 0.1, seed: int = 0, data_dir: str | None = None) -> Data:
    """Loads a dataset and cuts a validation split from its training examples.

    Args:
        name: str, one of `NAMES`. `digits` (scikit-learn's 1,797 images of 8×8, one fifth of them the test split) is
            embedded; the others come through tensorflow-datasets.
        validation_fraction: float in (0, 1), the share of the training examples, drawn by class. Defaults to `0.1`.
        seed: int, draws the validation split. Defaults to `0`. (The test split of `digits` is always the same.)
        data_dir: where tensorflow-datasets keeps its data. Defaults to the environment variable `TFDS_DATA_DIR`, else
            to tensorflow-datasets' own default. What is not there is downloaded.

    Raises:
        ValueError: an unknown name, or a fraction out of range.
        DatasetNotFoundError: the data is not prepared and cannot be downloaded; the message says what to do.

    Example:

    >>> from keras_langevin import datasets
    >>> data = datasets.load("digits")
    >>> data.train.x.shape, data.validation.x.shape, data.test.x.shape
    ((1293, 8, 8, 1), (144, 8, 8, 1), (360, 8, 8, 1))
    """
    if name not in NAMES:
        raise unknown("dataset", name, NAMES)
    if not 0 < validation_fraction < 1:
        raise ValueError(f"`validation_fraction` must be in (0, 1). Received: {validation_fraction}")
    train, test, class_names = _digits() if name == "digits" else _from_tfds(name, data_dir)
    train, validation = _split(train, validation_fraction, seed)
    return Data(name, train, validation, test, class_names)


def _split(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    from sklearn.model_selection import train_test_split

    x, x_held, y, y_held = train_test_split(split.x, split.y, test_size=fraction, random_state=seed, stratify=split.y)
    return Split(x, y), Split(x_held, y_held)


def _digits() -> tuple[Split, Split, tuple[str, ...]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images[..., None] / 16).astype("float32")
    train, test = _split(Split(pixels, digits.target.astype("int32")), fraction=0.2, seed=0)
    return train, test, tuple(str(name) for name in digits.target_names)


def _from_tfds(name: str, data_dir: str | None) -> tuple[Split, Split, tuple[str, ...]]:
    import tensorflow_datasets as tfds

    data_dir = data_dir or os.environ.get("TFDS_DATA_DIR") or None
    with _without_absl_warnings():  # about a folder that is not there: the error below says it better
        builder = tfds.builder(name, data_dir=data_dir)
        prepared = builder.is_prepared()
    if not prepared:
        try:
            _check_network(builder)
            builder.download_and_prepare()
        except Exception as error:  # tfds raises many kinds: what matters is that the data is not there
            raise DatasetNotFoundError(_not_found(name, builder, error)) from error
    train, test = (_read(builder, split) for split in ("train", "test"))
    return train, test, tuple(builder.info.features["label"].names)


@contextmanager
def _without_absl_warnings():
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _check_network(builder):
    # tensorflow-datasets tries a host that does not resolve for minutes before it gives up.
    hosts = {urlsplit(url).hostname for url in builder.url_infos}
    if hosts and not getproxies():
        for host in sorted(hosts):
            socket.getaddrinfo(host, 443)


def _read(builder, split: str) -> Split:
    examples = builder.as_dataset(split=split, batch_size=-1, as_supervised=True)
    images, labels = (tensor.numpy() for tensor in examples)
    return Split(images.astype("float32") / 255, labels.astype("int32"))


def _not_found(name: str, builder, error: Exception) -> str:
    folder = Path(builder.data_dir)
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return (
        f"Dataset {name!r} is not prepared in {folder.parents[1]}, and downloading it failed ({reason[0][:120]}). "
        f"Prepare it where there is a network, with `tfds build {name}`, copy the folder "
        f"`{folder.parent.name}/{folder.name}` to this machine, and set TFDS_DATA_DIR (or --data-dir) to the folder "
        "that holds it."
    )
