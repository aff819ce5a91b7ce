"""Layer Langevin: which layers are noisy."""

import math
import numbers
import re
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras

from keras_langevin import keras_internals
from keras_langevin.optimizers.layer_record import Record, SavedLayer, as_before, found_again, is_part_of

LayersArgument = (
    None | float | int | str | keras.layers.Layer | Callable[[str], bool] | Sequence[int | str | keras.layers.Layer]
)

_EXPECTED = (
    "`layers` must be None (all layers), a float in [0, 1] (that fraction, from the input side), an int >= 0 (the "
    "first k layers), a name or regular expression, a `keras.Layer`, a list of names, expressions, indices and layers, "
    "or a callable `f(layer_path) -> bool`."
)
_CHOOSE_AGAIN = (
    "Pass `layers` again: compile the model with a new optimizer. (To load a Keras file, use `compile=False`.)"
)


class LayerGroup(NamedTuple):
    """One layer as the optimizer sees it: its path, and the indices of its variables."""

    path: str
    indices: tuple[int, ...]


def group_by_layer(variables) -> list[LayerGroup]:
    """Groups variables by the layers that own them, in order.

    A layer is a run of variables whose paths agree up to the last `/`. If a variable's whole path occurs again (two
    sub-models have a layer of the same name), a new layer starts. A variable whose path has no `/` (a `keras.Variable`
    that a layer made itself, a parameter of a `TorchModuleWrapper`) does not name its owner, so it counts as a layer.
    Variables that Keras overwrites with their gradient (the scales of float8) take no step and belong to no layer.

    Args:
        variables: list of variables in the order of `model.trainable_variables`.
    """
    groups: list[LayerGroup] = []
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        if getattr(variable, "overwrite_with_gradient", False):
            continue
        path = variable_path(variable)
        layer_path = layer_of(path)
        if groups and groups[-1].path == layer_path and path not in seen:
            groups[-1] = LayerGroup(layer_path, (*groups[-1].indices, index))
            seen.add(path)
        else:
            groups.append(LayerGroup(layer_path, (index,)))
            seen = {path}
    return groups


def layer_of(path: str) -> str:
    """Returns the path of the layer that owns a variable, or the variable's own path if it does not name one."""
    return path.rpartition("/")[0] or path


def variable_path(variable) -> str:
    """Returns `variable.path`, or the name of a variable that is not from Keras."""
    return getattr(variable, "path", None) or str(variable.name).partition(":")[0]


def record_of(variables, groups: list[LayerGroup], chosen: list[LayerGroup]) -> Record:
    """Records what was chosen, in a form that a load does not change."""
    noisy = {group.indices for group in chosen}
    return Record(
        tuple(map(variable_path, variables)),
        tuple(tuple(variable.shape) for variable in variables),
        tuple(group.indices for group in groups),
        tuple(number for number, group in enumerate(groups) if group.indices in noisy),
    )


