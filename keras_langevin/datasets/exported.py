"""A dataset in one file, for machines without TensorFlow.

It is an `.npz` of plain arrays, without pickle: `format`, `name`, `note`, `class_names`, `shape`; for `train` and for
`test` the images as they are stored (PNG or JPEG), one after another, in `*_bytes`, where each begins and ends in
`*_offsets`, and `*_labels`; and `sha256`, the checksum of all others.
"""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_langevin.datasets import prepared
from keras_langevin.datasets.data import CorruptDatasetError, DatasetNotFoundError, Split, Stored
from keras_langevin.files import check_writable, replaced
from keras_langevin.names import shown

FORMAT = 1
_LARGEST_SIDE = 65_535  # pixels; of a JPEG
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


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

    The images stay encoded, so that the file is about as large as the prepared set. It is written whole or not at all.

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
    stored = prepared.read(name, data_dir, decode=False)
    arrays = {
        "format": np.array(FORMAT),
        "name": np.array(name),
        "note": np.array(stored.note),
        "class_names": np.array(stored.class_names),
        "shape": np.array(stored.shape),
    }
    for part, split in (("train", stored.train), ("test", stored.test)):
        ends = np.cumsum([len(image) for image in split.x], dtype="int64")
        arrays[f"{part}_bytes"] = np.frombuffer(b"".join(split.x), "uint8")
        arrays[f"{part}_offsets"] = np.concatenate([[0], ends])
        arrays[f"{part}_labels"] = split.y
    sha256 = _checksum(arrays)
    try:
        with replaced(file, "wb") as opened:
            np.savez(opened, **arrays, sha256=np.array(sha256))
    except OSError as error:
        raise ValueError(f"The file cannot be written. Received: {file} ({error.strerror}). Choose another.") from error
    label = f"{name} ({stored.note})" if stored.note else name
    return Export(file, label, len(stored.train.y) + len(stored.test.y), file.stat().st_size, sha256)


def read(name: str, file: str | Path) -> Stored:
    """Reads what `export` wrote, and decodes it with Pillow. Needs neither TensorFlow nor tensorflow-datasets.

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
        arrays = _arrays(Path(file))
        found = str(arrays["name"])
        if found != name:
            raise ValueError(
                f"A data file must hold the dataset. Received: {file} with {found!r} in place of {name!r}."
            )
        train, test = (_split(arrays, part) for part in ("train", "test"))
    except FileNotFoundError as error:
        raise DatasetNotFoundError(f"The data file does not exist. Received: {file}. {how}") from error
    except _Damaged as error:
        raise CorruptDatasetError(f"{file} must be a whole data file. Received another ({error}). {how}") from error
    class_names = tuple(arrays["class_names"].tolist())
    shape = tuple(arrays["shape"].tolist())
    return Stored(train, test, shape, class_names, max_pixel=255, note=str(arrays["note"]), source=Path(file).name)


class _Damaged(Exception):
    """What is wrong with a file."""


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = dict(opened.items())
        expected, version = str(arrays.pop("sha256")), int(arrays["format"])
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged archive raises many kinds
        raise _Damaged(f"{error}".partition("\n")[0] or type(error).__name__) from error
    if version != FORMAT:
        raise _Damaged(f"it has format {version} where this version reads {FORMAT}")
    if _checksum(arrays) != expected:
        raise _Damaged("its SHA-256 checksum does not match")
    _check(arrays)
    return arrays


def _check(arrays: dict[str, np.ndarray]):
    """Refuses arrays that `export` cannot have written, whatever their checksum says."""
    kinds = {"name": ("U", 0), "note": ("U", 0), "class_names": ("U", 1), "shape": ("i", 1)}
    for part in ("train", "test"):
        kinds |= {f"{part}_bytes": ("u", 1), f"{part}_offsets": ("i", 1), f"{part}_labels": ("i", 1)}
    for name, (kind, ndim) in kinds.items():
        array = arrays.get(name)
        if array is None or array.dtype.kind != kind or array.ndim != ndim:
            raise _Damaged(f"`{name}` must be an array of kind {kind!r} with {ndim} axes")
    shape, num_classes = arrays["shape"], len(arrays["class_names"])
    if len(shape) != 3 or shape[2] not in _MODES or not (shape[:2].min() >= 1 and shape[:2].max() <= _LARGEST_SIDE):
        raise _Damaged(
            f"`shape` must be height and width, from 1 to {_LARGEST_SIDE}, and {', '.join(map(str, _MODES))} channels, "
            f"not {shown(shape.tolist())}"
        )
    for part in ("train", "test"):
        encoded, offsets, labels = (arrays[f"{part}_{name}"] for name in ("bytes", "offsets", "labels"))
        if not len(labels) or len(offsets) != len(labels) + 1:
            raise _Damaged(f"`{part}_offsets` must be one more than `{part}_labels`, which must not be empty")
        if encoded.dtype != "uint8" or offsets[0] != 0 or offsets[-1] != len(encoded) or (np.diff(offsets) <= 0).any():
            raise _Damaged(f"`{part}_offsets` must rise from 0 to the number of `{part}_bytes`")
        if labels.min() < 0 or labels.max() >= num_classes:
            raise _Damaged(f"`{part}_labels` must be from 0 to {num_classes - 1}")


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _split(arrays: dict[str, np.ndarray], part: str) -> Split:
    from PIL import Image

    encoded, offsets = arrays[f"{part}_bytes"].tobytes(), arrays[f"{part}_offsets"]
    shape = tuple(arrays["shape"].tolist())
    try:
        pixels = np.empty((len(offsets) - 1, *shape), "uint8")
    except (MemoryError, ValueError) as error:
        raise _Damaged(f"{len(offsets) - 1} images of shape {shape} do not fit into memory") from error
    for index in range(len(pixels)):
        try:
            image = Image.open(io.BytesIO(encoded[offsets[index] : offsets[index + 1]]), formats=("PNG", "JPEG"))
            pixels[index] = np.asarray(image.convert(_MODES[shape[2]])).reshape(shape)
        except Exception as error:  # a damaged image raises many kinds
            raise _Damaged(f"{part} image {index}: {error}") from error
    return Split(pixels, arrays[f"{part}_labels"])
