"""Which layers of a Langevin optimizer are noisy, before and after it is built."""

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers.parent import MixinBase
from keras_langevin.optimizers.selection import LayerGroup, LayersArgument, LayerSelection, record_of
from keras_langevin.reading import innermost


class LayerGate:
    """A switch for each layer that the step reads: 1 if the layer is noisy, otherwise 0.

    In a closed layer, P is replaced by 0. An open layer gets exactly the noise that `layers=` would give it.

    Args:
        variable: float32 variable of shape `(number of layers,)`.
        groups: list of `LayerGroup`, the layers.
    """

    def __init__(self, variable: keras.Variable, groups: list[LayerGroup]):
        self.variable = variable
        self._groups = groups
        self._numbers = {index: number for number, group in enumerate(groups) for index in group.indices}

    def open(self) -> list[LayerGroup]:
        """Returns the layers that are noisy now."""
        switches = ops.convert_to_numpy(self.variable)
        return [group for group, switch in zip(self._groups, switches, strict=True) if switch]

    def set(self, chosen: list[LayerGroup]):
        """Opens these layers and closes the others."""
        indices = {group.indices for group in chosen}
        self.variable.assign(np.array([group.indices in indices for group in self._groups], "float32"))

    def of(self, index: int):
        """Returns the switch of a variable, given its number in the optimizer, as a bool tensor."""
        return ops.convert_to_tensor(self.variable)[self._numbers[index]] > 0


class NoisyLayers(MixinBase):
    """`layers` and `noisy_layers` of a Langevin optimizer, and the gate that lets them change between steps."""

    def _set_layers(self, layers: LayerSelection):
        self._selection = layers
        self._groups = self._chosen = self._gate = None
        self._is_gated = False

    def _layers_config(self) -> dict:
        record = record_of(self._trainable_variables, self._groups, self._noisy_groups()) if self.built else None
        gated = {"is_gated": True} if self._is_gated else {}
        return {"layers": self._selection.get_config(record)} | gated

    @property
    def layers(self) -> LayersArgument:
        """The `layers` argument. It can be set before the optimizer is built, or if `gate_layers` was called, as the
        callback `LayerScheduler` does. A new value takes effect at the next step, without a new trace."""
        return self._selection.layers

    @layers.setter
    def layers(self, layers: LayersArgument) -> None:
        if self.built and self._gate is None:
            raise ValueError(
                "`layers` can be set before the optimizer is built, or if a gate lets it change between steps. "
                f"Received: layers={layers!r} for a built optimizer without a gate. Use the callback "
                "`keras_langevin.LayerScheduler`, or call `keras_langevin.optimizers.gate_layers(optimizer)` before "
                "the step is compiled."
            )
        selection = LayerSelection(layers)
        if self.built:
            self._gate.set(selection.choose(self._groups, self._trainable_variables))
        self._selection = selection

    @property
    def noisy_layers(self) -> tuple[str, ...]:
        """Paths of the layers that get noise, in the model's order. Available once the optimizer is built."""
        if self._groups is None:
            raise ValueError(
                "`noisy_layers` is known once the optimizer is built. Call `model.fit`, or "
                "`optimizer.build(model.trainable_variables)`, or see `keras_langevin.describe(model)`."
            )
        return tuple(group.path for group in self._noisy_groups())

    def _noisy_groups(self) -> list[LayerGroup]:
        """Returns the noisy layers with the indices of their variables."""
        return list(self._chosen if self._gate is None else self._gate.open())

    def _noisy_among(self, groups: list[LayerGroup], variables) -> list[LayerGroup]:
        """Returns `groups`, as made from `variables`, with only their noisy variables. Groups without any are left out.

        A built optimizer keeps its choice, even if `layers` would now choose others (frozen or added layers)."""
        noisy = {index for group in self._noisy_groups() for index in group.indices} if self.built else set()
        places = {id(variable): index for index, variable in enumerate(self._trainable_variables)} if self.built else {}
        if any(id(variable) in places for variable in variables):
            noisy = {i for i, variable in enumerate(variables) if places.get(id(variable)) in noisy}
        else:
            noisy = {i for group in self._selection.resolve(variables)[1] for i in group.indices}
        parts = [LayerGroup(group.path, tuple(i for i in group.indices if i in noisy)) for group in groups]
        return [group for group in parts if group.indices]

    def _choose_layers(self, groups, chosen):
        self._groups, self._chosen = groups, chosen
        self._drawn_indices = frozenset(index for group in chosen for index in group.indices)
        if self._is_gated:
            self._add_gate(chosen)

    def _add_gate(self, chosen):
        variable = self._setting_variable("layer_gate", np.zeros(len(self._groups)), "float32")
        self._gate = LayerGate(variable, self._groups)
        self._gate.set(chosen)
        self._drawn_indices = frozenset(index for group in self._groups for index in group.indices)
        self._planned = {}


def gate_layers(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes `optimizer.layers` settable between steps, without a new trace.

    A step then reads a variable with a switch for each layer, and draws noise for every layer, even for those that do
    not get it. A step that was compiled before does not read the variable: set `model.train_function = None`. The
    callback `LayerScheduler` does all this.

    Args:
        optimizer: a Langevin optimizer. It may be wrapped in a `LossScaleOptimizer`.

    Example:

    >>> import keras
    >>> from keras_langevin.optimizers import LSGD, gate_layers
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    >>> optimizer = LSGD(0.1, layers=1)
    >>> gate_layers(optimizer)
    >>> optimizer.build(model.trainable_variables)
    >>> optimizer.layers = [-1]
    >>> len(optimizer.noisy_layers)
    1
    """
    optimizer = innermost(optimizer)
    optimizer._is_gated = True
    if optimizer.built and optimizer._gate is None:
        optimizer._add_gate(optimizer._chosen)
