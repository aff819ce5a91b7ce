"""The batches of a run: a pure function of the seed."""

from functools import lru_cache

import keras
import numpy as np

from keras_langevin import datasets


class Batches(keras.utils.PyDataset):
    """All batches of a run, one epoch after another: a pure function of the seed, the epoch and the step.

    There is no state here, because Keras calls `on_epoch_end` also where it resets an iterator. To be used with
    `fit(..., steps_per_epoch=batches.steps_per_epoch, shuffle=False)`: Keras would shuffle the batches once more.

    Args:
        split: examples and labels.
        batch_size: int; what is left over after an epoch's last whole batch comes in another epoch.
        epochs: int.
        seed: int.
        first_epoch: int, the epoch to begin with. Defaults to 0.
        indices: bool, whether a batch has the examples' indices, an int32 array, in place of the examples. Defaults to
            `False`.
    """

    def __init__(
        self,
        split: datasets.Split,
        batch_size: int,
        epochs: int,
        seed: int,
        first_epoch: int = 0,
        indices: bool = False,
    ):
        super().__init__()
        self.indices = indices
        self.split, self.batch_size, self.epochs, self.first_epoch = split, batch_size, epochs, first_epoch
        self.steps_per_epoch = len(split.x) // batch_size
        self.order = lru_cache(maxsize=2)(lambda epoch: np.random.default_rng((seed, epoch)).permutation(len(split.x)))

    def __len__(self) -> int:
        return (self.epochs - self.first_epoch) * self.steps_per_epoch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, step = divmod(index, self.steps_per_epoch)
        chosen = self.order(self.first_epoch + epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        return chosen.astype("int32") if self.indices else self.split.x[chosen], self.split.y[chosen]
