"""A run as a report sees it: a record that was read and checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_langevin.experiments.checkpoint import CURVES
from keras_langevin.experiments.config import Arm
from keras_langevin.experiments.statistics import stayed_at_chance
from keras_langevin.names import shown
from keras_langevin.values import is_count, is_number, or_none

STATUSES = ("finished", "diverged", "failed")


@dataclass(frozen=True)
class Run:
    """One optimizer, trained with one seed.

    Attributes:
        arm: the optimizer.
        seed: int.
        num_classes: int.
        status: str: `"finished"`; `"diverged"`, where the loss was not finite at some epoch; `"failed"`, where it ended
            with an error.
        record: dict, all that is on record.
        path: where the record was read.
    """

    arm: Arm
    seed: int
    num_classes: int
    status: str
    record: dict
    path: Path

    @property
    def test_accuracy(self) -> float | None:
        """In [0, 1]; a diverged run's, too; `None` for a failed one."""
        return None if self.status == "failed" else float(self.record["test_accuracy"])

    @property
    def at_chance(self) -> bool:
        """Whether it finished, and its test accuracy is at chance level."""
        return self.status == "finished" and bool(stayed_at_chance(self.test_accuracy, self.num_classes))

    @property
    def curves(self) -> dict[str, list[float | None]]:
        """A value for each epoch, by the names of `CURVES`."""
        return {name: self.record.get("curves", {}).get(name, []) for name in CURVES}

    @property
    def error(self) -> str:
        """What a failed run ended with, in one line."""
        return "".join(letter if letter.isprintable() else " " for letter in self.record.get("error", ""))

    @property
    def numbers(self) -> dict:
        """What equal runs must have in common. Not the seconds, nor where it was trained."""
        names = ("test_accuracy", "test_loss", "train_loss")
        return {"status": self.status} | {name: self.record.get(name) for name in names} | {"curves": self.curves}


def checked_run(record: Any, path: Path, *, trial: bool = False) -> Run:
    """The run of a record, as `Store` writes it.

    Args:
        record: what was read, of any type.
        path: where it was read, for the error.
        trial: bool, whether it is of a search, which leaves the test split alone. Defaults to `False`.

    Raises:
        ValueError: it is not a record; the error names the file and what is wrong.

    Example:

    >>> checked_run({"optimizer": "adam", "seed": 0}, Path("runs/adam-seed-0.json"))
    Traceback (most recent call last):
    ValueError: runs/adam-seed-0.json is not a record of a run: `num_classes` must be an int >= 1. Received: None. \
Remove it to repeat that run, or leave its folder out.
    """
    if not isinstance(record, dict):
        raise _not_a_record(path, "it must be a JSON object", record)
    for name, expected, is_right in _CHECKS:
        if not is_right(record.get(name)):
            raise _not_a_record(path, f"`{name}` must be {expected}", record.get(name))
    status, curves = record["status"], record.get("curves", {})
    accuracy = record.get("test_accuracy")
    if not trial and status != "failed" and not (is_number(accuracy) and 0 <= accuracy <= 1):
        raise _not_a_record(path, "`test_accuracy` must be in [0, 1]", accuracy)
    if not isinstance(curves, dict):
        raise _not_a_record(path, "`curves` must be an object", curves)
    for name in CURVES:
        values = curves.get(name, [])
        if not isinstance(values, list) or not all(value is None or is_number(value) for value in values):
            raise _not_a_record(path, f"the curve `{name}` must be a list of finite numbers or null", values)
    lengths = {name: len(curves.get(name, [])) for name in CURVES}
    if len(set(lengths.values())) > 1:
        raise _not_a_record(path, "its curves must be of one length", lengths)
    return Run(Arm(record["optimizer"]), record["seed"], record["num_classes"], status, record, path)


def is_name(value: Any) -> bool:
    """Whether a value from a file is text that can be shown: not empty, without control characters."""
    return isinstance(value, str) and value.isprintable() and bool(value.strip())


_CHECKS = (
    ("optimizer", "a name", is_name),
    ("seed", "an int >= 0", is_count(0)),
    ("num_classes", "an int >= 1", is_count(1)),
    ("status", f"one of {', '.join(STATUSES)}", lambda value: value in STATUSES),
    *((name, "a finite number or null", or_none(is_number)) for name in ("test_loss", "train_loss", "seconds")),
    *(
        (name, "an object or null", or_none(lambda value: isinstance(value, dict)))
        for name in ("arguments", "provenance")
    ),
    ("error", "text or null", or_none(lambda value: isinstance(value, str))),
)


def _not_a_record(path: Path, expected: str, received: Any) -> ValueError:
    return ValueError(
        f"{path} is not a record of a run: {expected}. Received: {shown(received)}. "
        "Remove it to repeat that run, or leave its folder out."
    )
