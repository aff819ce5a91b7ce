"""The statistics of batch normalization for given weights."""

from functools import partial

import keras
import numpy as np
from keras import ops

_STATISTICS = ("moving_mean", "moving_variance")


class BatchNormStatistics:
    """Computes, for whatever weights the model has at the time, what its `BatchNormalization` layers keep.

    A layer in training mode makes moving ← momentum · moving + (1 − momentum) · batch's. From moving = 0 that is
    (1 − momentum) · batch's: the batch's own follows, by the layer's own code and with nothing else to be traced.

    Args:
        model: a built Keras model.

    Raises:
        ValueError: it has no such layers, or one of a kind that this cannot be done with.
    """

    def __init__(self, model):
        self.model = model
        found = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
        layers = [layer for layer in found if layer.trainable]  # a frozen one uses what it keeps in training, too
        if not layers:
            raise ValueError(
                "The model must have BatchNormalization layers that are trained. Received: a model without. Its "
                "samples need nothing of this: leave the call out."
            )
        for layer in layers:
            if not layer.momentum < 1 or getattr(layer, "renorm", False):
                raise ValueError(
                    "A BatchNormalization layer must have a momentum below 1 and no `renorm`. Received: "
                    f"momentum={layer.momentum}, renorm={getattr(layer, 'renorm', False)} in {layer.path}. Use the "
                    "statistics that were stored with the samples."
                )
        self._slots = [(layer.momentum, getattr(layer, name)) for layer in layers for name in _STATISTICS]
        self._forward = _InTraining(model)

    def recomputed(self, arrays: list[np.ndarray], x, batch_size: int) -> list[np.ndarray]:
        """A sample's arrays, with the means over the batches of `x` in place of the statistics.

        Args:
            arrays: list of arrays, those of `model.weights`, which the model has at the time.
            x: array, or a list, tuple or dict of arrays of shape `(num_examples, ...)`.
            batch_size: int; the last batch may be smaller, and weighs less.
        """
        sums = [0.0] * len(self._slots)
        size = len(keras.tree.flatten(x)[0])
        for start in range(0, size, batch_size):
            for _, variable in self._slots:
                variable.assign(np.zeros(variable.shape))
            batch = keras.tree.map_structure(partial(_rows, slice(start, start + batch_size)), x)
            self._forward.predict_on_batch(batch)
            share = min(batch_size, size - start) / size
            for number, (momentum, variable) in enumerate(self._slots):
                sums[number] = sums[number] + share / (1 - momentum) * np.array(ops.convert_to_numpy(variable), float)
        means = {id(variable): mean for (_, variable), mean in zip(self._slots, sums, strict=True)}
        return [
            means[id(variable)].astype(ops.convert_to_numpy(variable).dtype) if id(variable) in means else array
            for variable, array in zip(self.model.weights, arrays, strict=True)
        ]


class _InTraining(keras.Model):
    """A model that is always called in training mode."""

    def __init__(self, model):
        super().__init__(name="in_training")
        self.model = model

    def call(self, inputs):
        return self.model(inputs, training=True)


def _rows(rows: slice, values):
    return values[rows]
