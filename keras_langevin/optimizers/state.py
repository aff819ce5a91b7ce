"""Saves a Langevin optimizer's state in two parts, its parent's and the noise's, so that a file of weights of either
optimizer loads into the other."""

import re
import warnings
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers.parent import MixinBase
from keras_langevin.optimizers.wrapper_load import ParentLoad, assign_all, part_of_a_load


class SavedState(MixinBase):
    """Saves and loads a Langevin optimizer for Keras: the parent's variables here, with the parent's numbers, and the
    noise's in `NoiseState`."""

    def _add_noise_state(self):
        self._noise_state = NoiseState(self.name, type(self).__name__, self._own_variables, lambda: self.built)

    def _own_variables(self) -> dict[str, keras.Variable]:
        """Returns the variables that the parent does not have, by name."""
        own = {"seed": self._seed}
        if isinstance(self._sigma, keras.Variable):
            own["sigma"] = self._sigma
        if self._gate is not None:
            own["layer_gate"] = self._gate.variable
        return own

    def _parent_variables(self) -> list[keras.Variable]:
        own = set(map(id, self._own_variables().values()))
        return [variable for variable in self.variables if id(variable) not in own]

    def save_own_variables(self, store):
        for number, variable in enumerate(self._parent_variables()):
            store[str(number)] = ops.convert_to_numpy(variable)

    @part_of_a_load
    def load_own_variables(self, store):
        """Loads the parent's variables if all of them fit. `_noise_state`, which Keras loads next, follows suit."""
        variables = self._parent_variables()
        count = len(store.keys())
        if count != len(variables):
            is_new = self.built and count == self._count_before_build and int(store["0"]) == 0
            self._noise_state.follow(ParentLoad.NEW if is_new else ParentLoad.SKIPPED)
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(variables)} variables "
                f"whereas the saved optimizer has {count} variables."
                + (" Seed and sigma are loaded: the saved optimizer was not built." if is_new else "")
                + ("" if self.built else " This optimizer is not built yet."),
                stacklevel=3,
            )
            return
        self._noise_state.follow(ParentLoad.SKIPPED)
        values = [store[str(number)] for number in range(count)]
        for variable, value in zip(variables, values, strict=True):
            if tuple(variable.shape) != np.shape(value):
                raise ValueError(
                    f"A file for optimizer '{self.name}' must be of a model with the same weights, so with "
                    f"{variable.path!r} of shape {tuple(variable.shape)}. Received: a value of shape {np.shape(value)}."
                    " Nothing of the optimizer is loaded. Load the file into the model that it was saved with, or pass "
                    "`skip_mismatch=True` to load the rest."
                )
        before = [np.array(ops.convert_to_numpy(variable)) for variable in variables]
        assign_all(variables, values)
        self._noise_state.follow(ParentLoad.LOADED, lambda: assign_all(variables, before))


class NoiseState(keras.layers.Layer):
    """The variables that a Langevin optimizer adds to its parent's, as a part that Keras saves and loads.

    The optimizer itself saves only its parent's variables, with the parent's numbers. A file that was saved with the
    parent has no such part: the seed and the noise level keep their values, with a warning. Keras loads this part after
    the optimizer. It is loaded only if the parent's variables are. If it does not fit, these get back their old values.

    Args:
        optimizer: str, the optimizer's name, for the messages.
        owner: str, the optimizer's class.
        variables: function that returns the variables by name.
        is_built: function that tells whether the optimizer is built.
    """

    def __init__(
        self,
        optimizer: str,
        owner: str,
        variables: Callable[[], dict[str, keras.Variable]],
        is_built: Callable[[], bool],
    ):
        super().__init__(name="noise_state")
        self._optimizer, self._owner, self._of_optimizer, self._is_built = optimizer, owner, variables, is_built
        self.follow(ParentLoad.LOADED)

    @property
    def parent(self) -> ParentLoad:
        """What happened to the parent's variables in the current load."""
        return self._parent

    def follow(self, parent: ParentLoad, undo: Callable[[], None] = lambda: None):
        """Sets what happened to the parent's variables, and how to undo it."""
        self._parent, self._undo = parent, undo

    def save_own_variables(self, store):
        for name, variable in self._of_optimizer().items():
            store[name] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        parent, undo = self._parent, self._undo
        self.follow(ParentLoad.LOADED)
        if not self._is_built() or parent is ParentLoad.SKIPPED:
            return  # the optimizer has already warned
        own, saved = self._of_optimizer(), sorted(store.keys())
        values = {name: np.asarray(store[name]) for name in saved if name in own}
        for name, value in values.items():
            if tuple(own[name].shape) != value.shape:
                undo()
                warnings.warn(
                    f"Skipping variable loading for optimizer '{self._optimizer}', because its {name} has the shape "
                    f"{tuple(own[name].shape)} whereas the saved one has {value.shape}.",
                    stacklevel=2,
                )
                return
        assign_all([own[name] for name in values], values.values())
        missing = [name for name in own if name not in values]
        further = [name for name in saved if name not in own]
        if not saved:
            *others, last = dict.fromkeys(re.sub(r"_\d+$", "", name) for name in missing)
            warnings.warn(
                f"The file has no state of the noise: it was not saved with {self._owner}. Its moments and its number "
                f"of updates are loaded; {', '.join(others)} and {last} stay unchanged.",
                stacklevel=2,
            )
        elif missing or further:
            warnings.warn(
                f"The file's state of the noise was saved with other settings of {self._owner}. "
                + (f"It has no {', '.join(missing)}: the optimizer keeps its own. " if missing else "")
                + (f"It has {', '.join(further)}, which the optimizer does not use. " if further else "")
                + "The rest is loaded.",
                stacklevel=2,
            )
