"""Datasets that tensorflow-datasets prepares, found the way its users expect."""

import logging
import os
import re
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from keras_langevin.datasets import records
from keras_langevin.datasets.data import CorruptDatasetError, DatasetNotFoundError, Stored
from keras_langevin.datasets.features import ImageFeatures, image_features, read_features
from keras_langevin.names import unknown

NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100")


def read(name: str, data_dir: str | Path | None = None, *, decode: bool = True) -> Stored:
    """Reads a set, and prepares it first where it must be.

    Args:
        name: str, as tensorflow-datasets writes it: `"mnist"`, `"eurosat/rgb"`.
        data_dir: as in `load`. Defaults to `None`.
        decode: bool. Where it is false, the examples are the images as they are stored: an object array of bytes, of
            shape `(num_examples,)`. Defaults to `True`.

    Raises:
        ValueError, DatasetNotFoundError, CorruptDatasetError: as in `load`.
    """
    _import_tensorflow(name)
    builder = open_builder(name, data_dir)
    kind = described(name, builder)
    if not builder.is_prepared():
        try:
            _check_network(builder)
            builder.download_and_prepare()
        except Exception as error:  # tfds raises many kinds: what matters is that the data is not there
            raise DatasetNotFoundError(_not_found(name, builder, error)) from error
    check_splits(name, builder.info.splits)
    train, test = (records.read(builder, split, kind, decode) for split in ("train", "test"))
    names = tuple(builder.info.features[kind.label].names)
    return Stored(
        train, test, kind.shape, names, max_pixel=255, note=note(builder, kind), source=builder.info.full_name
    )


def open_builder(name: str, data_dir: str | Path | None = None):
    """tensorflow-datasets' builder of a set. It does not load TensorFlow."""
    import tensorflow_datasets as tfds

    if not re.fullmatch(r"\w+(/[\w.-]+)?(:\d+\.\d+\.\d+)?", name):
        raise _unknown(name)
    with _without_absl_warnings():  # about a folder that is not there: `_not_found` says it better
        try:
            return tfds.builder(name, data_dir=data_dir or os.environ.get("TFDS_DATA_DIR") or None)
        except tfds.core.DatasetNotFoundError:
            raise _unknown(name) from None
        except Exception as error:  # of many kinds: a configuration or version that there is not, a damaged file
            raise CorruptDatasetError(
                f"tensorflow-datasets cannot open {name!r} in {data_folder(data_dir)} ({_first_line(error)}). "
                "Check the name; if its files there are damaged, copy them again, or remove them."
            ) from error


def _unknown(name: str) -> ValueError:
    import tensorflow_datasets as tfds

    known = ("digits", *NAMES, "and tensorflow-datasets' image-classification sets")
    return unknown("dataset", name, known, also=tfds.list_builders(with_community_datasets=False))


def data_folder(data_dir: str | Path | None = None) -> Path:
    """Where sets are looked for: the argument, `TFDS_DATA_DIR`, or tensorflow-datasets' default, in that order."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def described(name: str, builder) -> ImageFeatures:
    """The image and the label by the set's builder; raises `ValueError` where there are not these two."""
    return image_features(name, builder.info.features.to_json()["content"]["features"])


def check_splits(name: str, splits):
    """Raises `ValueError` where `train` or `test` is not among the names of the splits."""
    if not {"train", "test"} <= set(splits):
        raise ValueError(
            f"A dataset must have a `train` and a `test` split. Received: {name!r} with {', '.join(sorted(splits))}. "
            "Choose another set."
        )


def note(builder, kind: ImageFeatures) -> str:
    """`"JPEG copy"` where JPEG is stored that the set's own builder would not have written; else empty."""
    stored = read_features(Path(builder.data_dir)).get(kind.image, {}).get("image", {}).get("encodingFormat")
    return "JPEG copy" if stored == "jpeg" and kind.encoding != "jpeg" else ""


def _import_tensorflow(name: str):
    alone = "tensorflow" not in sys.modules
    try:
        import tensorflow as tf
        import tensorflow_datasets  # noqa: F401
    except ImportError as error:
        raise DatasetNotFoundError(
            f"Dataset {name!r} comes through tensorflow-datasets, which cannot be imported ({_first_line(error)}). "
            f"Install tensorflow-datasets and tensorflow; or run `keras-langevin data export {name} --out FILE` where "
            "they are, copy FILE to this machine, and load it with data_file=FILE (--data-file FILE)."
        ) from error
    if alone:  # another backend trains, and TensorFlow, which only reads, would take all of a GPU's memory
        tf.config.set_visible_devices([], "GPU")


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


def _not_found(name: str, builder, error: Exception) -> str:
    folder = Path(builder.data_dir)
    root = Path(builder.data_dir_root)
    return (
        f"Dataset {name!r} is not prepared in {root}, and downloading it failed ({_first_line(error)}). "
        f"Prepare it where there is a network, with `tfds build {name}`, copy the folder `{folder.relative_to(root)}` "
        "to this machine, and set TFDS_DATA_DIR (or --data-dir) to the folder that holds it."
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
