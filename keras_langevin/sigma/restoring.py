"""Restores a model and the random generators after trial runs."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import ops

from keras_langevin import keras_internals


@contextmanager
def untouched(model) -> Iterator["Start"]:
    """Restores a model at the end, bit for bit, even after an error or an interrupt: its weights, the optimizer's
    variables (moments, number of updates, seed, sigma, loss scale), the metrics, and the states of the random
    generators of its layers and of Keras, Python, NumPy and PyTorch.

    Args:
        model: a compiled model whose optimizer is built.
    """
    start = Start(model)
    try:
        yield start
    finally:
        start.restore()


class Start:
    """The state of a compiled model and of the random generators at one moment.

    Args:
        model: a compiled model whose optimizer is built.
    """

    def __init__(self, model):
        self._model = model
        self._values = [(variable, np.array(ops.convert_to_numpy(variable))) for variable in _variables(model)]
        self._generators = _generators()

    def restore(self):
        """Restores it."""
        model = self._model
        if keras.backend.backend() == "jax" and not model._jax_state_synced:
            model._jax_state_synced = True  # after an interrupted step, Keras would take its leftover state for newer
        known = {id(variable) for variable, _ in self._values}
        if any(id(variable) not in known for variable in _variables(model)):
            model.reset_metrics()  # the first step creates the metrics' variables
        for variable, value in self._values:
            variable.assign(value)
        for restore, state in self._generators:
            restore(state)


def _variables(model) -> list[keras.Variable]:
    found = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return list({id(variable): variable for variable in found}.values())


def _generators() -> list[tuple]:
    """Returns (function that restores the state, state) of each global generator."""
    found = [(random.setstate, random.getstate()), (np.random.set_state, np.random.get_state())]
    seeds = keras_internals.global_seed_generator()  # for Keras's random operations without a seed
    found.append((keras_internals.set_global_seed_generator, seeds))
    if seeds is not None:
        found.append((seeds.state.assign, np.array(ops.convert_to_numpy(seeds.state))))
    if torch := sys.modules.get("torch"):  # a `DataLoader` draws from it
        found.append((torch.set_rng_state, torch.get_rng_state()))
        if torch.cuda.is_initialized():
            found.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    return found
