"""What `layers` chose, as a table."""

import math
from dataclasses import dataclass

import keras

from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.selection import group_by_layer
from keras_langevin.reading import innermost


@dataclass(frozen=True)
class LayerRow:
    """One layer with trainable weights.

    Attributes:
        path: str, the layer's path.
        parameters: int, the number of its trainable parameters.
        noisy: bool, whether it gets noise.
        share: float in [0, 1], its share of all trainable parameters.
    """

    path: str
    parameters: int
    noisy: bool
    share: float


class Description(tuple[LayerRow, ...]):
    """A tuple of `LayerRow` that prints as a table."""

    def __repr__(self) -> str:
        width = max([5, *(len(row.path) for row in self)])
        lines = [f"{'layer':<{width}}  {'parameters':>12}  {'noisy':<5}  {'share':>6}"]
        for row in self:
            noisy = "yes" if row.noisy else "no"
            lines.append(f"{row.path:<{width}}  {row.parameters:>12,}  {noisy:<5}  {row.share:>6.1%}")
        noisy_rows = [row for row in self if row.noisy]
        lines.append(
            f"{len(noisy_rows)} of {len(self)} layers are noisy, "
            f"{sum(row.share for row in noisy_rows):.1%} of {sum(row.parameters for row in self):,} parameters"
        )
        return "\n".join(lines)

    __str__ = __repr__


def describe(model: keras.Model, optimizer: keras.optimizers.Optimizer | None = None) -> Description:
    """Lists a model's layers with trainable weights and says which of them get noise.

    Args:
        model: a model whose weights exist.
        optimizer: an optimizer, built or not. Defaults to `None`: the one that the model was compiled with.

    Returns:
        A tuple of `LayerRow` (path, parameters, noisy, share), in the model's order, that prints as a table. A layer
        that several optimizers of a `MultiOptimizer` share may have two rows.

    Example:

    >>> import keras
    >>> from keras_langevin import LAdam, describe
    >>> layers = [keras.layers.Dense(8, name="first"), keras.layers.Dense(2, name="last")]
    >>> model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    >>> model.compile(optimizer=LAdam(1e-3, sigma=1e-3, layers=0.3), loss="mse")
    >>> describe(model)
    layer        parameters  noisy   share
    net/first            40  yes     69.0%
    net/last             18  no      31.0%
    1 of 2 layers are noisy, 69.0% of 58 parameters
    """
    optimizer = optimizer or getattr(model, "optimizer", None)
    if optimizer is None:
        raise ValueError(
            "`describe` needs the optimizer that trains the model. Received a model that is not compiled. "
            "Compile it, or pass `describe(model, optimizer)`."
        )
    variables = model.trainable_variables
    if not variables:
        received = "without weights: build it first (`model.build(input_shape)`, or call it on a batch)."
        if model.weights:
            received = (
                f"whose {len(model.weights)} weights are all frozen: set `trainable = True` and compile it again."
            )
        raise ValueError(f"`describe` needs a model with trainable weights. Received a model {received}")
    noisy = _noisy(optimizer, variables)
    rows = []
    for group in group_by_layer(variables):
        for is_noisy in (True, False):
            sizes = [math.prod(variables[i].shape) for i in group.indices if (i in noisy) == is_noisy]
            if sizes:
                rows.append((group.path, sum(sizes), is_noisy))
    total = sum(size for _, size, _ in rows)
    return Description(LayerRow(path, size, is_noisy, size / max(total, 1)) for path, size, is_noisy in rows)


def _noisy(optimizer, variables) -> set[int]:
    """Returns the indices of the variables that get noise."""
    noisy = set()
    for part, indices in _shares(innermost(optimizer), variables):
        if isinstance(part, Langevin):
            own = [variables[i] for i in indices]
            noisy |= {indices[i] for group in part._noisy_among(group_by_layer(own), own) for i in group.indices}
    return noisy


def _shares(optimizer, variables) -> list[tuple[keras.optimizers.Optimizer, list[int]]]:
    """Returns the optimizers that update the variables, each with the indices of its variables."""
    if not hasattr(optimizer, "optimizers"):
        return [(optimizer, list(range(len(variables))))]
    owners = {id(variable): part for part in optimizer.optimizers for variable in part._trainable_variables}
    shares: dict[int, tuple] = {}
    for index, variable in enumerate(variables):
        part = owners[id(variable)] if id(variable) in owners else optimizer._optimizer_map(variable)
        shares.setdefault(id(part), (part, []))[1].append(index)
    return list(shares.values())