class LayerSelection:
    """Chooses layers as the `layers` argument of the Langevin optimizers says.

    Args:
        layers: None, float, int, str, `keras.Layer`, list of int, str or `keras.Layer`, or callable. A string is tried
            first as a path (it chooses that layer and all inside it), then as one or more whole parts of a path (so a
            name is found at any depth), then as a regular expression that must match a whole path or a whole name.
        record: `Record` of what it chose in the model that it was saved with. Defaults to `None`.
        is_saved: bool, whether it comes from a configuration. Defaults to `False`.
        is_carried: bool, whether the record comes from a configuration and no optimizer was built since. It may then
            describe another model than the one that it is saved with next. Defaults to `False`.

    Raises:
        ValueError: `layers` is none of these or out of range.
    """

    def __init__(
        self,
        layers: LayersArgument = None,
        record: Record | None = None,
        is_saved: bool = False,
        is_carried: bool = False,
    ):
        self.layers = _checked(layers)
        self.record = record
        self.is_saved = is_saved
        self.is_carried = is_carried

    def resolve(self, variables) -> tuple[list[LayerGroup], list[LayerGroup]]:
        """Returns the layers of a model, and the chosen ones.

        Keras changes paths when it loads or clones a model: layers lose the names of the models that they were in, and
        automatic names get new numbers. So the record's indices are used for a model that is loaded with its optimizer,
        and for one whose variables match the record in number, shapes, and the parts of names that Keras keeps. For any
        other model, `layers` chooses again if it would also choose the recorded layers among those of the record.
        Otherwise the recorded layers must be there under the same paths.

        Args:
            variables: list of variables in the order of `model.trainable_variables`.

        Raises:
            ValueError: an entry matches no layer, an index or count is beyond the last layer, or the record does not
                say what `layers` means in this model.
        """
        groups = group_by_layer(variables)
        if self.record is None:
            return groups, self.choose(groups, variables)
        paths, shapes = list(map(variable_path, variables)), [tuple(variable.shape) for variable in variables]
        is_own = keras_internals.is_loading() and not self.is_carried and list(self.record.shapes) == shapes
        match = None if is_own else as_before(self.record, paths, shapes)
        if not (is_own or match):
            return groups, self._anew(groups, variables, paths, shapes)
        recorded = _groups_of(self.record, paths)
        chosen = [recorded[number] for number in self.record.chosen]
        if match and match.is_renumbered and self._goes_by_name:
            self._check_agrees(chosen, groups, variables)
        return recorded, chosen

    def choose(self, groups: list[LayerGroup], variables) -> list[LayerGroup]:
        """Returns the chosen `groups`, in order, by `layers` only.

        Args:
            groups: list of `LayerGroup`, as made from `variables`.
            variables: list of variables that `groups` was made from.

        Raises:
            ValueError: an entry matches no layer, or an index or count is beyond the last layer.
        """
        count = len(groups)
        layers = self.layers
        if layers is None:
            chosen = set(range(count))
        elif isinstance(layers, list):
            chosen = set().union(*(self._entry(entry, groups, variables) for entry in layers))
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
            chosen = self._entry(layers, groups, variables)
        else:
            chosen = {i for i, group in enumerate(groups) if layers(group.path)}
            if not chosen and self.is_saved and not (self.record and not self.record.chosen):
                raise ValueError(
                    "A callable `layers` that comes from a configuration must choose a layer, because Keras may have "
                    f"changed the paths that it gets. Received: layers={layers!r}, which chooses none of: "
                    f"{_listing(groups)}. {_CHOOSE_AGAIN} For no layer pass `layers=0`."
                )
        return [groups[i] for i in sorted(chosen)]

    @property
    def _entries(self) -> list:
        return self.layers if isinstance(self.layers, list) else [self.layers]

    @property
    def _goes_by_name(self) -> bool:
        return all(isinstance(entry, str) or callable(entry) for entry in self._entries) and not self._has_layers

    @property
    def _has_layers(self) -> bool:
        return any(isinstance(entry, (SavedLayer, keras.layers.Layer)) for entry in self._entries)

    def _check_agrees(self, chosen, groups, variables):
        try:
            anew = LayerSelection(self.layers).choose(groups, variables)
        except ValueError:
            return
        if not anew or [group.indices for group in anew] == [group.indices for group in chosen]:
            return
        raise ValueError(
            "`layers` must choose the same layers by name as in the model that it was saved with, whose names differ "
            f"only in their numbers. Received: layers={self.layers!r}, which now chooses {_listing(anew)}; the saved "
            f"choice belongs to {_listing(chosen)}. {_CHOOSE_AGAIN}"
        )

    def _anew(self, groups, variables, paths, shapes) -> list[LayerGroup]:
        """Returns what `layers` chooses in a model that is not the record's."""
        record = self.record
        if all(entry is None or isinstance(entry, (int, float)) for entry in self._entries):
            return self.choose(groups, variables)
        if not self._has_layers:
            recorded = _groups_of(record, record.paths)
            try:
                before = LayerSelection(self.layers).choose(recorded, None)
            except ValueError:
                before = None
            if before == [recorded[number] for number in record.chosen]:
                return self.choose(groups, variables)
        found = found_again(record, paths, shapes)
        if found is None:
            chosen = [_groups_of(record, record.paths)[number] for number in record.chosen]
            raise ValueError(
                "`layers` from a configuration must choose layers of the model that the optimizer trains. Received: "
                f"layers={self.layers!r}, which chose {_listing(chosen) or 'no layer'} in the model that it was saved "
                f"with, and a model with other weights. Its layers are: {_listing(groups)}. {_CHOOSE_AGAIN}"
            )
        return [group for group in groups if found.intersection(group.indices)]

    def _entry(self, entry, groups, variables) -> set[int]:
        """Returns the indices of the groups that one name, expression, index or layer chooses."""
        if isinstance(entry, keras.layers.Layer):
            owned = {id(variable) for variable in entry.trainable_variables}
            found = {index for index, variable in enumerate(variables) if id(variable) in owned}
            return _owners(entry, found, groups)
        if isinstance(entry, SavedLayer):
            return _owners(entry, _find(entry, groups, variables), groups)
        if isinstance(entry, str):
            return _of_name(entry, groups, self.is_saved)
        count = len(groups)
        if not -count <= entry < count:
            raise ValueError(
                f"An index in `layers` must be in [{-count}, {count - 1}], because {count} layers have trainable "
                f"weights. Received: {entry}. The layers are: {_listing(groups)}"
            )
        return {entry % count}

    def get_config(self, made: Record | None = None):
        """Returns `layers` in a form that `json` takes. A Layer object becomes the paths and shapes of its weights.

        Args:
            made: `Record` of what was chosen. Defaults to the record that the selection came with.

        Raises:
            ValueError: `layers` is a callable that is not registered with Keras.
        """
        layers = self.layers
        plain = [_stored(entry) for entry in layers] if isinstance(layers, list) else _stored(layers)
        if made is not None:
            return {"layers": plain, **made.get_config()}
        return plain if self.record is None else {"layers": plain, **self.record.get_config(), "is_carried": True}

    @classmethod
    def from_config(cls, config, custom_objects=None) -> "LayerSelection":
        """Restores a selection from `get_config`."""
        record, is_carried = None, False
        if isinstance(config, dict) and "layers" in config:
            record, is_carried = Record.from_config(config), bool(config.get("is_carried"))
            config = config["layers"]
        if isinstance(config, list):
            layers = [SavedLayer.restored(entry) for entry in config]
        elif isinstance(config, dict) and "class_name" in config:
            layers = keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
        else:
            layers = SavedLayer.restored(config)
        return cls(layers, record, is_saved=True, is_carried=is_carried)


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


