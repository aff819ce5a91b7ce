"""The state of an unfinished run, from which it resumes as if it had not stopped."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_langevin import archive
from keras_langevin.names import shown
from keras_langevin.values import is_count, is_number

CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
LOG_NAMES = ("loss", "accuracy", "val_loss", "val_accuracy")  # what Keras calls them


class State(NamedTuple):
    """What a run is at the end of an epoch."""

    epoch: int  # how many are done
    history: dict[str, list[float]]  # by the names of `LOG_NAMES`, a value for each epoch
    seconds: float  # how long they took
    arrays: list[np.ndarray]  # the values of the trainer's variables
    source: str = ""  # where it was read, for an error


class Checkpoint:
    """The file of one run's latest state; replaced atomically, so that there is always a whole one. `owner` tells the
    run from others; `epochs` is how many it has."""

    def __init__(self, path: Path, owner: dict[str, str | int], epochs: int):
        self.path, self.owner, self.epochs = path, owner, epochs

    def write(self, state: State):
        """Replaces the state. Raises `StorageError` where the disk is full, say."""
        head = {"owner": self.owner, "epoch": state.epoch, "history": state.history, "seconds": state.seconds}
        archive.write(self.path, head, state.arrays)

    def read(self) -> State | None:
        """The state, or `None` where there is none.

        Raises:
            ValueError: the file is not what `write` makes, or is of another run.
        """
        try:
            head, arrays = archive.read(self.path)
            self._check(head)
            return State(head["epoch"], head["history"], head["seconds"], arrays, str(self.path))
        except FileNotFoundError:
            return None
        except archive.UNREADABLE as error:
            raise ValueError(
                f"{self.path} must hold the state of an unfinished run. Received another file "
                f"({type(error).__name__}: {str(error)[:200]}). Remove it to begin that run anew."
            ) from error

    def _check(self, head: Any):
        """Refuses a head that `write` cannot have made for this run."""
        differ = [name for name, value in self.owner.items() if head["owner"].get(name) != value]
        if differ:
            raise ValueError(f"it is of another run: another {', another '.join(differ)}")
        epoch, history, seconds = head["epoch"], head["history"], head["seconds"]
        if not is_count(1)(epoch) or epoch > self.epochs:
            raise ValueError(f"its epoch is {shown(epoch)}, which is not an int from 1 to {self.epochs}")
        # JSON as Python writes it has NaN; a loss may be that on the validation split
        if set(history) != set(LOG_NAMES) or not all(
            isinstance(values, list) and [type(value) for value in values] == [float] * epoch
            for values in history.values()
        ):
            raise ValueError(f"its history is not {epoch} floats of each of {', '.join(LOG_NAMES)}")
        if not is_number(seconds) or seconds < 0:
            raise ValueError(f"its seconds are {shown(seconds)}")
