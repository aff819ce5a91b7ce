"""What a set of tensorflow-datasets holds, told from its `features.json`."""

import json
from pathlib import Path
from typing import NamedTuple

from keras_langevin.datasets.data import CorruptDatasetError


class ImageFeatures(NamedTuple):
    """The image and the label of an example.

    Attributes:
        image, label: str, their keys.
        shape: tuple of ints, (height, width, channels).
        num_classes: int.
        encoding: str, `"jpeg"` or `"png"` where the file says so, else empty (tensorflow-datasets then writes arrays as
            PNG, and leaves encoded images as they are).
    """

    image: str
    label: str
    shape: tuple[int, ...]
    num_classes: int
    encoding: str


def image_features(name: str, features: dict) -> ImageFeatures:
    """Finds the image and the label.

    Args:
        name: str, the dataset, for the errors.
        features: dict, the features of an example by key, as in `features.json`.

    Raises:
        ValueError: not one uint8 image of one size, or not one label of known classes.

    Example:

    >>> image = {"pythonClassName": "Image", "image": {"shape": {"dimensions": ["8", "8", "1"]}, "dtype": "uint8"}}
    >>> label = {"pythonClassName": "ClassLabel", "classLabel": {"numClasses": "10"}}
    >>> image_features("tiny", {"image": image, "label": label}).shape
    (8, 8, 1)
    """
    image = _the_one(features, "image", usual="image")
    label = _the_one(features, "classLabel", usual="label")
    if image is None or label is None:
        raise ValueError(
            f"A dataset must have an image and a class label. Received: {name!r} with "
            f"{', '.join(sorted(features)) or 'no features'}. Choose one of tensorflow-datasets' image classification."
        )
    described = features[image]["image"]
    shape = tuple(int(size) for size in described.get("shape", {}).get("dimensions", ()))
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"The images of a dataset must be of one size. Received: {name!r} with images of varying size. Choose a "
            "set that is resized already, or prepare a resized copy as a tensorflow-datasets set of your own."
        )
    if described.get("dtype", "uint8") != "uint8" or shape[2] not in (1, 3, 4):
        raise ValueError(
            "The images of a dataset must have 1, 3 or 4 channels of uint8. "
            f"Received: {name!r} with {shape[2]} of {described.get('dtype', 'uint8')}. Choose another set."
        )
    num_classes = int(features[label]["classLabel"].get("numClasses", 0))
    if num_classes < 2:
        raise ValueError(
            f"A dataset must have at least two classes. Received: {name!r} with {num_classes}. Choose another set."
        )
    return ImageFeatures(image, label, shape, num_classes, described.get("encodingFormat", ""))


def read_features(folder: Path) -> dict:
    """The features of the set that is prepared in a folder, by key; none where its file is missing or of an old form.

    Raises:
        CorruptDatasetError: the file is no JSON.
    """
    path = folder / "features.json"
    try:
        return json.loads(path.read_text("utf-8"))["featuresDict"]["features"]
    except (FileNotFoundError, KeyError, TypeError):
        return {}
    except ValueError as error:
        raise CorruptDatasetError(f"{path} is not readable as JSON ({error}). Copy the file again.") from error


def _the_one(features: dict, kind: str, usual: str) -> str | None:
    keys = [key for key, value in features.items() if kind in value]
    if usual in keys:
        return usual
    return keys[0] if len(keys) == 1 else None
