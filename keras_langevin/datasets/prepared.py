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

import numpy as np

from keras_langevin.datasets.data import CorruptDatasetError, DatasetNotFoundError, Split, Stored
from keras_langevin.names import unknown

NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100")


def read(name: str, data_dir: str | Path | None = None) -> Stored:
    """Reads a set, and prepares it first where it must be.

    Args:
        name: str, as tensorflow-datasets writes it: `"mnist"`, `"eurosat/rgb"`.
        data_dir: as in `load`. Defaults to `None`.

    Raises:
        ValueError, DatasetNotFoundError, CorruptDatasetError: as in `load`.
    """
    _import_tensorflow(name)
    builder = open_builder(name, data_dir)
    features = builder.info.features
    image, label = image_and_label(name, features)
    if not builder.is_prepared():
        try:
            _check_network(builder)
            builder.download_and_prepare()
        except Exception as error:  # tfds raises many kinds: what matters is that the data is not there
            raise DatasetNotFoundError(_not_found(name, builder, error)) from error
    check_splits(name, builder.info.splits)
    train, test = (_read_split(builder, split, image, label) for split in ("train", "test"))
    names = tuple(features[label].names)
    return Stored(train, test, features[image].shape, names, 255, note_of(builder, image), builder.info.full_name)


def data_folder(data_dir: str | Path | None = None) -> Path:
    """Where sets are looked for: the argument, `TFDS_DATA_DIR`, or tensorflow-datasets' default, in that order."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def image_and_label(name: str, features) -> tuple[str, str]:
    """The keys of the image and of the label in tensorflow-datasets' features.

    Raises:
        ValueError: not one uint8 image of one size, or not one label of known classes.
    """
    import tensorflow_datasets as tfds

    keys = []
    for kind, usual in ((tfds.features.Image, "image"), (tfds.features.ClassLabel, "label")):
        found = [key for key, feature in features.items() if isinstance(feature, kind)]
        keys += [usual] if usual in found else found if len(found) == 1 else []
    if len(keys) != 2:
        raise ValueError(
            f"A dataset must have an image and a class label. Received: {name!r} with "
            f"{', '.join(sorted(features)) or 'no features'}. Choose one of tensorflow-datasets' image classification."
        )
    image, label = (features[key] for key in keys)
    if len(image.shape) != 3 or None in image.shape:
        raise ValueError(
            f"The images of a dataset must be of one size. Received: {name!r} with images of varying size. Choose a "
            "set that is resized already, or prepare a resized copy as a tensorflow-datasets set of your own."
        )
    if np.dtype(image.np_dtype) != "uint8" or image.shape[2] not in (1, 3, 4):
        raise ValueError(
            "The images of a dataset must have 1, 3 or 4 channels of uint8. "
            f"Received: {name!r} with {image.shape[2]} of {np.dtype(image.np_dtype)}. Choose another set."
        )
    if (label.num_classes or 0) < 2:
        raise ValueError(
            f"A dataset must have at least two classes. Received: {name!r} with {label.num_classes}. Choose another "
            "set."
        )
    return keys[0], keys[1]


def open_builder(name: str, data_dir: str | Path | None = None):
    """tensorflow-datasets' builder of a set. It does not load TensorFlow."""
    import tensorflow_datasets as tfds

    known = ("digits", *NAMES, "and tensorflow-datasets' image-classification sets")
    try:
        if not re.fullmatch(r"\w+(/[\w.-]+)?(:\d+\.\d+\.\d+)?", name):
            raise tfds.core.DatasetNotFoundError
        with _without_absl_warnings():  # about a folder that is not there: `_not_found` says it better
            return tfds.builder(name, data_dir=data_dir or os.environ.get("TFDS_DATA_DIR") or None)
    except tfds.core.DatasetNotFoundError:
        also = tfds.list_builders(with_community_datasets=False)
        raise unknown("dataset", name, known, also=also) from None
    except Exception as error:  # of many kinds: a configuration or version that there is not, a damaged file
        raise CorruptDatasetError(
            f"tensorflow-datasets cannot open {name!r} in {data_folder(data_dir)} ({_first_line(error)}). "
            "Check the name; if its files there are damaged, copy them again, or remove them."
        ) from error


def opened(folder: str | Path):
    """The builder of what is prepared in a folder, by its metadata."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder_from_directory(str(folder))
    except Exception as error:  # of many kinds
        raise CorruptDatasetError(
            f"The metadata in {folder} cannot be read ({_first_line(error)}). Copy them again."
        ) from error


def check_splits(name: str, splits):
    if not {"train", "test"} <= set(splits):
        raise ValueError(
            f"A dataset must have a `train` and a `test` split. Received: {name!r} with {', '.join(sorted(splits))}. "
            "Choose another set."
        )


def note_of(builder, image: str) -> str:
    """`"JPEG copy"` where JPEG is stored that the set's own builder would not have written; else empty."""
    stored = dict(opened(builder.data_dir).info.features.items())
    is_copy = getattr(stored.get(image), "encoding_format", None) == "jpeg"
    is_copy = is_copy and builder.info.features[image].encoding_format != "jpeg"
    return "JPEG copy" if is_copy else ""


def _read_split(builder, split: str, image: str, label: str) -> Split:
    """A split, in the order of its files.

    JPEG is decoded with the accurate discrete cosine transform, not with TensorFlow's quick default, so that the pixels
    are those that Pillow decodes. (On CIFAR-10 as JPEG the default differs in two thirds of them, by up to 5 of 255.)
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    @tfds.decode.make_decoder(output_dtype=tf.uint8)
    def exact(image, feature):
        pixels = tf.io.decode_jpeg(image, channels=feature.shape[-1], dct_method="INTEGER_ACCURATE")  # PNG as well
        return tf.ensure_shape(pixels, feature.shape)

    decoders = tfds.decode.PartialDecoding({image: True, label: True}, decoders={image: exact()})
    try:
        examples = builder.as_dataset(split=split, batch_size=-1, decoders=decoders)
    except tf.errors.OpError as error:
        raise CorruptDatasetError(
            f"{_what_is_wrong(builder, split, error)}. Copy it again, or remove the folder {builder.data_dir}, and the "
            "set is prepared anew."
        ) from error
    labels = examples[label].numpy().astype("int32")
    if len(labels) == 0 or labels.min() < 0:
        raise ValueError(
            f"All examples of a dataset must have a label. Received: {builder.name!r}, where the {split} split is "
            "empty or has examples without. Choose another set."
        )
    return Split(examples[image].numpy(), labels)


def _what_is_wrong(builder, split: str, error: Exception) -> str:
    """Names the first record file of the split that is not whole, and says what is wrong with it."""
    import tensorflow as tf

    info = builder.info.splits[split]
    for path, expected in zip(info.filepaths, info.shard_lengths, strict=True):
        if not Path(path).exists():
            return f"{path} is missing"
        try:
            count = sum(1 for _ in tf.data.TFRecordDataset(str(path)))
        except tf.errors.OpError as damage:
            return f"{path} is damaged ({damage.message})"
        if count != expected:
            return f"{path} is truncated: it holds {count} of {expected} examples"
    return f"{builder.data_dir} has an image in its {split} split that cannot be decoded ({error.message[:200]})"


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
    root = Path(builder.data_dir_root)
    return (
        f"Dataset {name!r} is not prepared in {root}, and downloading it failed ({_first_line(error)}). Prepare it "
        f"where there is a network, with `tfds build {name}`, copy the folder "
        f"`{Path(builder.data_dir).relative_to(root)}` to this machine, and set TFDS_DATA_DIR (or --data-dir) to the "
        "folder that holds it."
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