def _groups_of(record: Record, paths) -> list[LayerGroup]:
    return [LayerGroup(layer_of(paths[indices[0]]), indices) for indices in record.groups]


def _of_name(name, groups, is_saved: bool) -> set[int]:
    chosen = {i for i, group in enumerate(groups) if f"{group.path}/".startswith(f"{name}/")}
    chosen = chosen or {i for i, group in enumerate(groups) if f"/{name}/" in f"/{group.path}/"}
    if not chosen:
        try:
            pattern = re.compile(name)
        except re.error as error:
            raise ValueError(
                f"An entry of `layers` must be a layer's name or a regular expression. Received: {name!r}, which is "
                f"neither ({error}). The layers are: {_listing(groups)}"
            ) from error
        chosen = {
            i
            for i, group in enumerate(groups)
            if pattern.fullmatch(group.path) or pattern.fullmatch(group.path.rpartition("/")[2])
        }
    if not chosen and is_saved:
        chosen = _of_longer_path(name, groups)
    if not chosen:
        raise ValueError(
            "An entry of `layers` must be the name or path of a layer with trainable weights, or a regular expression "
            f"that matches the whole of one. Received: {name!r}. The layers are: {_listing(groups)}. Choose a nested "
            "model by its object, because its name may be in no path: `layers=model.get_layer(name)`."
        )
    return chosen


