"""A switch for each layer: noisy layers that change between steps, without a new trace."""

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers.selection import LayerGroup


class LayerGate:
    """One number for each layer, 1 where it is noisy and 0 where not, that the step reads.

    It multiplies P under the root, so that an open layer has the very noise that `layers=` would give it.

    Args:
        variable: float32 variable of shape `(number of layers,)`.
        groups: list of `LayerGroup`, the layers.
    """

    def __init__(self, variable: keras.Variable, groups: list[LayerGroup]):
        self.variable = variable
        self._groups = groups
        self._numbers = {index: number for number, group in enumerate(groups) for index in group.indices}

    def open(self) -> list[LayerGroup]:
        """The layers that are noisy now."""
        switches = ops.convert_to_numpy(self.variable)
        return [group for group, switch in zip(self._groups, switches, strict=True) if switch]

    def set(self, chosen: list[LayerGroup]):
        """Opens these layers and closes the others."""
        indices = {group.indices for group in chosen}
        self.variable.assign(np.array([group.indices in indices for group in self._groups], "float32"))

    def of(self, index: int):
        """The switch of a variable by its number in the optimizer: a bool tensor."""
        return ops.convert_to_tensor(self.variable)[self._numbers[index]] > 0
