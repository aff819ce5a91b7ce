"""Computes the statistics of batch normalization for given weights."""

from functools import partial

import keras
import numpy as np
from keras import ops

_STATISTICS = ("moving_mean", "moving_variance")


class BatchNormStatistics:
    """Computes the moving statistics of `BatchNormalization` layers for the model's current weights.

    In training mode, a layer sets moving ← m · moving + (1 − m) · batch at each of its k calls. A pass that starts at
    moving = c ends at mᵏ · c + (1 − mᵏ) · average. A pass from 0 gives the average, and one more pass from c gives mᵏ.
    This uses the layer's own code and needs no other trace. If k > 1 (a shared layer, or one in a `TimeDistributed`),
    call j has the weight mᵏ⁻ʲ, as in training. A layer that is not called (k = 0) keeps its statistics.

    Args:
        model: a built Keras model.

    Raises:
        ValueError: the model has no such layers that are trained, or one with momentum >= 1 or `renorm`.
    """

    def __init__(self, model):
        self.model = model
        found = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
        layers = [layer for layer in found if layer.trainable]  # frozen ones use their statistics in training, too
        if not layers:
            raise ValueError(
                "The model must have BatchNormalization layers that are trained. Received: a model without any. Its "
                "samples need no new statistics: remove the call."
            )
        for layer in layers:
            if not layer.momentum < 1 or getattr(layer, "renorm", False):
                raise ValueError(
                    "A BatchNormalization layer must have a momentum below 1 and no `renorm`. Received: "
                    f"momentum={layer.momentum}, renorm={getattr(layer, 'renorm', False)} in {layer.path}. Use the "
                    "statistics that were stored with the samples."
                )
        self._slots = [getattr(layer, name) for layer in layers for name in _STATISTICS]
        # The random states, e.g. of dropout: both passes must draw the same numbers.
        self._states = [variable for variable in model.non_trainable_variables if "seed" in variable.path]
        self._forward = _InTraining(model)
        self._kept = None  # mᵏ of each slot

    def recomputed(self, arrays: list[np.ndarray], x, batch_size: int) -> list[np.ndarray]:
        """Returns a sample's arrays with new statistics, the means over the batches of `x`.

        Args:
            arrays: list of arrays, the current values of `model.weights`.
            x: array, or a list, tuple or dict of arrays of shape `(num_examples, ...)`.
            batch_size: int. The last batch may be smaller; then it has less weight.

        Raises:
            ValueError: a statistic is not finite.
        """
        sums = [0.0] * len(self._slots)
        size = len(keras.tree.flatten(x)[0])
        for start in range(0, size, batch_size):
            batch = keras.tree.map_structure(partial(_rows, slice(start, start + batch_size)), x)
            if self._kept is None:
                self._kept = self._shares_kept(batch)
            share = min(batch_size, size - start) / size
            zeros = [np.zeros(variable.shape) for variable in self._slots]
            for number, found in enumerate(self._passed(batch, zeros)):
                kept = self._kept[number]
                sums[number] = sums[number] + (share / (1 - kept) * found if kept < 1 else 0.0)
        places = {id(variable): number for number, variable in enumerate(self._slots) if self._kept[number] < 1}
        return [
            sums[places[id(variable)]].astype(ops.convert_to_numpy(variable).dtype) if id(variable) in places else array
            for variable, array in zip(self.model.weights, arrays, strict=True)
        ]

    def _shares_kept(self, batch) -> list[float]:
        """Returns mᵏ of each slot, the share of a start value that remains after a pass."""
        before = [np.array(ops.convert_to_numpy(variable)) for variable in self._states]
        from_zero = self._passed(batch, [np.zeros(variable.shape) for variable in self._slots])
        starts = [np.maximum(np.abs(found), 1.0) for found in from_zero]
        for variable, value in zip(self._states, before, strict=True):
            variable.assign(value)
        rows = zip(self._passed(batch, starts), from_zero, starts, strict=True)
        shares = [float(np.mean((found - other) / start)) for found, other, start in rows]
        return [1.0 if share > 1 - 1e-5 else share for share in shares]

    def _passed(self, batch, starts: list[np.ndarray]) -> list[np.ndarray]:
        """Sets the statistics to `starts`, runs a forward pass, and returns the new ones."""
        for variable, start in zip(self._slots, starts, strict=True):
            variable.assign(start)
        self._forward.predict_on_batch(batch)
        found = [np.array(ops.convert_to_numpy(variable), float) for variable in self._slots]
        if not all(np.isfinite(values).all() for values in found):
            raise ValueError(
                "The statistics of batch normalization must be finite. Received: NaN or infinity for these inputs. "
                "Check `x`; this sample stays as it was."
            )
        return found


class _InTraining(keras.Model):
    """A model that is always called in training mode."""

    def __init__(self, model):
        super().__init__(name="in_training")
        self.model = model

    def call(self, inputs):
        return self.model(inputs, training=True)


def _rows(rows: slice, values):
    return values[rows]
