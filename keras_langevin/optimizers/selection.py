"""Layer Langevin: which layers are noisy."""

import math
import numbers
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras

LayersArgument = (
    None | float | int | str | keras.layers.Layer | Callable[[str], bool] | Sequence[int | str | keras.layers.Layer]
)

_EXPECTED = (
    "`layers` must be None (all layers), a float in [0, 1] (that fraction, from the input side), an int >= 0 (the "
    "first k layers), a name or regular expression, a `keras.Layer`, a list of names, expressions, indices and layers, "
    "or a callable `f(layer_path) -> bool`."
)


class LayerGroup(NamedTuple):
    """One layer as the optimizer sees it: a path, and where its variables are in the optimizer."""

    path: str
    indices: tuple[int, ...]


def group_by_layer(variables) -> list[LayerGroup]:
    """The layers that own `variables`, in order.

    A layer is a run of variables whose paths agree up to the last `/`. Where a variable's whole path comes again
    (two sub-models with a layer of the same name) another layer begins.

    Args:
        variables: list of variables in the order of `model.trainable_variables`.
    """
    groups: list[LayerGroup] = []
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        path = variable_path(variable)
        layer_path = path.rpartition("/")[0] or path
        if groups and groups[-1].path == layer_path and path not in seen:
            groups[-1] = LayerGroup(layer_path, (*groups[-1].indices, index))
            seen.add(path)
        else:
            groups.append(LayerGroup(layer_path, (index,)))
            seen = {path}
    return groups


class Choice(NamedTuple):
    """What a selection chose in a model, kept with the optimizer's configuration.

    Keras does not keep paths: in a loaded model, layers lose the name of the `Sequential` model that they were in. A
    name that matched before a save might match nothing after it, and a callable might choose otherwise.

    Attributes:
        names: the last part of each layer's path, by which the model is known again.
        chosen: the places of the noisy ones.
    """

    names: tuple[str, ...]
    chosen: tuple[int, ...]


def choice(groups: list[LayerGroup], chosen: list[LayerGroup]) -> Choice:
    """The record of what was chosen of `groups`."""
    indices = {group.indices for group in chosen}
    return Choice(_names(groups), tuple(i for i, group in enumerate(groups) if group.indices in indices))


def _names(groups) -> tuple[str, ...]:
    return tuple(group.path.rpartition("/")[2] for group in groups)


def variable_path(variable) -> str:
    """`variable.path`, or the name where the variable is not a Keras one."""
    return getattr(variable, "path", None) or str(variable.name).partition(":")[0]


class LayerSelection:
    """Chooses layers as the `layers` argument of the Langevin optimizers says.

    Args:
        layers: None, float, int, str, `keras.Layer`, list of int, str or `keras.Layer`, or callable. A string is tried
            first as a path (it chooses that layer and all inside it), then as one or more whole parts of a path (so a
            name is found at any depth), then as a regular expression that must match a whole path or a whole name.
        known: what it chose in the model that it was saved with, and chooses there again. Defaults to `None`.

    Raises:
        ValueError: `layers` is none of these or out of range.
    """

    def __init__(self, layers: LayersArgument = None, known: Choice | None = None):
        self.layers = _checked(layers)
        self.known = known

    def choose(self, groups: list[LayerGroup], variables) -> list[LayerGroup]:
        """The chosen ones of `groups`, in order.

        Args:
            groups: list of `LayerGroup`, as made from `variables`.
            variables: list of variables that `groups` was made from.

        Raises:
            ValueError: an entry that matches no layer, or an index or count beyond the last layer.
        """
        if self.known is not None and self.known.names == _names(groups):
            return [groups[i] for i in self.known.chosen]
        count = len(groups)
        layers = self.layers
        if layers is None:
            chosen = set(range(count))
        elif isinstance(layers, list):
            chosen = set().union(*(_entry(entry, groups, variables) for entry in layers))
        elif isinstance(layers, float):
            chosen = set(range(0 if layers == 0 else max(1, math.floor(layers * count + 0.5))))
        elif isinstance(layers, int):
            if layers > count:
                raise ValueError(
                    f"`layers` as an int chooses the first k layers, so it must be at most {count}, the number of "
                    f"layers with trainable weights. Received: layers={layers}. The layers are: {_listing(groups)}"
                )
            chosen = set(range(layers))
        elif isinstance(layers, (str, keras.layers.Layer)):
            chosen = _entry(layers, groups, variables)
        else:
            chosen = {i for i, group in enumerate(groups) if layers(group.path)}
        return [groups[i] for i in sorted(chosen)]

    def get_config(self, made: Choice | None = None):
        """`layers` in a form that `json` takes; a Layer object as the paths of the layers in it that own weights.

        Args:
            made: what was chosen, if that is known yet; it is kept where `layers` goes by path.

        Raises:
            ValueError: `layers` is a callable that is not registered with Keras.
        """
        layers = self.layers
        if isinstance(layers, keras.layers.Layer):
            plain = _stored(layers)
        elif isinstance(layers, list):
            plain = [stored for entry in layers for stored in _stored(entry)]
        elif callable(layers):
            plain = _serialized(layers)
        else:
            plain = layers
        entries = layers if isinstance(layers, list) else [layers]
        goes_by_place = all(entry is None or isinstance(entry, (int, float)) for entry in entries)
        if made is None or goes_by_place:
            return plain
        return {"layers": plain, "names": list(made.names), "chosen": list(made.chosen)}

    @classmethod
    def from_config(cls, config, custom_objects=None) -> "LayerSelection":
        """The inverse of `get_config`."""
        known = None
        if isinstance(config, dict) and "chosen" in config:
            known = Choice(tuple(config["names"]), tuple(config["chosen"]))
            config = config["layers"]
        if isinstance(config, dict):
            config = keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
        return cls(config, known)


