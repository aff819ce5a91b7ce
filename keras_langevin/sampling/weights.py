"""Copies a model's weights, and assigns them."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers.selection import LayerSelection


def weights_of(model) -> list[np.ndarray]:
    """Copies `model.weights`. A view would change or become invalid with the variable: PyTorch assigns in place, and
    JAX donates the buffer to the next step."""
    return values_of(model.weights)


def weights_of_layers(model, layers) -> list[keras.Variable]:
    """Returns the trainable weights of the layers that `layers` chooses, in the order of the model.

    Raises:
        ValueError: there are none.
    """
    variables = model.trainable_variables
    _, groups = LayerSelection(layers).resolve(variables)
    chosen = sorted(index for group in groups for index in group.indices)
    if not chosen:
        raise ValueError(
            f"`layers` must choose at least one layer with trainable weights. Received: layers={layers!r}, which "
            "chooses none. Give None for all."
        )
    return [variables[index] for index in chosen]


def values_of(variables) -> list[np.ndarray]:
    """Copies the variables' values."""
    return [_copy(variable) for variable in variables]


def assign(model, arrays: list[np.ndarray]):
    """Assigns the arrays to `model.weights`."""
    assign_all(model.weights, arrays)


def assign_all(variables, arrays: list[np.ndarray]):
    """Assigns the arrays to the variables."""
    for variable, array in zip(variables, arrays, strict=True):
        if array.dtype.kind == "V":  # bfloat16 comes back from a file as bytes
            array = array.view(ops.convert_to_numpy(variable).dtype)
        variable.assign(array)


@contextmanager
def restored(model) -> Iterator[None]:
    """Restores all variables of the model on exit: weights and states of random generators."""
    variables = list(model.variables)
    before = values_of(variables)
    try:
        yield
    finally:
        assign_all(variables, before)


def check_layout(model, heads: list[dict], source: str):
    """Checks that samples are of a model with these weights.

    Args:
        model: a built model.
        heads: list of dicts with `layout`, shapes and dtypes.
        source: str, where they are, for the error.

    Raises:
        ValueError: a shape or a dtype differs.
    """
    wanted = [[list(variable.shape), keras.backend.standardize_dtype(variable.dtype)] for variable in model.weights]
    for head in heads:
        if head["layout"] != wanted:
            raise ValueError(
                f"The samples in {source} must be of a model with {_in_words(wanted)}. Received: samples with "
                f"{_in_words(head['layout'])}. Build the model that they were taken from, or choose another directory."
            )


def _in_words(layout: list) -> str:
    shown = ", ".join(f"{dtype} {tuple(shape)}" for shape, dtype in layout[:6])
    return f"the {len(layout)} weights {shown}{', ...' if len(layout) > 6 else ''}"


def _copy(variable) -> np.ndarray:
    return np.array(ops.convert_to_numpy(variable))
