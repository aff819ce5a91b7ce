"""The latest samples of a chain, in memory or on disk."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_langevin import archive
from keras_langevin.files import writing_to
from keras_langevin.values import is_count, or_none

# The file of the arrays that all samples share.
_REST = "rest.npz"


class Sample(NamedTuple):
    """The weights after one update.

    Attributes:
        settings: dict, see `settings_of`.
        arrays: list of arrays, the model's `weights`: the trainable ones and the others that are saved with the model,
            such as the moving statistics of batch normalization.
        chain: dict that identifies its chain, see `sampling.chain.begun`. Defaults to an empty one: unknown.
        levels: list, learning rate and sigma of its update, see `sampling.chain.levels_of`. Defaults to none.
    """

    settings: dict[str, Any]
    arrays: list[np.ndarray]
    chain: dict[str, Any] = {}
    levels: list[Any] = []


class MemoryRing:
    """The latest samples, oldest first, in memory.

    Args:
        max_samples: int >= 1. A further sample replaces the oldest.
    """

    def __init__(self, max_samples: int):
        self.max_samples = max_samples
        # For each sample: settings, layout (shapes and dtypes), slot, number in the order of arrival, chain and levels.
        self.heads: list[dict[str, Any]] = []
        self._samples: dict[int, list[np.ndarray]] = {}
        # The indices of the arrays that each sample stores (`None`: all). The other arrays are stored once.
        self.stored: list[int] | None = None
        self._rest: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.heads)

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The settings of each sample, oldest first."""
        return [head["settings"] for head in self.heads]

    def append(self, sample: Sample) -> None:
        """Adds a sample. It replaces one with the same seed and iteration: a run that was restored from an earlier
        state takes the later samples again.

        Raises:
            StorageError: writing fails, e.g. because the disk is full. Earlier samples are intact.
        """
        head = {"settings": sample.settings, "layout": _layout(sample.arrays), **self._place(sample.settings)}
        head |= {"chain": sample.chain, "levels": sample.levels}
        self.put(head, sample.arrays)
        self.heads = [other for other in self.heads if other["slot"] != head["slot"]] + [head]
        self.heads.sort(key=lambda head: head["number"])

    def store_only(self, stored: list[int], arrays: list[np.ndarray]) -> None:
        """Makes each sample store only some arrays. The others are stored once.

        Args:
            stored: list of ints, the indices of the arrays that each sample stores.
            arrays: list of all arrays, from which it takes the others.

        Raises:
            ValueError: earlier samples store other arrays, or share other values.
        """
        rest = [array for number, array in enumerate(arrays) if number not in set(stored)]
        if self.stored is None and not self.heads:
            self.keep_rest(stored, rest)
        elif self.stored != stored or not all(map(_equal, self._rest, rest)):
            raise ValueError(
                "With `layers`, all samples must have the same layers, and the same weights in all others. Received: "
                f"others than in the {len(self.heads)} samples in {getattr(self, 'folder', 'memory')}. Choose "
                "another directory, and make a new `PosteriorSamples`."
            )

    def keep_rest(self, stored: list[int], rest: list[np.ndarray]) -> None:
        """Stores the arrays that all samples share."""
        self.stored, self._rest = stored, rest

    def put(self, head: dict[str, Any], arrays: list[np.ndarray]) -> None:
        """Writes a sample's arrays into the slot that `head` names.

        Raises:
            ValueError: arrays that the samples share have changed.
        """
        if self.stored is not None:
            own = set(self.stored)
            rest = [array for number, array in enumerate(arrays) if number not in own]
            if not all(map(_equal, self._rest, rest)):
                raise ValueError(
                    "With `layers`, the weights of all other layers must not change. Received: other weights in update "
                    f"{head['settings']['iteration']}. Freeze these layers (`layer.trainable = False`, and compile), "
                    "or leave `layers` out."
                )
            arrays = [array for number, array in enumerate(arrays) if number in own]
        self.write(head, arrays)

    def write(self, head: dict[str, Any], stored: list[np.ndarray]) -> None:
        """Writes the arrays that a sample stores."""
        self._samples[head["slot"]] = stored

    def arrays(self, index: int) -> list[np.ndarray]:
        """Returns the weights of sample `index`, counted from the oldest."""
        arrays = self.read(index)
        if self.stored is None:
            return arrays
        own, rest, chosen = iter(arrays), iter(self._rest), set(self.stored)
        count = len(arrays) + len(self._rest)
        return [next(own) if number in chosen else next(rest) for number in range(count)]

    def read(self, index: int) -> list[np.ndarray]:
        """Returns the arrays that sample `index` stores."""
        return self._samples[self.heads[index]["slot"]]

    def find(self, settings: dict[str, Any]) -> int | None:
        """Returns the index of the sample with the same seed and iteration, or `None`."""
        for index, head in enumerate(self.heads):
            if all(head["settings"][name] == settings[name] for name in ("seed", "iteration")):
                return index
        return None

    def replace(self, index: int, arrays: list[np.ndarray]) -> None:
        """Replaces the arrays of sample `index`."""
        self.put(self.heads[index], arrays)

    def _place(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Returns the slot for a sample, and its number."""
        found = self.find(settings)
        if found is not None:
            return {name: self.heads[found][name] for name in ("slot", "number")}
        number = self.heads[-1]["number"] + 1 if self.heads else 0
        if len(self.heads) >= self.max_samples:
            return {"slot": self.heads[0]["slot"], "number": number}
        taken = {head["slot"] for head in self.heads}
        return {"slot": next(slot for slot in range(self.max_samples) if slot not in taken), "number": number}


class DiskRing(MemoryRing):
    """The latest samples, one file each in a folder, written atomically: a kill leaves each file whole, old or new.

    Args:
        folder: str or path. It is created if it does not exist; samples in it are kept. Use it for one chain, and in
            one process at a time. To read a sample that another process or object has replaced is an error.
        max_samples: int >= 1, or `None` for as many as the folder has.

    Raises:
        ValueError: the folder cannot be created, or it has a file that is not a sample, samples of several chains, or
            more than `max_samples`.
    """

    def __init__(self, folder: str | Path, max_samples: int | None):
        super().__init__(max_samples)
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"`directory` must be a folder for samples. Received: {self.folder} ({error.strerror or error}). "
                "Choose another."
            ) from error
        self.read_heads()
        if max_samples is None:
            self.max_samples = len(self.heads)
        elif len(self.heads) > max_samples:
            raise ValueError(
                f"`directory` must hold at most max_samples={max_samples} samples. Received: {self.folder} with "
                f"{len(self.heads)}. Raise `max_samples`, or choose another directory."
            )

    def read_heads(self) -> None:
        """Reads which samples the folder has now."""
        path = self.folder / _REST
        if self.stored is None and path.exists():
            try:
                head, rest = archive.read(path)
                stored = head["stored"]
                if not (isinstance(stored, list) and stored and all(map(_is_whole, stored))):
                    raise ValueError(f"its list of stored arrays is {stored}")
            except archive.UNREADABLE as error:
                raise _no_sample(path, error) from error
            self.stored, self._rest = stored, rest
        self.heads = sorted(map(self._read_head, self.folder.glob("sample-*.npz")), key=lambda head: head["number"])
        chains = {json.dumps(head["chain"], sort_keys=True) for head in self.heads}
        if len(chains) > 1:
            raise ValueError(
                f"`directory` must hold samples of one chain. Received: {self.folder} with samples of {len(chains)} "
                "chains. Keep the files of each in a directory of its own."
            )

    def clean(self) -> None:
        """Removes unfinished files that a killed process left behind."""
        with writing_to(self.folder):
            for piece in self.folder.glob(".sample-*"):
                piece.unlink(missing_ok=True)

    def keep_rest(self, stored: list[int], rest: list[np.ndarray]) -> None:
        super().keep_rest(stored, rest)
        archive.write(self.folder / _REST, {"stored": stored}, rest)

    def write(self, head: dict[str, Any], stored: list[np.ndarray]) -> None:
        archive.write(self._path(head["slot"]), head, stored)

    def read(self, index: int) -> list[np.ndarray]:
        path = self._path(self.heads[index]["slot"])
        try:
            head, arrays = archive.read(path)
            head = _checked(head)
            own = range(len(head["layout"])) if self.stored is None else self.stored
            layout = [head["layout"][number] for number in own]
            if len(layout) != len(arrays) or not all(map(_is_of, arrays, layout)):
                raise ValueError(f"its arrays are {_layout(arrays)}, and its layout says {layout}")
        except archive.UNREADABLE as error:
            raise _no_sample(path, error) from error
        wanted = self.heads[index]["settings"]
        if _identity(head) != _identity(self.heads[index]):
            raise ValueError(
                f"{path} must hold the sample of update {wanted['iteration']} (seed {wanted['seed']}) that was read or "
                f"written here. Received: another, of update {head['settings']['iteration']} (seed "
                f"{head['settings']['seed']}). Another fit has replaced it: read what there is now with "
                "`keras_langevin.sampling.load`, and give each chain a directory of its own."
            )
        return arrays

    def _path(self, slot: int) -> Path:
        return self.folder / f"sample-{slot:05d}.npz"

    def _read_head(self, path: Path) -> dict[str, Any]:
        try:
            head = _checked(archive.read_head(path))
            if self._path(head["slot"]) != path:
                raise ValueError(f"it says that it is {self._path(head['slot']).name}")
            return head
        except archive.UNREADABLE as error:
            raise _no_sample(path, error) from error


_is_whole = is_count(0)


def _identity(head: dict[str, Any]) -> str:
    return json.dumps([head["settings"]["seed"], head["settings"]["iteration"], head["chain"], head["layout"]])


def _checked(head) -> dict[str, Any]:
    """Checks a sample file's head. Raises one of `archive.UNREADABLE` if a part is missing or has a wrong type."""
    settings, layout, chain = head["settings"], head["layout"], head.get("chain", {})
    parts = {
        "settings": isinstance(settings, dict)
        and _is_whole(settings["iteration"])
        and or_none(_is_whole)(settings["seed"]),
        "layout": isinstance(layout, list) and all(map(_is_shape_and_dtype, layout)),
        "slot": _is_whole(head["slot"]),
        "number": _is_whole(head["number"]),
        "chain": isinstance(chain, dict) and or_none(_is_whole)(chain.get("begin")),
        "levels": isinstance(head.get("levels", []), list),
    }
    for name, is_right in parts.items():
        if not is_right:
            raise ValueError(f"its {name} is {str(head.get(name))[:100]}")
    return {name: head[name] for name in ("settings", "layout", "slot", "number")} | {
        "chain": chain,
        "levels": head.get("levels", []),
    }


def _is_shape_and_dtype(value) -> bool:
    if not (isinstance(value, list) and len(value) == 2):
        return False
    shape, dtype = value
    return isinstance(shape, list) and all(map(_is_whole, shape)) and isinstance(dtype, str)


def _layout(arrays: list[np.ndarray]) -> list:
    return [[list(array.shape), array.dtype.name] for array in arrays]


def _equal(array: np.ndarray, other: np.ndarray) -> bool:
    return array.shape == other.shape and array.tobytes() == other.tobytes()


def _is_of(array: np.ndarray, layout: list) -> bool:
    shape, dtype = layout
    return [*array.shape] == shape and (array.dtype.kind == "V" or array.dtype.name == dtype)  # V: bfloat16, as bytes


def _no_sample(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"A file sample-*.npz must hold a sample that `PosteriorSamples` wrote. Received: {path}, which is not "
        f"readable as such ({type(error).__name__}: {str(error)[:200]}). Remove it, or choose another directory."
    )
