"""Datasets that tensorflow-datasets prepares, looked up in the places that its users expect."""

import logging
import os
import re
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np

from keras_langevin.datasets.data import CorruptDatasetError, Data, DatasetNotFoundError, Split
from keras_langevin.names import printable, shown, unknown
from keras_langevin.quiet import without_log_lines

NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100")


def read(name: str, data_dir: str | Path | None = None) -> Data:
    """Reads a set without a validation split, and prepares it first if necessary. Arguments and errors as in `load`."""
    alone = "tensorflow" not in sys.modules
    try:
        with without_log_lines():
            import tensorflow as tf
            import tensorflow_datasets  # noqa: F401
    except ImportError as error:
        raise DatasetNotFoundError(
            f"Dataset {name!r} needs tensorflow-datasets, which cannot be imported ({_first_line(error)}). "
            'Run: pip install "keras-langevin[experiments,tensorflow]". Or run '
            f"`keras-langevin data export {name} --out FILE` where it is, copy FILE here, and give --data-file FILE."
        ) from error
    if alone:  # another backend trains; TensorFlow, which only reads here, would take all of a GPU's memory
        tf.config.set_visible_devices([], "GPU")
    builder = open_builder(name, data_dir)
    image, label = checked_features(name, builder.info, with_splits=False)
    if not builder.is_prepared():
        try:
            # check first: tensorflow-datasets retries a host that does not resolve for minutes
            hosts = {urlsplit(url).hostname for url in builder.url_infos}
            for host in sorted(hosts) if not getproxies() else ():
                socket.getaddrinfo(host, 443)
            builder.download_and_prepare()
        except Exception as error:  # tfds raises errors of many kinds; all mean that the data are missing
            root, folder = Path(builder.data_dir_root), Path(builder.data_dir)
            raise DatasetNotFoundError(
                f"Dataset {name!r} is not prepared in {root}, and downloading it failed ({_first_line(error)}). "
                f"Prepare it where there is a network, with `tfds build {name}`, copy `{folder.relative_to(root)}` to "
                "this machine, and set TFDS_DATA_DIR (or --data-dir) to the folder that holds it."
            ) from error
    checked_features(name, builder.info)
    train, test = (_read_split(builder, split, image, label) for split in ("train", "test"))
    class_names = tuple(builder.info.features[label].names)
    return Data(name, train, None, test, class_names, 255, note_of(builder, image), builder.info.full_name)


def data_folder(data_dir: str | Path | None = None) -> Path:
    """Returns the folder of the sets: the argument, else `TFDS_DATA_DIR`, else tensorflow-datasets' default."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def checked_features(name: str, info, *, with_splits: bool = True) -> tuple[str, str]:
    """Returns the keys of the image and the label, or raises `ValueError` if `load` cannot load such a set."""
    import tensorflow_datasets as tfds

    def key(kind, usual: str) -> str | None:
        found = [key for key, feature in info.features.items() if isinstance(feature, kind)]
        return usual if usual in found else found[0] if len(found) == 1 else None

    image, label = key(tfds.features.Image, "image"), key(tfds.features.ClassLabel, "label")
    shape, dtype = (info.features[image].shape, info.features[image].np_dtype) if image else ((), None)
    is_right = len(shape) == 3 and None not in shape and shape[2] in (1, 3, 4) and np.dtype(dtype) == "uint8"
    if image is None or label is None or not is_right or (info.features[label].num_classes or 0) < 2:
        received = (f"{key}: {printable(shown(feature))}" for key, feature in sorted(info.features.items()))
        raise ValueError(
            "A dataset must have uint8 images of one size with 1, 3 or 4 channels, and a class label of at least two "
            f"classes. Received: {name!r} with {', '.join(received)}. Choose another set, or prepare a resized copy."
        )
    if with_splits and not {"train", "test"} <= set(info.splits):
        raise ValueError(
            f"A dataset must have a `train` and a `test` split. Received: {name!r} with "
            f"{', '.join(sorted(info.splits))}. Choose another set."
        )
    return image, label


def open_builder(name: str, data_dir: str | Path | None = None):
    """Returns tensorflow-datasets' builder of a set, without loading TensorFlow."""
    import tensorflow_datasets as tfds

    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)  # no warning about a missing folder: the error of `read` is clearer
    try:
        if not re.fullmatch(r"\w+(/[\w.-]+)?(:\d+\.\d+\.\d+)?", name):
            raise tfds.core.DatasetNotFoundError
        return tfds.builder(name, data_dir=data_dir or os.environ.get("TFDS_DATA_DIR") or None)
    except tfds.core.DatasetNotFoundError:
        known = ("digits", *NAMES, "and tensorflow-datasets' image-classification sets")
        raise unknown("dataset", name, known, tfds.list_builders(with_community_datasets=False)) from None
    except Exception as error:  # many kinds: an unknown configuration or version, a damaged file
        raise CorruptDatasetError(
            f"tensorflow-datasets cannot open {name!r} in {data_folder(data_dir)} ({_first_line(error)}). "
            "Check the name; if its files there are damaged, copy them again, or remove them."
        ) from error
    finally:
        absl.setLevel(level)


def opened(folder: str | Path):
    """Returns the builder of the prepared set in a folder, from its metadata."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder_from_directory(str(folder))
    except Exception as error:  # many kinds
        raise CorruptDatasetError(
            f"The metadata in {folder} cannot be read ({_first_line(error)}). Copy them again."
        ) from error


def note_of(builder, image: str) -> str:
    """Returns `"JPEG copy"` if JPEG is stored where the set's own builder writes another format, else `""`."""
    stored = dict(opened(builder.data_dir).info.features.items()).get(image)
    is_jpeg = getattr(stored, "encoding_format", None) == "jpeg"
    return "JPEG copy" if is_jpeg and builder.info.features[image].encoding_format != "jpeg" else ""


def _read_split(builder, split: str, image: str, label: str) -> Split:
    """Reads a split in the order of its files. Decodes JPEG with the accurate discrete cosine transform, as Pillow
    does. With TensorFlow's default, two thirds of the pixels of CIFAR-10 differ, by up to 5 of 255.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    @tfds.decode.make_decoder(output_dtype=tf.uint8)
    def exact(image, feature):
        pixels = tf.io.decode_jpeg(image, channels=feature.shape[-1], dct_method="INTEGER_ACCURATE")  # also PNG
        return tf.ensure_shape(pixels, feature.shape)

    decoders = tfds.decode.PartialDecoding({image: True, label: True}, decoders={image: exact()})
    try:
        examples = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, decoders=decoders))
    except tf.errors.OpError as error:
        raise CorruptDatasetError(
            f"{_what_is_wrong(builder, split, error)}. Copy it again, or remove the folder {builder.data_dir} to "
            "prepare the set again."
        ) from error
    labels = examples[label].astype("int32")
    if len(labels) == 0 or labels.min() < 0:
        raise ValueError(
            f"All examples of a dataset must have a label. Received: {builder.name!r}, where the {split} split is "
            "empty or has unlabelled examples. Choose another set."
        )
    return Split(examples[image], labels)


def _what_is_wrong(builder, split: str, error: Exception) -> str:
    """Names the first record file of the split that is missing or damaged, and says what is wrong with it."""
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


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