def _of_longer_path(name: str, groups) -> set[int]:
    """Returns the layers that a path meant before Keras dropped the names of models from paths.

    A path is certain if only one layer fits. An expression never is: it is used without its first part, with a warning.
    """
    parts = name.split("/")
    chosen = {
        i
        for i, group in enumerate(groups)
        if group.path.rpartition("/")[2] == parts[-1] and is_part_of(group.path.split("/"), parts)
    }
    if chosen:
        return chosen if len(chosen) == 1 else set()
    rest = name.partition("/")[2]
    try:
        pattern = re.compile(rest)
    except re.error:
        return set()
    if not rest or pattern.fullmatch("\0"):  # matches any layer
        return set()
    chosen = {i for i, group in enumerate(groups) if pattern.fullmatch(group.path)}
    if len({groups[i].path for i in chosen}) < len(chosen):
        return set()
    if chosen:
        warnings.warn(
            f"`layers` has {name!r}, which matches no layer. The model was saved before the optimizer was built, and "
            f"Keras does not keep the names of models in paths. Without its first part it chooses "
            f"{_listing([groups[i] for i in sorted(chosen)])}. {_CHOOSE_AGAIN} Or build the optimizer before the model "
            "is saved: `optimizer.build(model.trainable_variables)`.",
            stacklevel=2,
        )
    return chosen


def _find(saved: SavedLayer, groups, variables) -> set[int]:
    """Returns the indices of a saved layer's variables."""
    found = saved.places(list(map(variable_path, variables)), [tuple(variable.shape) for variable in variables])
    if len(found) > 1:
        raise ValueError(
            f"A saved layer in `layers` must be one layer of the model. Received: {saved!r}, which may be any of "
            f"{len(found)}: it was saved before the optimizer was built, and Keras does not keep its name. The layers "
            f"are: {_listing(groups)}. {_CHOOSE_AGAIN}"
        )
    return found[0] if found else set()


def _owners(layer, found: set[int], groups) -> set[int]:
    chosen = {i for i, group in enumerate(groups) if found.intersection(group.indices)}
    if not chosen:
        raise ValueError(
            "A layer in `layers` must own trainable weights of the model that the optimizer trains. "
            f"Received: {layer!r}, which owns none. The layers are: {_listing(groups)}"
        )
    return chosen


def _stored(entry):
    if isinstance(entry, keras.layers.Layer):
        variables = entry.trainable_variables
        paths, shapes = list(map(variable_path, variables)), [tuple(variable.shape) for variable in variables]
        return SavedLayer.of(entry, paths, shapes).get_config()
    if isinstance(entry, SavedLayer):
        return entry.get_config()
    return _serialized(entry) if callable(entry) else entry


def _serialized(function):
    name = getattr(function, "__name__", None)
    if name is None or keras.saving.get_registered_object(keras.saving.get_registered_name(function)) is not function:
        raise ValueError(
            f"To be saved, a callable `layers` must be registered with Keras. Received: layers={function!r}, which is "
            "not. Decorate a function with `@keras.saving.register_keras_serializable()`, or pass names, a fraction or "
            "a count instead."
        )
    return keras.saving.serialize_keras_object(function)


def _listing(groups) -> str:
    """Lists the groups' paths, or the first and the last ones if there are many."""
    paths = list(dict.fromkeys(group.path for group in groups))
    left_out = [f"... ({len(paths) - 20} more, see `keras_langevin.describe(model, optimizer)`)"]
    return ", ".join(paths if len(paths) <= 25 else paths[:15] + left_out + paths[-5:])
