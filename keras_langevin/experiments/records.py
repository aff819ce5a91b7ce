"""What is on record of one run: its record, checked, or the state from which it resumes as if never interrupted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_langevin import archive
from keras_langevin.experiments.optimizer_specs import OptimizerSpec
from keras_langevin.experiments.statistics import chance_threshold
from keras_langevin.names import printable, shown
from keras_langevin.values import is_count, is_number, or_none

CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
LOG_NAMES = ("loss", "accuracy", "val_loss", "val_accuracy")  # what Keras calls them
STATUSES = ("finished", "diverged", "failed")


@dataclass(frozen=True)
class Run:
    arm: OptimizerSpec
    seed: int
    num_classes: int
    status: str  # "finished"; "diverged": the loss was not finite at some epoch; "failed": it ended with an error
    record: dict  # everything on record
    path: Path  # the file of the record

    @property
    def test_accuracy(self) -> float | None:
        """In [0, 1], also for a diverged run; `None` for a failed one."""
        return None if self.status == "failed" else float(self.record["test_accuracy"])

    @property
    def at_chance(self) -> bool:
        return self.status == "finished" and self.test_accuracy < chance_threshold(self.num_classes)

    @property
    def trained(self) -> bool:
        return self.status == "finished" and not self.at_chance

    @property
    def curves(self) -> dict[str, list[float | None]]:
        """A value for each epoch, by the names of `CURVES`."""
        curves = self.record.get("curves") or {}
        return {name: curves.get(name, []) for name in CURVES}

    @property
    def error(self) -> str:
        return printable(self.record.get("error") or "")

    @property
    def numbers(self) -> dict:
        """What must be the same in equal runs: not the seconds, nor where they were trained."""
        names = ("test_accuracy", "test_loss", "train_loss")
        return {"status": self.status} | {name: self.record.get(name) for name in names} | {"curves": self.curves}


def is_name(value: Any) -> bool:
    """Returns whether a value from a file is text that can be shown: not blank, without control characters."""
    return isinstance(value, str) and value.isprintable() and bool(value.strip())


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_curves(value: Any) -> bool:
    curves = [value.get(name, []) for name in CURVES]
    are_lists = all(isinstance(curve, list) and all(map(or_none(is_number), curve)) for curve in curves)
    return are_lists and len(set(map(len, curves))) == 1


_CHECKS = (
    ("optimizer", "a name", is_name),
    ("seed", "an int >= 0", is_count(0)),
    ("num_classes", "an int >= 1", is_count(1)),
    ("status", f"one of {', '.join(STATUSES)}", lambda value: value in STATUSES),
    *((name, "a finite number or null", or_none(is_number)) for name in ("test_loss", "train_loss", "seconds")),
    *((name, "an object or null", or_none(_is_object)) for name in ("arguments", "provenance")),
    ("error", "text or null", or_none(lambda value: isinstance(value, str))),
    ("curves", "an object, or left out", or_none(_is_object)),
    ("curves", "lists of finite numbers or null, all of one length", or_none(_is_curves)),
)


def checked_run(record: Any, path: Path, *, trial: bool = False) -> Run:
    """Returns the run of a record, or raises `ValueError` with the name of the file. Trials have no test accuracy."""

    def refuse(expected: str, received: Any):
        raise ValueError(
            f"{path} is not a record of a run: {expected}. Received: {shown(received)}. "
            "Remove it to repeat that run, or leave its folder out."
        )

    if not isinstance(record, dict):
        refuse("it must be a JSON object", record)
    for name, expected, is_right in _CHECKS:
        if not is_right(record.get(name)):
            refuse(f"`{name}` must be {expected}", record.get(name))
    accuracy = record.get("test_accuracy")
    if not trial and record["status"] != "failed" and not (is_number(accuracy) and 0 <= accuracy <= 1):
        refuse("`test_accuracy` must be in [0, 1]", accuracy)
    return Run(
        OptimizerSpec(record["optimizer"]), record["seed"], record["num_classes"], record["status"], record, path
    )


class State(NamedTuple):
    """The state of a run at the end of an epoch."""

    epoch: int  # how many are done
    history: dict[str, list[float]]  # by the names of `LOG_NAMES`, a value for each epoch
    seconds: float  # how long they took
    arrays: list[np.ndarray]  # the values of the trainer's variables
    source: str = ""  # the file it was read from, for errors


class Checkpoint:
    """The file of a run's latest state, replaced whole or not at all. `owner` identifies the run."""

    def __init__(self, path: Path, owner: dict[str, Any], epochs: int):
        self.path, self.owner, self.epochs = path, owner, epochs

    def write(self, state: State):
        """Replaces the state. Raises `StorageError` if, say, the disk is full."""
        head = {"owner": self.owner, "epoch": state.epoch, "history": state.history, "seconds": state.seconds}
        archive.write(self.path, head, state.arrays)

    def read(self) -> State | None:
        """Returns the state, or `None` if there is none. Raises `ValueError` for another file or another run's."""
        try:
            head, arrays = archive.read(self.path)
            self._check(head)
            return State(head["epoch"], head["history"], head["seconds"], arrays, str(self.path))
        except FileNotFoundError:
            return None
        except archive.UNREADABLE as error:
            raise ValueError(
                f"{self.path} must hold the state of an unfinished run. Received another file "
                f"({type(error).__name__}: {str(error)[:200]}). Remove it to restart that run."
            ) from error

    def _check(self, head: Any):
        """Raises an error if `write` cannot have made this head for this run."""
        differ = [name for name, value in self.owner.items() if head["owner"].get(name) != value]
        if differ:
            raise ValueError(f"it is of another run: another {', another '.join(differ)}")
        epoch, history, seconds = head["epoch"], head["history"], head["seconds"]
        if not is_count(1)(epoch) or epoch > self.epochs:
            raise ValueError(f"its epoch is {shown(epoch)}, which is not an int from 1 to {self.epochs}")
        # Python's JSON has NaN, and the loss on the validation split may be NaN
        if set(history) != set(LOG_NAMES) or not all(
            isinstance(values, list) and [type(value) for value in values] == [float] * epoch
            for values in history.values()
        ):
            raise ValueError(f"its history is not {epoch} floats of each of {', '.join(LOG_NAMES)}")
        if not is_number(seconds) or seconds < 0:
            raise ValueError(f"its seconds are {shown(seconds)}")
