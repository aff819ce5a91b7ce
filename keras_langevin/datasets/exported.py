"""A dataset in one file, for machines without TensorFlow: an `.npz` of plain arrays, with a checksum."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_langevin.datasets import prepared
from keras_langevin.datasets.data import CorruptDatasetError, DatasetNotFoundError, Split, Stored
from keras_langevin.files import check_writable, replaced

FORMAT = 2
# Kind and number of axes of each array.
_ARRAYS = {"name": ("U", 0), "note": ("U", 0), "class_names": ("U", 1)} | {
    f"{part}_{name}": kind for part in ("train", "test") for name, kind in (("x", ("u", 4)), ("y", ("i", 1)))
}


class Export(NamedTuple):
    """What was written.

    Attributes:
        file: path.
        label: str, the dataset's name and note.
        num_images: int.
        num_bytes: int, the size of the file.
        sha256: str, the checksum of the content.
    """

    file: Path
    label: str
    num_images: int
    num_bytes: int
    sha256: str


def export(name: str, file: str | Path, *, data_dir: str | Path | None = None) -> Export:
    """Writes a dataset of tensorflow-datasets to one file, which `load(name, data_file=file)` reads without TensorFlow.

    The pixels are those that TensorFlow decodes, compressed without loss. The file is written whole or not at all.

    Args:
        name: str, as in `load`.
        file: where it goes; its folder exists. Conventionally `NAME.npz`.
        data_dir: as in `load`. Defaults to `None`.

    Raises:
        ValueError: the file cannot be written, or as in `load`.

    Example:

    >>> from keras_langevin import datasets
    >>> datasets.export("digits", "digits.npz")
    Traceback (most recent call last):
    ValueError: `digits` is embedded in scikit-learn and needs no file. Export a set of tensorflow-datasets.
    """
    if name == "digits":
        raise ValueError("`digits` is embedded in scikit-learn and needs no file. Export a set of tensorflow-datasets.")
    file = check_writable(file)
    stored = prepared.read(name, data_dir)
    parts = {"train": stored.train, "test": stored.test}
    arrays = {"name": np.array(name), "note": np.array(stored.note), "class_names": np.array(stored.class_names)}
    arrays |= {f"{part}_x": split.x for part, split in parts.items()}
    arrays |= {f"{part}_y": split.y for part, split in parts.items()}
    sha256 = _checksum(arrays)
    try:
        with replaced(file, "wb") as opened:
            np.savez_compressed(opened, **arrays, format=np.array(FORMAT), sha256=np.array(sha256))
    except OSError as error:
        raise ValueError(f"The file cannot be written. Received: {file} ({error.strerror}). Choose another.") from error
    label = f"{name} ({stored.note})" if stored.note else name
    return Export(file, label, len(stored.train.y) + len(stored.test.y), file.stat().st_size, sha256)


def read(name: str, file: str | Path) -> Stored:
    """Reads what `export` wrote. Needs neither TensorFlow nor tensorflow-datasets.

    Args:
        name: str, the dataset that is expected in it.
        file: the file.

    Raises:
        DatasetNotFoundError: there is no such file.
        CorruptDatasetError: the file is truncated, damaged or of another kind.
        ValueError: the file holds another dataset.
    """
    how = f"Write it with `keras-langevin data export {name} --out FILE` where TensorFlow is, and copy it here."
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = dict(opened.items())
        _check(arrays)
    except FileNotFoundError as error:
        raise DatasetNotFoundError(f"The data file does not exist. Received: {file}. {how}") from error
    except Exception as error:  # a damaged archive raises many kinds
        why = f"{error}".partition("\n")[0] or type(error).__name__
        raise CorruptDatasetError(f"{file} must be a whole data file. Received another ({why}). {how}") from error
    found = str(arrays["name"])
    if found != name:
        raise ValueError(f"A data file must hold the dataset. Received: {file} with {found!r} in place of {name!r}.")
    train, test = (Split(arrays[f"{part}_x"], arrays[f"{part}_y"]) for part in ("train", "test"))
    class_names, note = tuple(arrays["class_names"].tolist()), str(arrays["note"])
    return Stored(train, test, train.x.shape[1:], class_names, max_pixel=255, note=note, source=Path(file).name)


def _check(arrays: dict[str, np.ndarray]):
    """Refuses arrays that `export` cannot have written, whatever their checksum says."""
    version, sha256 = int(arrays.pop("format")), str(arrays.pop("sha256"))
    if version != FORMAT:
        raise ValueError(f"it has format {version} where this version reads {FORMAT}")
    if _checksum(arrays) != sha256:
        raise ValueError("its SHA-256 checksum does not match")
    for name, (kind, ndim) in _ARRAYS.items():
        if arrays[name].dtype.kind != kind or arrays[name].ndim != ndim:
            raise ValueError(f"`{name}` must be an array of kind {kind!r} with {ndim} axes")
    for part in ("train", "test"):
        x, y = arrays[f"{part}_x"], arrays[f"{part}_y"]
        if (
            x.dtype != "uint8"
            or x.shape[1:] != arrays["train_x"].shape[1:]
            or not x.size
            or x.shape[3] not in (1, 3, 4)
        ):
            raise ValueError(f"`{part}_x` must be images of one size, with 1, 3 or 4 channels of uint8")
        if len(x) != len(y) or y.min() < 0 or y.max() >= len(arrays["class_names"]):
            raise ValueError(f"`{part}_y` must have a class for each image")


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()
