"""The latest samples of a chain, in memory or on disk."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_langevin import archive
from keras_langevin.files import writing_to


class Sample(NamedTuple):
    """The weights after one update.

    Attributes:
        settings: dict, see `settings_of`.
        arrays: list of arrays, the model's `weights`: the trainable ones and what else is saved with the model, such as
            the moving statistics of batch normalization.
    """

    settings: dict
    arrays: list[np.ndarray]


class MemoryRing:
    """The latest samples, oldest first, in memory.

    Args:
        max_samples: int >= 1; one more takes the place of the oldest.
    """

    def __init__(self, max_samples: int):
        self.max_samples = max_samples
        self.heads: list[
            dict
        ] = []  # of each sample: settings, layout (shapes and dtypes), slot, and number in the order of arrival
        self._samples: dict[int, list[np.ndarray]] = {}

    def __len__(self):
        return len(self.heads)

    @property
    def settings(self) -> list[dict]:
        """Of each sample, oldest first."""
        return [head["settings"] for head in self.heads]

    def append(self, sample: Sample):
        """Keeps a sample. One of the same seed and iteration is replaced: a run that was restored from an earlier state
        takes again the samples that came after that.

        Raises:
            StorageError: the disk is full, say. What was kept before is whole.
        """
        layout = [[list(array.shape), array.dtype.name] for array in sample.arrays]
        head = {"settings": sample.settings, "layout": layout, **self._place(sample)}
        self.put(head, sample.arrays)
        self.heads = [other for other in self.heads if other["slot"] != head["slot"]] + [head]
        self.heads.sort(key=lambda head: head["number"])

    def put(self, head: dict, arrays: list[np.ndarray]):
        """Writes into the slot that `head` names."""
        self._samples[head["slot"]] = arrays

    def arrays(self, index: int) -> list[np.ndarray]:
        """The weights of sample `index`, counted from the oldest."""
        return self._samples[self.heads[index]["slot"]]

    def replace(self, index: int, arrays: list[np.ndarray]):
        """Other arrays for sample `index`."""
        self.put(self.heads[index], arrays)

    def _place(self, sample: Sample) -> dict:
        """The slot for a sample, and its number."""
        for head in self.heads:
            if all(head["settings"][name] == sample.settings[name] for name in ("seed", "iteration")):
                return {"slot": head["slot"], "number": head["number"]}
        number = self.heads[-1]["number"] + 1 if self.heads else 0
        if len(self.heads) >= self.max_samples:
            return {"slot": self.heads[0]["slot"], "number": number}
        taken = {head["slot"] for head in self.heads}
        return {"slot": next(slot for slot in range(self.max_samples) if slot not in taken), "number": number}


class DiskRing(MemoryRing):
    """The latest samples, one file each in a folder, written atomically: after a kill each is whole, old or new.

    Args:
        folder: str or path. It is made where it does not exist; samples that it holds are gone on with. One chain a
            folder, and one process at a time.
        max_samples: int >= 1, or `None` for as many as there are.

    Raises:
        ValueError: the folder cannot be made, holds a file that is no sample, or more samples than `max_samples`.
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
        self.heads = sorted(map(self._read_head, self.folder.glob("sample-*.npz")), key=lambda head: head["number"])
        if max_samples is None:
            self.max_samples = len(self.heads)
        elif len(self.heads) > max_samples:
            raise ValueError(
                f"`directory` must hold at most max_samples={max_samples} samples. Received: {self.folder} with "
                f"{len(self.heads)}. Raise `max_samples`, or choose another directory."
            )

    def clean(self):
        """Removes the pieces of files that a killed process was writing."""
        with writing_to(self.folder):
            for piece in self.folder.glob(".sample-*"):
                piece.unlink(missing_ok=True)

    def put(self, head: dict, arrays: list[np.ndarray]):
        archive.write(self._path(head["slot"]), head, arrays)

    def arrays(self, index: int) -> list[np.ndarray]:
        path = self._path(self.heads[index]["slot"])
        try:
            return archive.read(path)[1]
        except archive.UNREADABLE as error:
            raise _no_sample(path, error) from error

    def _path(self, slot: int) -> Path:
        return self.folder / f"sample-{slot:05d}.npz"

    def _read_head(self, path: Path) -> dict:
        try:
            head = archive.read_head(path)
            if self._path(head["slot"]) != path:
                raise ValueError(f"it says that it is {self._path(head['slot']).name}")
            return {name: head[name] for name in ("settings", "layout", "slot", "number")}
        except archive.UNREADABLE as error:
            raise _no_sample(path, error) from error


def _no_sample(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"A file sample-*.npz must hold a sample that `PosteriorSamples` wrote. Received: {path}, which is not "
        f"readable as such ({error}). Remove it, or choose another directory."
    )
