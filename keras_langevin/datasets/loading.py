"""Datasets by name."""

import math
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_langevin.datasets import exported, prepared
from keras_langevin.datasets.data import CorruptDatasetError, Data, Split, Stored, stratified

NAMES = ("digits", *prepared.NAMES)
DTYPES = ("float32", "uint8")


def load(
    name: str,
    *,
    validation_fraction: float = 0.1,
    seed: int = 0,
    data_dir: str | Path | None = None,
    data_file: str | Path | None = None,
    limit: int | None = None,
    dtype: str = "float32",
) -> Data:
    """Loads a dataset into memory and cuts a validation split from its training examples.

    Args:
        name: str, one of `NAMES`, or any image-classification set of tensorflow-datasets with a `train` and a `test`
            split and images of one size, e.g. `"svhn_cropped"` or `"eurosat/rgb"`. `digits` (scikit-learn's 1,797
            images of 8×8, one fifth of them the test split) is embedded.
        validation_fraction: float in (0, 1), the share of the training examples, drawn by class. Defaults to `0.1`.
        seed: int, draws the training examples of `limit` and the validation split. Defaults to `0`. (The test split
            of `digits` is always the same.)
        data_dir: where tensorflow-datasets keeps its data. Defaults to the environment variable `TFDS_DATA_DIR`, else
            to tensorflow-datasets' own default. What is not there is downloaded.
        data_file: a file that `export` wrote, in place of tensorflow-datasets: needs no TensorFlow. The pixels are the
            same. Defaults to `None`.
        limit: int >= 2, so many training examples, drawn by class before the validation split is cut; a smaller limit
            draws a part of a larger one. The test split stays whole. Defaults to `None`, all.
        dtype: `"float32"`, pixels in [0, 1], ready for `fit`; or `"uint8"`, pixels as they are stored, a quarter of
            the memory, to be divided by `data.max_pixel` in the model. Defaults to `"float32"`.

    Raises:
        ValueError: an unknown name, a set that is no image classification with a train and a test split, or an
            argument out of range.
        DatasetNotFoundError: the data are not prepared and cannot be downloaded; the message says what to do.
        CorruptDatasetError: a file is truncated or damaged; the message names it.

    Example:

    >>> from keras_langevin import datasets
    >>> data = datasets.load("digits", limit=500)
    >>> data.train.x.shape, data.validation.x.shape, data.test.x.shape
    ((450, 8, 8, 1), (50, 8, 8, 1), (360, 8, 8, 1))
    """
    if not 0 < validation_fraction < 1:
        raise ValueError(f"`validation_fraction` must be in (0, 1). Received: {validation_fraction}")
    if limit is not None and (not isinstance(limit, int) or limit < 2):
        raise ValueError(f"`limit` must be an int >= 2, or None for all. Received: limit={limit!r}")
    if dtype not in DTYPES:
        raise ValueError(f"`dtype` must be one of {', '.join(DTYPES)}. Received: {dtype!r}")
    if data_dir is not None and data_file is not None:
        raise ValueError(f"Give `data_dir` or `data_file`, not both. Received: {data_dir} and {data_file}")
    stored = _read(name, data_dir, data_file)
    train, validation = _cut(stored.train, validation_fraction, seed, limit)
    if dtype == "float32":
        train, validation, test = (_scaled(split, stored.max_pixel) for split in (train, validation, stored.test))
        max_pixel = 1.0
    else:
        test, max_pixel = stored.test, float(stored.max_pixel)
    return Data(name, train, validation, test, stored.class_names, max_pixel, stored.note, stored.source)


def _read(name: str, data_dir, data_file) -> Stored:
    if data_file is not None:
        return exported.read(name, data_file)
    return _digits() if name == "digits" else prepared.read(name, data_dir)


def _cut(train: Split, fraction: float, seed: int, limit: int | None) -> tuple[Split, Split]:
    if limit is not None and limit > len(train.y):
        raise ValueError(
            f"`limit` must be at most {len(train.y)}, the number of training examples. Received: limit={limit}"
        )
    chosen = np.arange(len(train.y)) if limit is None else stratified(train.y, limit, seed)
    size = min(math.ceil(fraction * len(chosen)), len(chosen) - 1)
    held = np.zeros(len(chosen), bool)
    held[stratified(train.y[chosen], size, seed)] = True
    return train.take(chosen[~held]), train.take(chosen[held])


def _scaled(split: Split, max_pixel: int) -> Split:
    return Split(np.divide(split.x, max_pixel, dtype="float32"), split.y)


def _digits() -> Stored:
    """All 1,797 images; one fifth of them, drawn by class and always the same, is the test split."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    examples = Split(digits.images[..., None].astype("uint8"), digits.target.astype("int32"))
    test = stratified(examples.y, 360, seed=0)
    train = np.setdiff1d(np.arange(len(examples.y)), test)
    names = tuple(str(name) for name in digits.target_names)
    return Stored(
        examples.take(train), examples.take(test), (8, 8, 1), names, max_pixel=16, note="", source="scikit-learn"
    )


class Entry(NamedTuple):
    """A dataset.

    Attributes:
        label: str, the name and how the data differ from the official release.
        shape: tuple of ints, (height, width, channels); empty where it is not prepared.
        num_classes, num_train, num_test: ints, 0 where it is not prepared.
        where: str, the folder under the data folder, or `"embedded"`; empty where it is not prepared.
    """

    label: str
    shape: tuple[int, ...] = ()
    num_classes: int = 0
    num_train: int = 0
    num_test: int = 0
    where: str = ""


def listing(data_dir: str | Path | None = None) -> list[Entry]:
    """The datasets with a short name, and every other set that is prepared and can be loaded, by their metadata alone:
    no record is read, and TensorFlow is not loaded."""
    root, found = prepared.data_folder(data_dir), {}
    for path in sorted([*root.glob("*/*/dataset_info.json"), *root.glob("*/*/*/dataset_info.json")]):
        name = path.parents[1].relative_to(root).as_posix()
        try:
            found.setdefault(name, []).append(_entry(name, path.parent, root))
        except (ValueError, OSError):  # no image classification, or damaged: `load` says what
            continue
    stored = _digits()
    counts = (len(stored.class_names), len(stored.train.y), len(stored.test.y))
    named = [entry for name in prepared.NAMES for entry in found.pop(name, [Entry(name)])]
    others = [entry for entries in found.values() for entry in entries]
    return [Entry("digits", stored.shape, *counts, "embedded"), *named, *others]


def _entry(name: str, folder: Path, root: Path) -> Entry:
    info = prepared.opened(folder).info
    image, label = prepared.image_and_label(name, info.features)
    prepared.check_splits(name, info.splits)
    note = ""
    if info.features[image].encoding_format == "jpeg":
        with suppress(ImportError, CorruptDatasetError):  # what the set's own builder writes is not known
            note = prepared.note_of(prepared.open_builder(name, root), image)
    counts = (info.splits[split].num_examples for split in ("train", "test"))
    kind = (info.features[image].shape, info.features[label].num_classes)
    return Entry(f"{name} ({note})" if note else name, *kind, *counts, folder.relative_to(root).as_posix())
