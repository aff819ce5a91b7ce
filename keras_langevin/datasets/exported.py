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

FORMAT = 1
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
    mend = f"Write it with `keras-langevin data export {name} --out FILE` where TensorFlow is, and copy it here."
    try:
        arrays = _arrays(Path(file))
        found = str(arrays["name"])
        if found != name:
            raise ValueError(
                f"A data file must hold the dataset. Received: {file} with {found!r} in place of {name!r}."
            )
        train, test = (_split(arrays, part) for part in ("train", "test"))
    except FileNotFoundError as error:
        raise DatasetNotFoundError(f"There is no data file {file}. {mend}") from error
    except _Damaged as error:
        raise CorruptDatasetError(f"{file} is no whole data file ({error}). {mend}") from error
    class_names = tuple(str(class_name) for class_name in arrays["class_names"])
    shape = tuple(int(size) for size in arrays["shape"])
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
    return arrays


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _split(arrays: dict[str, np.ndarray], part: str) -> Split:
    from PIL import Image

    encoded, offsets = arrays[f"{part}_bytes"].tobytes(), arrays[f"{part}_offsets"]
    shape = tuple(arrays["shape"])
    pixels = np.empty((len(offsets) - 1, *shape), "uint8")
    for index in range(len(pixels)):
        try:
            image = Image.open(io.BytesIO(encoded[offsets[index] : offsets[index + 1]]), formats=("PNG", "JPEG"))
            pixels[index] = np.asarray(image.convert(_MODES[shape[2]])).reshape(shape)
        except (OSError, ValueError) as error:
            raise _Damaged(f"{part} image {index}: {error}") from error
    return Split(pixels, arrays[f"{part}_labels"])
