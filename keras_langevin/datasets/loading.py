"""Datasets by name."""

import dataclasses
import math
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_langevin import extras
from keras_langevin.datasets import exported, prepared
from keras_langevin.datasets.data import CorruptDatasetError, Data, Split, stratified

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
            split and images of one size, e.g. `"svhn_cropped"`. `digits` (scikit-learn, 1,797 images of 8×8) is
            embedded.
        validation_fraction: float in (0, 1), the share of the training examples, stratified by class. Defaults to
            `0.1`.
        seed: int, the seed of the random choice of `limit` and of the validation split. Defaults to `0`.
        data_dir: the folder of tensorflow-datasets; missing data are downloaded. Defaults to `TFDS_DATA_DIR`.
        data_file: a file that `export` wrote, read without TensorFlow. Defaults to `None`.
        limit: int >= 2, the number of training examples, stratified by class, including those of the validation split.
            Defaults to `None`, all.
        dtype: `"float32"`, pixels in [0, 1]; or `"uint8"`, which the model must divide by `data.max_pixel`. Defaults to
            `"float32"`.

    Raises:
        ValueError: an unknown name, a set that is not such an image classification, or an argument out of range.
        DatasetNotFoundError: the data are not prepared and cannot be downloaded; the message says what to do.
        CorruptDatasetError: a file is truncated or damaged; the message names it.

    Example:

    >>> from keras_langevin import datasets
    >>> data = datasets.load("digits", limit=500)
    >>> data.train.x.shape, data.validation.x.shape, data.test.x.shape
    ((450, 8, 8, 1), (50, 8, 8, 1), (360, 8, 8, 1))
    """
    if not 0 < validation_fraction < 1:
        raise ValueError(f"`validation_fraction` must be in (0, 1). Received: {validation_fraction}. Give 0.1, say.")
    if limit is not None and (not isinstance(limit, int) or limit < 2):
        raise ValueError(f"`limit` must be an int >= 2. Received: limit={limit!r}. Leave it out for all examples.")
    if dtype not in DTYPES:
        raise ValueError(f"`dtype` must be one of {', '.join(DTYPES)}. Received: {dtype!r}. Choose one.")
    if data_dir is not None and data_file is not None:
        raise ValueError(f"Give `data_dir` or `data_file`, not both. Received: {data_dir} and {data_file}. Drop one.")
    if data_file is not None:
        data = exported.read(name, data_file)
    else:
        data = _digits() if name == "digits" else prepared.read(name, data_dir)
    splits, max_pixel = (*_cut(data.train, validation_fraction, seed, limit), data.test), data.max_pixel
    if dtype == "float32":
        splits = [Split(np.divide(split.x, max_pixel, dtype="float32"), split.y) for split in splits]
        max_pixel = 1
    train, validation, test = splits
    return dataclasses.replace(data, train=train, validation=validation, test=test, max_pixel=float(max_pixel))


def _cut(train: Split, fraction: float, seed: int, limit: int | None) -> tuple[Split, Split]:
    number = len(train.y)
    if limit is not None and limit > number:
        raise ValueError(
            f"`limit` must be at most {number}, the number of training examples. Received: limit={limit}. Leave it out "
            "for all."
        )
    chosen = np.arange(number) if limit is None else stratified(train.y, limit, seed)
    size = min(math.ceil(fraction * len(chosen)), len(chosen) - 1)
    held = np.zeros(len(chosen), bool)
    held[stratified(train.y[chosen], size, seed)] = True
    rest, held_out = chosen[~held], chosen[held]
    return Split(train.x[rest], train.y[rest]), Split(train.x[held_out], train.y[held_out])


def _digits() -> Data:
    """Loads all 1,797 images. The test split is always the same fifth of them, stratified by class."""
    extras.check("experiments", "sklearn", what="The dataset 'digits'")
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = digits.images[..., None].astype("uint8"), digits.target.astype("int32")
    is_test = np.isin(np.arange(len(y)), stratified(y, 360, seed=0))
    names = tuple(map(str, digits.target_names))
    train, test = (Split(x[part], y[part]) for part in (~is_test, is_test))
    return Data("digits", train, None, test, names, 16, source="scikit-learn")


class Entry(NamedTuple):
    """A dataset in `listing`. One that is not prepared has only a name."""

    label: str  # the name and how the data differ from the official release
    shape: tuple[int, ...] = ()  # (height, width, channels)
    num_classes: int = 0
    num_train: int = 0
    num_test: int = 0
    where: str = ""  # the folder under the data folder, or "embedded"


def listing(data_dir: str | Path | None = None) -> list[Entry]:
    """Lists the datasets in `NAMES` and all other prepared sets that can be loaded. Reads only their metadata."""
    root, found = prepared.data_folder(data_dir), []
    for path in sorted([*root.glob("*/*/dataset_info.json"), *root.glob("*/*/*/dataset_info.json")]):
        name = path.parents[1].relative_to(root).as_posix()
        with suppress(ValueError, OSError):  # not an image classification, or damaged: `load` says which
            found.append((name, _entry(name, path.parent, root)))
    digits = _digits()
    counts = len(digits.class_names), len(digits.train.y), len(digits.test.y)
    entries = [Entry("digits", digits.train.x.shape[1:], *counts, "embedded")]
    for known in prepared.NAMES:
        entries += [entry for name, entry in found if name == known] or [Entry(known)]
    return entries + [entry for name, entry in found if name not in prepared.NAMES]


def _entry(name: str, folder: Path, root: Path) -> Entry:
    info, note = prepared.opened(folder).info, ""
    image, label = prepared.checked_features(name, info)
    if info.features[image].encoding_format == "jpeg":
        with suppress(ImportError, CorruptDatasetError):  # then the format that the set's builder writes is unknown
            note = prepared.note_of(prepared.open_builder(name, root), image)
    kind = info.features[image].shape, info.features[label].num_classes
    counts = (info.splits[split].num_examples for split in ("train", "test"))
    return Entry(f"{name} ({note})" if note else name, *kind, *counts, folder.relative_to(root).as_posix())
