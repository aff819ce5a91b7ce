"""Records what `layers` chose in a model, in a form that a load does not change."""

import itertools
import re
from collections import Counter
from typing import NamedTuple

import keras

_NUMBER = re.compile(r"_(\d+)$")


class Record(NamedTuple):
    """The variables of the model that an optimizer was built for, and which of its layers are noisy.

    Attributes:
        paths: tuple of str, the variables' paths.
        shapes: tuple of tuples of ints.
        groups: tuple of tuples of ints, the indices of each layer's variables.
        chosen: tuple of ints, the numbers of the noisy layers.
    """

    paths: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]
    chosen: tuple[int, ...]

    def get_config(self) -> dict:
        """Returns the record in a form that `json` takes."""
        return {
            "variables": [[path, list(shape)] for path, shape in zip(self.paths, self.shapes, strict=True)],
            "groups": [list(indices) for indices in self.groups],
            "chosen": list(self.chosen),
        }

    @classmethod
    def from_config(cls, config: dict) -> "Record":
        """Restores a record from `get_config`.

        Raises:
            ValueError: the record is incomplete or inconsistent.
        """
        try:
            record = cls(
                tuple(str(path) for path, _ in config["variables"]),
                tuple(tuple(map(int, shape)) for _, shape in config["variables"]),
                tuple(tuple(map(int, indices)) for indices in config["groups"]),
                tuple(map(int, config["chosen"])),
            )
            places = [index for indices in record.groups for index in indices]
            is_whole = all(record.groups) and len(places) == len(set(places))
            is_whole = is_whole and all(0 <= index < len(record.paths) for index in places)
            is_whole = is_whole and all(0 <= number < len(record.groups) for number in record.chosen)
        except (KeyError, TypeError, ValueError):
            is_whole = False
        if not is_whole:
            raise ValueError(
                "`layers` in a configuration must have the variables, the layers and the chosen layers of the saved "
                f"model, as `get_config` writes them. Received: {str(config)[:200]}. Save it again, or pass `layers` "
                "again."
            )
        return record


class Match(NamedTuple):
    """How a model's variables match those of a record.

    Attributes:
        is_renumbered: bool, whether the numbers in names differ (`dense_7`, `dense`).
    """

    is_renumbered: bool


def as_before(record: Record, paths: list[str], shapes: list[tuple[int, ...]]) -> Match | None:
    """Returns how variables match a record, or `None` if they cannot be its variables after a load.

    They match if their number and shapes are equal, and their paths up to parts that only one of the two has and up to
    the numbers at the end of names. Within a layer, these numbers must have the same order.

    Args:
        record: the record.
        paths: list of str.
        shapes: list of tuples of ints.

    Example:

    >>> record = Record(("net/a/dense_1/kernel", "net/a/dense_2/kernel"), ((2, 2), (2, 2)), ((0,), (1,)), (0,))
    >>> as_before(record, ["dense/kernel", "dense_1/kernel"], [(2, 2), (2, 2)])
    Match(is_renumbered=True)
    >>> as_before(record, ["b/dense_1/kernel", "b/dense_2/kernel"], [(2, 2), (2, 2)]) is None
    True
    """
    if list(record.shapes) != shapes:
        return None
    numbers: dict[tuple, dict[int, int]] = {}  # by the path before the name, and the name
    for old, new in zip(record.paths, paths, strict=True):
        pairs = _pairs(old.split("/"), new.split("/"))
        if pairs is None:
            return None
        for depth, ((name, before), (_, after)) in enumerate(reversed(pairs)):
            where = (*new.split("/")[:depth], name)
            if before != after and numbers.setdefault(where, {}).setdefault(before, after) != after:
                return None
    for changed in numbers.values():
        after = [changed[before] for before in sorted(changed)]
        if any(first >= second for first, second in itertools.pairwise(after)):
            return None
    return Match(bool(numbers))


def found_again(record: Record, paths: list[str], shapes: list[tuple[int, ...]]) -> set[int] | None:
    """Finds the record's chosen variables by path in a model with other variables; returns their indices or `None`.

    If the model only lacks some variables (frozen layers), it finds the chosen ones that are left. Otherwise all chosen
    ones must be there, and unless the model only adds variables, their names must contain no number that Keras may have
    given. If several variables share a path, either all or none of them must be there.
    """
    old, new = _counted(record.paths, record.shapes), _counted(paths, shapes)
    wanted = {old[index] for number in record.chosen for index in record.groups[number]}
    before, after = (Counter(key[:2] for key in keys) for keys in (old, new))
    if any(after[key[:2]] not in (0, before[key[:2]]) for key in wanted):
        return None
    is_rest, is_whole = set(new) <= set(old), wanted <= set(new)
    has_numbers = any(_NUMBER.search(part) for path, _, _ in wanted for part in path.split("/"))
    if not (is_rest or (is_whole and (set(old) <= set(new) or not has_numbers))):
        return None
    return {index for index, key in enumerate(new) if key in wanted} or None


