"""The examples of a run: its batches, a pure function of the seed, and a table of all images on the device."""

from functools import lru_cache
from weakref import WeakValueDictionary

import keras
import numpy as np
from keras import ops

from keras_langevin.datasets import Data, Split
from keras_langevin.experiments.machine import has_accelerator
from keras_langevin.models.initial_kernels import LSUV_IMAGES

_SPLITS = ("train", "validation", "test")


class Batches(keras.utils.PyDataset):
    """All batches of a run, one epoch after another: a pure function of the seed, the epoch and the step. With
    `indices`, a batch has the indices of the images instead. `fit` needs `steps_per_epoch` and `shuffle=False`.
    """

    def __init__(
        self, split: Split, batch_size: int, epochs: int, seed: int, first_epoch: int = 0, indices: bool = False
    ):
        super().__init__()
        self.split, self.batch_size, self.indices = split, batch_size, indices
        self.steps_per_epoch = len(split.x) // batch_size
        self.steps = range(first_epoch * self.steps_per_epoch, epochs * self.steps_per_epoch)
        self.order = lru_cache(maxsize=2)(lambda epoch: np.random.default_rng((seed, epoch)).permutation(len(split.x)))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, step = divmod(self.steps[index], self.steps_per_epoch)
        chosen = self.order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        return chosen.astype("int32") if self.indices else self.split.x[chosen], self.split.y[chosen]


def first_images(data: Data) -> np.ndarray:
    """Returns the training images that `models.build` needs for `lsuv-`, with pixels in [0, 1]."""
    return data.train.x[:LSUV_IMAGES].astype("float32") / data.max_pixel


def is_wanted(data_on_device: bool | None) -> bool:
    """Returns whether to keep the images on the device. `None`: if the backend computes on an accelerator."""
    if data_on_device is None:
        return has_accelerator()
    if not isinstance(data_on_device, bool):
        raise ValueError(
            "`data_on_device` must be True, False, or None for yes on an accelerator. "
            f"Received: data_on_device={data_on_device!r}. Leave it out for None."
        )
    return data_on_device


class ImageTable(keras.layers.Layer):
    """Turns indices into images; training images come first. Its variable is not a weight."""

    def __init__(self, data: Data):
        super().__init__(name="image_table", dtype="float32")  # it computes nothing in this dtype
        self.data = data
        images = self._stored()
        self.images = keras.Variable(images, dtype=str(images.dtype), trainable=False, autocast=False, name="images")

    @classmethod
    def of(cls, data: Data) -> "ImageTable":
        """Returns the only table of these images, which lives as long as a model uses it."""
        table = _TABLES.get(data.sha256)
        if table is None:
            table = _TABLES[data.sha256] = cls(data)
        return table

    def before(self, model: keras.Model) -> keras.Model:
        """Returns a model that takes indices and passes their images to `model`."""
        indices = keras.Input((), dtype="int32", name="indices")
        return keras.Model(indices, model(self(indices)), name=f"indexed_{model.name}")

    def indices(self, split: str) -> np.ndarray:
        """Returns the indices of a split, an int32 array of shape `(num_examples,)`."""
        first = sum(len(getattr(self.data, name).x) for name in _SPLITS[: _SPLITS.index(split)])
        return np.arange(first, first + len(getattr(self.data, split).x), dtype="int32")

    def restore(self):
        """Puts the images on the device again if a failed step on JAX freed the memory of all variables."""
        if keras.backend.backend() == "jax" and (self.images._value is None or self.images._value.is_deleted()):
            self.images.assign(self._stored())

    def _stored(self) -> np.ndarray:
        return np.concatenate([getattr(self.data, name).x for name in _SPLITS])

    def call(self, indices):
        return ops.take(self.images, indices, axis=0)

    def compute_output_spec(self, indices):
        return keras.KerasTensor((*indices.shape, *self.images.shape[1:]), dtype=self.images.dtype)


_TABLES: WeakValueDictionary[str, ImageTable] = WeakValueDictionary()
