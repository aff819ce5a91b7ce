"""The state of an unfinished run, from which it goes on as if it had not stopped."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_langevin import archive


class State(NamedTuple):
    """What a run is at the end of an epoch.

    Attributes:
        epoch: int, how many epochs are done.
        history: dict of lists of floats, of length `epoch`.
        seconds: float, how long they took.
        arrays: list of arrays, the values of the trainer's variables.
        source: str, where it was read, for an error; empty where it was not. Defaults to empty.
    """

    epoch: int
    history: dict[str, list[float]]
    seconds: float
    arrays: list[np.ndarray]
    source: str = ""


class Checkpoint:
    """The file of one run's latest state; replaced atomically, so that there is always a whole one.

    Args:
        path: where the file is, or is to be; its folder exists.
    """

    def __init__(self, path: Path):
        self.path = path

    def write(self, state: State):
        """Replaces the state.

        Raises:
            StorageError: the disk is full, say.
        """
        head = {"epoch": state.epoch, "history": state.history, "seconds": state.seconds}
        archive.write(self.path, head, state.arrays)

    def read(self) -> State | None:
        """The state, or `None` where there is none.

        Raises:
            ValueError: the file is not what `write` makes.
        """
        try:
            head, arrays = archive.read(self.path)
            return State(**head, arrays=arrays, source=str(self.path))
        except FileNotFoundError:
            return None
        except archive.UNREADABLE as error:
            raise ValueError(
                f"{self.path} must hold the state of an unfinished run. It is not readable as such ({error}). "
                "Remove it to begin that run anew."
            ) from error

    def remove(self):
        """Removes the file, if it is there."""
        self.path.unlink(missing_ok=True)