def _counted(paths, shapes) -> list[tuple]:
    """Returns (path, shape, how many equal ones came before) for each variable."""
    seen: Counter = Counter()
    keys = []
    for key in zip(paths, shapes, strict=True):
        keys.append((*key, seen[key]))
        seen[key] += 1
    return keys


class SavedLayer(str):
    """A `keras.Layer` in `layers`, as a configuration stores it: its path, a str that also holds its variables.

    Args:
        path: str.
        variables: list of `[path, shape, kept]`. `kept` has a bool for each part of the path: whether a load keeps it.
    """

    def __new__(cls, path: str, variables: list | None = None):
        saved = super().__new__(cls, path)
        saved.variables = variables or []
        return saved

    @classmethod
    def of(cls, layer: keras.layers.Layer, paths: list[str], shapes: list[tuple[int, ...]]) -> "SavedLayer":
        """Makes a `SavedLayer` of a layer, and its variables' paths and shapes.

        A load gives new automatic names to layers that another layer makes in its `__init__`. It keeps the names of
        layers in a Functional or Sequential model; these have an `output`.
        """
        changing = {
            each.name for each in layer._flatten_layers() if _is_automatic(each) and not hasattr(each, "output")
        }
        variables = []
        for path, shape in zip(paths, shapes, strict=True):
            kept = [part not in changing for part in path.split("/")]
            variables.append([path, list(shape), kept])
        return cls(layer.path or layer.name, variables)

    @classmethod
    def restored(cls, entry):
        """Returns an entry of a configuration, as a `SavedLayer` if it is one."""
        if not isinstance(entry, dict):
            return entry
        try:
            variables = [[str(path), list(shape), list(kept)] for path, shape, kept in entry["variables"]]
            return cls(str(entry["path"]), variables)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                "A layer in a configuration must have `path` and `variables`, as `get_config` writes them. "
                f"Received: {str(entry)[:200]}. Save it again, or pass `layers` again."
            ) from error

    def get_config(self) -> dict:
        """Returns the layer in a form that `json` takes."""
        return {"path": str(self), "variables": self.variables}

    def places(self, paths: list[str], shapes: list[tuple[int, ...]]) -> list[set[int]]:
        """Returns where its variables may be: consecutive, with the same shapes and the names that a load keeps."""
        count = len(self.variables)
        starts = range(len(paths) - count + 1) if count else ()
        return [
            set(range(start, start + count))
            for start in starts
            if all(
                tuple(shape) == shapes[start + i] and _is_like(path.split("/"), kept, paths[start + i].split("/"))
                for i, (path, shape, kept) in enumerate(self.variables)
            )
        ]


def is_part_of(parts: list[str], whole: list[str]) -> bool:
    """Whether `parts` is `whole` with some parts left out.

    >>> is_part_of(["a", "kernel"], ["net", "a", "kernel"])
    True
    """
    rest = iter(whole)
    return all(part in rest for part in parts)


def _split(part: str) -> tuple[str, int]:
    """Splits a name into the name without its number, and the number."""
    number = _NUMBER.search(part)
    return (part[: number.start()], int(number[1])) if number else (part, 0)


def _pairs(old: list[str], new: list[str]) -> list[tuple[tuple[str, int], tuple[str, int]]] | None:
    """Pairs each part of the shorter path with one of the longer, from the end. `None` if a part has no partner."""
    before, after = [_split(part) for part in old], [_split(part) for part in new]
    if before[-1][0] != after[-1][0]:
        return None
    is_longer = len(before) >= len(after)
    longer, shorter = (before, after) if is_longer else (after, before)
    pairs, rest = [], iter(reversed(longer))
    for part in reversed(shorter):
        other = next((each for each in rest if each[0] == part[0]), None)
        if other is None:
            return None
        pairs.append((other, part) if is_longer else (part, other))
    return pairs


def _is_like(saved: list[str], kept: list[bool], parts: list[str]) -> bool:
    names = [part if is_kept else _split(part)[0] for part, is_kept in zip(saved, kept, strict=True)]
    rest = iter(zip(names, kept, strict=True))
    return all(any(name == (part if is_kept else _split(part)[0]) for name, is_kept in rest) for part in parts)


def _is_automatic(layer) -> bool:
    # as `keras.Layer` makes them from the class's name
    base = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", type(layer).__name__))
    base = re.sub("([a-z])([A-Z])", r"\1_\2", base).lower()
    return bool(re.fullmatch(rf"{re.escape(base)}(_\d+)?", layer.name))
