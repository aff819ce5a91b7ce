"""Prepares small datasets of random images in the format of tensorflow-datasets."""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

Image, ClassLabel, Text = tfds.features.Image, tfds.features.ClassLabel, tfds.features.Text

CIFAR100 = {
    "id": Text(),
    "image": Image(shape=(32, 32, 3)),
    "label": ClassLabel(num_classes=100),
    "coarse_label": ClassLabel(num_classes=20),
}


def features(shape=(8, 8, 3), num_classes=10, **image):
    return {"image": Image(shape=shape, **image), "label": ClassLabel(num_classes=num_classes)}


def prepare(name, folder, features, *, version="1.0.0", splits=("train", "test"), examples=50):
    """Prepares a dataset of smooth random images, which JPEG changes slightly, with the labels 0, 1, 2, ... in turn."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: _examples(features, examples, seed) for seed, split in enumerate(splits)},
        data_dir=folder,
        disable_shuffling=True,
    )
    return folder / name / version


def _examples(features, count, seed):
    rng = np.random.default_rng(seed)
    values = {}
    for key, feature in features.items():
        if isinstance(feature, Image):
            height, width, channels = (8 if size is None else size for size in feature.shape)
            base = rng.integers(0, 200, (count, 1, 1, channels)) + np.arange(height)[:, None, None] * 2
            values[key] = (base + rng.integers(0, 20, (count, height, width, channels))).clip(0, 255).astype("uint8")
        elif isinstance(feature, ClassLabel):
            values[key] = np.arange(count) % feature.num_classes
        else:
            values[key] = np.array([f"{seed}-{index}" for index in range(count)])
    return tf.data.Dataset.from_tensor_slices(values)
