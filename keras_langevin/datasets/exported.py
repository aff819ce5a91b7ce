"""A dataset in one file, for machines without TensorFlow: an `.npz` of plain arrays, each with zip's CRC-32."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_langevin.datasets import prepared
from keras_langevin.datasets.data import CorruptDatasetError, Data, DatasetNotFoundError, Split
from keras_langevin.files import check_writable, replaced

_FORMAT = 2


class Export(NamedTuple):
    file: Path
    label: str  # the dataset's name and note
    num_images: int
    num_bytes: int  # the size of the file


def export(name: str, file: str | Path, *, data_dir: str | Path | None = None) -> Export:
    """Writes a dataset of tensorflow-datasets to one file, which `load(name, data_file=file)` reads without TensorFlow.

    Args:
        name, data_dir: as in `load`.
        file: the path, by convention `NAME.npz`, in an existing folder. The file is written whole or not at all.

    Example:

    >>> from keras_langevin import datasets
    >>> datasets.export("digits", "digits.npz")
    Traceback (most recent call last):
    ValueError: `digits` is embedded in scikit-learn and needs no file. Export a set of tensorflow-datasets.
    """
    if name == "digits":
        raise ValueError("`digits` is embedded in scikit-learn and needs no file. Export a set of tensorflow-datasets.")
    file = check_writable(file)
    data = prepared.read(name, data_dir)
    texts = {"name": name, "note": data.note, "class_names": data.class_names, "format": _FORMAT}
    arrays = {"train_x": data.train.x, "train_y": data.train.y, "test_x": data.test.x, "test_y": data.test.y}
    try:
        with replaced(file, "wb") as opened:
            np.savez_compressed(opened, **arrays, **texts)
    except OSError as error:
        raise ValueError(f"The file cannot be written. Received: {file} ({error.strerror}). Choose another.") from error
    return Export(file, data.label, len(data.train.y) + len(data.test.y), file.stat().st_size)


def read(name: str, file: str | Path) -> Data:
    """Reads the dataset `name`, without a validation split, from a file that `export` wrote. Needs no TensorFlow."""
    how = f"Write it with `keras-langevin data export {name} --out FILE` where TensorFlow is, and copy it here."
    try:
        with np.load(file, allow_pickle=False) as opened:
            data = _checked(opened, Path(file).name)
    except FileNotFoundError as error:
        raise DatasetNotFoundError(f"The data file does not exist. Received: {file}. {how}") from error
    except Exception as error:  # a damaged archive raises errors of many kinds
        why = f"{error}".partition("\n")[0] or type(error).__name__
        raise CorruptDatasetError(f"{file} must be a whole data file. Received another ({why}). {how}") from error
    if data.name != name:
        raise ValueError(f"{file} must hold the dataset {name!r}. Received: {data.name!r}. Choose another file.")
    return data


def _checked(arrays, source: str) -> Data:
    if (version := int(arrays["format"])) != _FORMAT:
        raise ValueError(f"it has format {version}, but this version reads format {_FORMAT}")
    names = arrays["class_names"]
    if names.dtype.kind != "U" or names.ndim != 1:
        raise ValueError("`class_names` must be an array of strings")
    train, test = (Split(arrays[f"{part}_x"], arrays[f"{part}_y"]) for part in ("train", "test"))
    for x, y in (train, test):
        if x.dtype != "uint8" or x.ndim != 4 or x.shape[3] not in (1, 3, 4) or not x.size:
            raise ValueError("examples must be images with 1, 3 or 4 channels of uint8")
        if y.dtype.kind != "i" or y.shape != x.shape[:1] or y.min() < 0 or y.max() >= len(names):
            raise ValueError("each image must have a class")
    if train.x.shape[1:] != test.x.shape[1:]:
        raise ValueError("all images must have the same size")
    return Data(str(arrays["name"]), train, None, test, tuple(names.tolist()), 255, str(arrays["note"]), source)
