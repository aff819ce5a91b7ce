"""One run as a unit of work, for this process or another."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from keras_langevin import datasets
from keras_langevin.experiments.checkpoint import State
from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.training import CHECKPOINT_SECONDS, Trainer
from keras_langevin.files import StorageError


@dataclass(frozen=True)
class Task:
    """A run to be trained.

    Attributes:
        comparison: its configuration.
        arm: its optimizer.
        seed: int.
        cell: int, the place of the configuration in the list of those that are trained together. Defaults to 0.
        state: `State` that it goes on from, or `None` to begin anew. Defaults to `None`.
        save_weights: bool, whether the trained weights are wanted. Defaults to `False`.
        checkpoint_seconds: float, its state is reported at the end of an epoch, at most so often. Defaults to 10.
        data_on_device: bool or `None`, as `Trainer` takes it. Defaults to `None`.
    """

    comparison: Comparison
    arm: Arm
    seed: int
    cell: int = 0
    state: State | None = field(default=None, repr=False, compare=False)
    save_weights: bool = False
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    data_on_device: bool | None = None

    @property
    def key(self) -> tuple[int, str, int]:
        """What tells it from the others: cell, optimizer, seed."""
        return self.cell, self.arm.spec, self.seed

    def shares_step(self, other: "Task") -> bool:
        """Whether a process that has trained the other has the compiled step of this one."""
        return self.arm == other.arm and self.comparison.has_step_of(other.comparison)


class Outcome(NamedTuple):
    """What a run leaves.

    Attributes:
        record: dict, for the store.
        weights: bytes of a Keras weights file, or `None`.
    """

    record: dict
    weights: bytes | None = None


class Trainers:
    """The compiled steps of a process: of each optimizer the latest."""

    def __init__(self):
        self.kept: dict[str, Trainer] = {}

    def train(self, task: Task, data: datasets.Data, report: Callable[..., None]) -> Outcome:
        """Trains a run. An exception is its outcome; only a `StorageError` of `report` is raised.

        Args:
            task: the run.
            data: the dataset.
            report: called as `report("start")`; `report("epoch", epochs done, Keras's logs)`; and
                `report("keep", state)`.
        """
        report("start")
        try:
            trainer = self._trainer(task, data)
            record = trainer.train(
                task.seed,
                on_epoch=lambda epoch, logs: report("epoch", epoch, {name: float(logs[name]) for name in logs}),
                state=task.state,
                keep=lambda state: report("keep", state),
                keep_seconds=task.checkpoint_seconds,
            )
            return outcome(task, data, record, trainer.weights() if task.save_weights else None)
        except StorageError:
            raise
        except Exception as error:
            self.kept.pop(task.arm.spec, None)  # its state is unknown
            return failed(task, data, f"{type(error).__name__}: {error}", traceback.format_exc())

    def _trainer(self, task: Task, data: datasets.Data) -> Trainer:
        trainer = self.kept.get(task.arm.spec)
        same_place = trainer and trainer.data_on_device == task.data_on_device
        if same_place and trainer.serves(task.comparison, task.arm):
            trainer.rebind(task.comparison)
        else:
            self.kept.pop(task.arm.spec, None)  # before another takes its memory
            trainer = self.kept[task.arm.spec] = Trainer(task.comparison, data, task.arm, task.data_on_device)
        return trainer


def outcome(task: Task, data: datasets.Data, record: dict, weights: bytes | None) -> Outcome:
    """The outcome of a run that ended.

    Args:
        task: the run.
        data: the dataset.
        record: dict, what the trainer returned.
        weights: bytes, the trained weights where they are wanted.
    """
    return Outcome(_head(task, data) | record, weights)


def failed(task: Task, data: datasets.Data, error: str, trace: str = "") -> Outcome:
    """The outcome of a run that ended with an error.

    Args:
        task: the run.
        data: the dataset.
        error: str, of which the first line is kept.
        trace: str, the traceback, if there is one. Defaults to empty.
    """
    record = {"status": "failed", "error": (error.splitlines() or [""])[0], "traceback": trace}
    return Outcome(_head(task, data) | record)


def _head(task: Task, data: datasets.Data) -> dict:
    arm = task.arm
    return {"optimizer": arm.spec, "label": arm.label, "seed": task.seed, "num_classes": data.num_classes}
