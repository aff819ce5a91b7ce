"""`LayerScheduler`."""

import contextlib
import numbers
from typing import Any, Self

import keras

from keras_langevin.callbacks.base import LangevinCallback, check_built
from keras_langevin.optimizers import gate_layers
from keras_langevin.optimizers.selection import LayersArgument, LayerSelection, group_by_layer
from keras_langevin.reading import innermost


@keras.saving.register_keras_serializable(package="keras_langevin")
class LayerScheduler(LangevinCallback):
    """Changes the noisy layers at given epochs, in a compiled `fit`, without a new trace.

        J = the layers of schedule[e], where e is the last epoch in schedule up to the current one

    A layer gets the same noise as with the optimizer's `layers=`. The choice depends only on the epoch's number, so a
    resumed fit makes it too. The step draws the noise of all layers, as with `layers=None`. In a `MultiOptimizer`, the
    layers are those of all its Langevin parts together.

    Args:
        schedule: dict from epochs (int >= 0, including 0) to values of the argument `layers` of the optimizers, see
            `keras_langevin.Langevin`.
        verbose: int, 1 to print what is set. Defaults to `0`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LAdam, LayerScheduler
    >>> layers = [keras.layers.Dense(4, name=f"dense_{i}") for i in range(3)]
    >>> model = keras.Sequential([keras.Input((2,)), *layers], name="net")
    >>> model.compile(optimizer=LAdam(1e-3), loss="mse")
    >>> schedule = LayerScheduler({0: None, 1: 0.3, 2: 0})
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 4)), epochs=2, callbacks=[schedule], verbose=0)
    >>> model.optimizer.noisy_layers
    ('net/dense_0',)

    `get_config` keeps `keras.Layer` objects as their paths and shapes, and needs callables to be registered with Keras.

    References:
        P. Bras, arXiv:2212.14718, section 3 (Layer Langevin, with fixed layers).
    """

    def __init__(self, schedule: dict[int, LayersArgument], verbose: int = 0):
        super().__init__()
        expected = "`schedule` must be a dict from epochs (int >= 0, including 0) to `layers`"
        if not isinstance(schedule, dict) or 0 not in schedule:
            raise ValueError(f"{expected}. Received: schedule={schedule!r}. Give epoch 0 a value, as in {{0: None}}.")
        for epoch in schedule:
            if not isinstance(epoch, numbers.Integral) or isinstance(epoch, bool) or epoch < 0:
                raise ValueError(
                    f"{expected}. Received: the epoch {epoch!r}. Epochs are counted from 0, as in {{0: None, 10: 0.3}}."
                )
        self._selections = {int(epoch): LayerSelection(schedule[epoch]) for epoch in sorted(schedule)}
        self.verbose = verbose

    def selections(self) -> list[LayerSelection]:
        """Returns all selections that it may set, see `keras_classes`."""
        return list(self._selections.values())

    # Not in `on_train_begin`: `BackupAndRestore` loads the optimizer's variables there, and the gate is one of them.
    def set_model(self, model):
        super().set_model(model)
        outer = model.optimizer
        check_built(model, type(self).__name__)
        # on TensorFlow: if variables have copies under a strategy, the gate has them too
        with _scope_of(model):
            if isinstance(outer, keras.Optimizer) and not outer.built:
                outer.build(model.trainable_variables)
            optimizers = self.optimizers
            were_gated = all(optimizer._is_gated for optimizer in optimizers)
            for optimizer in optimizers:
                gate_layers(optimizer)
        if not were_gated:
            model.train_function = None  # an earlier trace does not read the gate
        for selection in self._selections.values():
            self._layers_of_parts(selection)

    def on_epoch_begin(self, epoch, logs=None):
        first = max(begin for begin in self._selections if begin <= epoch)
        before = self._noisy_layers()
        for optimizer, layers in self._layers_of_parts(self._selections[first]):
            optimizer.layers = layers
        if self.verbose > 0 and (now := self._noisy_layers()) != before:
            print(f"\nEpoch {epoch + 1}: LayerScheduler making {len(now)} layers noisy.")

    def _layers_of_parts(self, selection: LayerSelection) -> list[tuple]:
        """Returns each Langevin optimizer with its `layers`. If there are several, `selection` chooses among the layers
        of all of them, and each gets the indices of its own chosen layers."""
        optimizers = [optimizer for optimizer in self.optimizers if optimizer.built]
        if len(optimizers) == 1:
            (optimizer,) = optimizers
            selection.choose(optimizer._groups, optimizer._trainable_variables)
            return [(optimizer, selection.layers)]
        owned = {id(variable) for optimizer in optimizers for variable in optimizer._trainable_variables}
        whole = innermost(self.model.optimizer)._trainable_variables
        variables = [variable for variable in whole if id(variable) in owned]
        chosen = selection.choose(group_by_layer(variables), variables)
        noisy = {id(variables[index]) for group in chosen for index in group.indices}
        parts = []
        for optimizer in optimizers:
            own = [id(variable) for variable in optimizer._trainable_variables]
            groups = enumerate(optimizer._groups)
            parts.append((optimizer, [n for n, group in groups if noisy.intersection(own[i] for i in group.indices)]))
        return parts

    def _noisy_layers(self) -> set[str]:
        return {path for optimizer in self.optimizers if optimizer.built for path in optimizer.noisy_layers}

    def get_config(self) -> dict[str, Any]:
        schedule = [[epoch, selection.get_config()] for epoch, selection in self._selections.items()]
        return {"schedule": schedule, "verbose": self.verbose}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        schedule = {epoch: LayerSelection.from_config(layers).layers for epoch, layers in config["schedule"]}
        return cls(schedule, config["verbose"])


def _scope_of(model):
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.scope() if strategy else contextlib.nullcontext()
