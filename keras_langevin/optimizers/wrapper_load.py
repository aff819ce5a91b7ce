"""Loads a wrapper's file of weights completely or not at all.

Keras loads a `LossScaleOptimizer` or `MultiOptimizer` first, then each part of it, then each part's noise. A
`WrapperLoad` starts with the wrapper and is handed to each part once (`take_load`):

- The part fits: it is loaded, and its noise state may still refuse.
- The part skips the file, raises, or its noise state does not fit: everything loaded so far gets back its old value
  (`refuse`), and later parts load nothing.
- Keras visits a part again through another attribute, for which the file has nothing: a part that raised raises again.
"""

import enum
import functools
import warnings
import weakref

import numpy as np
from keras import ops


class ParentLoad(enum.Enum):
    """What happened to the parent's variables in a load."""

    LOADED = "loaded"
    SKIPPED = "skipped"
    NEW = "the file is of an optimizer that was not built, and has none"


class WrapperLoad:
    """A load of a `LossScaleOptimizer` or `MultiOptimizer`. Keras loads its parts one by one; this loads all or none.

    Keras numbers the variables of a wrapper and of all its parts in one list, so it would assign the wrong ones if the
    file has other settings. So the wrapper loads only its own variables, which come first, and each part loads itself.

    Args:
        wrapper: the optimizer.
        inner: list of all optimizers in it.
        parts: list of those that update weights.
    """

    def __init__(self, wrapper, inner: list, parts: list):
        of_parts = {id(variable) for part in parts for variable in part.variables}
        self._name, self._has_several = wrapper.name, len(parts) > 1
        self._variables = list(wrapper.variables)
        self._before = [np.array(ops.convert_to_numpy(variable)) for variable in self._variables]
        self._own_count = sum(id(variable) not in of_parts for variable in self._variables)
        self.is_refused, self.failed, self.error = False, None, ""
        for optimizer in inner:
            _under_way[optimizer] = self

    def load_own(self, store):
        """Loads the wrapper's own variables."""
        variables, names = self._variables[: self._own_count], set(store.keys())
        values = [np.asarray(store[str(i)]) for i in range(self._own_count) if str(i) in names]
        if [tuple(variable.shape) for variable in variables] == [value.shape for value in values]:
            assign_all(variables, values)

    def undo_own(self):
        """Gives the wrapper's own variables their old values."""
        assign_all(self._variables[: self._own_count], self._before[: self._own_count])

    def refuse(self):
        """Gives all variables their old values, and stops the parts that are not loaded yet from loading."""
        if self.is_refused:
            return
        assign_all(self._variables, self._before)
        self.is_refused, self._variables, self._before = True, [], []
        if self._has_several:
            warnings.warn(
                f"Skipping variable loading for all parts of optimizer '{self._name}', because one of them does not "
                "fit the file.",
                stacklevel=2,
            )


_under_way: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def take_load(optimizer) -> WrapperLoad | None:
    """Returns the load that an optimizer is part of, but only once."""
    return _under_way.pop(optimizer, None)


def part_of_a_load(load_own_variables):
    """Makes an optimizer's `load_own_variables` follow the load of the wrapper that the optimizer is in."""

    @functools.wraps(load_own_variables)
    def loading(self, store):
        load, state = take_load(self), getattr(self, "_noise_state", None)
        if load is None or (load.failed == id(self) and len(store.keys())):  # not in a wrapper, now or after it failed
            load_own_variables(self, store)
            return
        if load.is_refused:
            if state:
                state.follow(ParentLoad.SKIPPED)
            if load.failed == id(self):
                # Keras visits it again through another attribute, for which the file has nothing: keep the error.
                _under_way[self] = load
                raise ValueError(load.error)
            return
        try:
            load_own_variables(self, store)
        except Exception as error:
            load.refuse()
            load.failed, load.error = id(self), str(error)
            _under_way[self] = load
            raise
        if state is None:  # a Keras optimizer, which does not say what it did
            if len(store.keys()) != len(self.variables):
                load.refuse()
        elif state.parent is ParentLoad.SKIPPED:
            load.refuse()
        elif state.parent is ParentLoad.NEW:
            load.undo_own()
        else:
            state.follow(ParentLoad.LOADED, load.refuse)

    return loading


def assign_all(variables, values):
    """Assigns each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