def _checked(layers):
    if layers is None or isinstance(layers, (str, keras.layers.Layer)):
        return layers
    if isinstance(layers, (bool, bytes)):
        raise ValueError(f"{_EXPECTED} Received: layers={layers!r}")
    if isinstance(layers, numbers.Integral):
        if layers < 0:
            raise ValueError(f"{_EXPECTED} Received: layers={layers}. For the last layers pass a list: [{layers}]")
        return int(layers)
    if isinstance(layers, numbers.Real):
        if not 0 <= layers <= 1:
            raise ValueError(f"{_EXPECTED} Received: layers={layers}. For the first k layers pass an int.")
        return float(layers)
    if isinstance(layers, (list, tuple)):
        return [_checked_entry(entry, layers) for entry in layers]
    if callable(layers):
        return layers
    raise ValueError(f"{_EXPECTED} Received: layers={layers!r} of type {type(layers).__name__}")


def _checked_entry(entry, layers):
    if isinstance(entry, numbers.Integral) and not isinstance(entry, bool):
        return int(entry)
    if isinstance(entry, (str, keras.layers.Layer)):
        return entry
    raise ValueError(
        "A list for `layers` must hold names, regular expressions, int indices (negative ones count from the end) or "
        f"`keras.Layer` objects. Received: {entry!r} of type {type(entry).__name__} in layers={layers!r}"
    )


def _entry(entry, groups, variables) -> set[int]:
    """The indices of the groups that one name, expression, index or layer chooses."""
    if isinstance(entry, keras.layers.Layer):
        return _of_layer(entry, groups, variables)
    if isinstance(entry, str):
        return _of_name(entry, groups)
    count = len(groups)
    if not -count <= entry < count:
        raise ValueError(
            f"An index in `layers` must be in [{-count}, {count - 1}], there being {count} layers with trainable "
            f"weights. Received: {entry}. The layers are: {_listing(groups)}"
        )
    return {entry % count}


def _of_name(name, groups) -> set[int]:
    chosen = {i for i, group in enumerate(groups) if f"{group.path}/".startswith(f"{name}/")}
    chosen = chosen or {i for i, group in enumerate(groups) if f"/{name}/" in f"/{group.path}/"}
    if not chosen:
        try:
            pattern = re.compile(name)
        except re.error as error:
            raise ValueError(
                f"`layers` has no layer of this name, and it is no regular expression either ({error}). "
                f"Received: {name!r}. The layers are: {_listing(groups)}"
            ) from error
        chosen = {
            i
            for i, group in enumerate(groups)
            if pattern.fullmatch(group.path) or pattern.fullmatch(group.path.rpartition("/")[2])
        }
    if not chosen:
        raise ValueError(
            "An entry of `layers` must be the name or path of a layer with trainable weights, or a regular expression "
            f"that matches the whole of one. Received: {name!r}. The layers are: {_listing(groups)}"
        )
    return chosen


def _of_layer(layer, groups, variables) -> set[int]:
    owned = {id(variable) for variable in layer.trainable_variables}
    chosen = {i for i, group in enumerate(groups) if any(id(variables[j]) in owned for j in group.indices)}
    if not chosen:
        raise ValueError(
            "A layer in `layers` must own trainable weights of the model that the optimizer trains. "
            f"Received: {layer!r}, which owns none. The layers are: {_listing(groups)}"
        )
    return chosen


def _stored(entry) -> list:
    if not isinstance(entry, keras.layers.Layer):
        return [entry]
    paths = [group.path for group in group_by_layer(entry.trainable_variables)]
    return list(dict.fromkeys(paths)) or [entry.path or entry.name]


def _serialized(function):
    if keras.saving.get_registered_object(keras.saving.get_registered_name(function)) is not function:
        raise ValueError(
            f"To be saved, a callable `layers` must be registered with Keras. Received: layers={function!r}, which is "
            "not. Decorate it with `@keras.saving.register_keras_serializable()`, or pass names, a fraction or a count "
            "instead."
        )
    return keras.saving.serialize_keras_object(function)


def _listing(groups) -> str:
    return ", ".join(dict.fromkeys(group.path for group in groups))
