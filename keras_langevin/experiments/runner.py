"""One run as a unit of work; what is left to train of comparisons; and what is put on disk as engines report it."""

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Protocol

from keras_langevin import datasets, models
from keras_langevin.experiments import controls, examples, machine
from keras_langevin.experiments.checkpoint import State
from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.store import Store
from keras_langevin.experiments.training import CHECKPOINT_SECONDS, Trainer
from keras_langevin.files import StorageError
from keras_langevin.models.initial_kernels import LSUV_IMAGES
from keras_langevin.models.registry import check_name
from keras_langevin.optimizers.describe import describe


@dataclass(frozen=True)
class Task:
    """A run to be trained.

    Attributes:
        comparison: its configuration.
        arm: its optimizer.
        seed: int.
        arguments: dict, what its optimizer is called with.
        is_trial: bool, whether it is a trial of a search: the test split is not used. Defaults to `False`.
        job: int, the place of the configuration in the list of those that are trained together. Defaults to 0.
        state: `State` that it goes on from, or `None` to begin anew. Defaults to `None`.
        save_weights: bool, whether the trained weights are wanted. Defaults to `False`.
        checkpoint_seconds: float, its state is reported at the end of an epoch, at most so often. Defaults to 10.
        data_on_device: bool or `None`, as `Trainer` takes it. Defaults to `None`.
    """

    comparison: Comparison
    arm: Arm
    seed: int
    arguments: dict
    is_trial: bool = False
    job: int = 0
    state: State | None = field(default=None, repr=False, compare=False)
    save_weights: bool = False
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    data_on_device: bool | None = None

    @property
    def key(self) -> tuple[int, str, int]:
        """What tells it from the others: job, optimizer, seed."""
        return self.job, self.arm.spec, self.seed

    @property
    def run_key(self) -> tuple:
        """What is the same for equal runs of several comparisons."""
        return self.comparison.run_key(self.arm, self.seed, self.arguments)

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
                task.arguments,
                is_trial=task.is_trial,
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


MOST_WORKERS = 3  # a run that loses so many is at fault itself


class Job(NamedTuple):
    """A comparison that is ready to be trained.

    Attributes:
        comparison: the configuration.
        data: what `prepare` returned.
        store: where the records are and go; it says how the data differ, and whether this is a trial of a search.
        chosen: dict from an optimizer as written to the arguments that a search chose for it. Defaults to none.
    """

    comparison: Comparison
    data: datasets.Data
    store: Store
    chosen: dict[str, dict[str, float]] = {}

    def arguments(self, arm: Arm) -> dict:
        """What an optimizer is called with: what a search chose, else what is given, else its own."""
        return self.comparison.arguments(arm) | self.chosen.get(arm.spec, {})

    def tasks(self, number: int = 0, **options) -> list[Task]:
        """All of its runs; `number` is its place among the jobs."""
        return [
            Task(self.comparison, arm, seed, self.arguments(arm), self.store.is_trial, number, **options)
            for arm, seed in self.store.planned(self.comparison)
        ]


class Engine(Protocol):
    """Trains runs somewhere."""

    def run(self, tasks: list[Task], jobs: Sequence[Job], ledger: "Ledger"):
        """Trains every task once, and calls `ledger.ready` before, `ledger.report` while, `ledger.end` after it."""


class Ledger:
    """The one place from which runs are put on disk, whatever engine trains them.

    Args:
        jobs: the comparisons.
        watchers: `progress.Watcher`s, who are told what happens. Default to none.
        repeated: dict from a task's key to the tasks of other comparisons that are the same run: its record is theirs.
            Defaults to none.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        watchers: Sequence = (),
        repeated: dict[tuple[int, str, int], list[Task]] | None = None,
    ):
        self.jobs, self.watchers, self.repeated = jobs, watchers, repeated or {}
        self.lost = Counter()  # how often a task's worker was

    def ready(self, task: Task) -> Task | None:
        """The task with the state that it goes on from. `None` where that cannot be read: the run has then failed."""
        try:
            return replace(task, state=self.jobs[task.job].store.begin(task.arm, task.seed))
        except ValueError as error:
            self.fail(task, f"ValueError: {error}")
            return None

    def report(self, task: Task, name: str, *arguments):
        """What `Trainers.train` reports."""
        {"start": self._start, "epoch": self._epoch, "keep": self._keep}[name](task, *arguments)

    def end(self, task: Task, outcome: Outcome):
        """A run has ended: its record is written."""
        for each in (task, *self.repeated.get(task.key, ())):
            self.jobs[each.job].store.write(each.arm, each.seed, *outcome)
        for watcher in self.watchers:
            watcher.end(task, outcome.record)

    def fail(self, task: Task, error: str):
        """A run has ended with an error that no worker could report."""
        self.end(task, failed(task, self.jobs[task.job].data, error))

    def again(self, task: Task, reason: str) -> bool:
        """Whether a run whose worker was lost is to be tried again; else it has failed.

        Args:
            task: the run.
            reason: str, how its worker was lost.
        """
        self.lost[task.key] += 1
        if self.lost[task.key] < MOST_WORKERS:
            return True
        self.fail(task, f"Its worker was lost {MOST_WORKERS} times, the last time so: {reason}")
        return False

    def _start(self, task: Task):
        for watcher in self.watchers:
            watcher.start(task)

    def _epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        self.jobs[task.job].store.append_epoch(task.arm, task.seed, epoch, logs)
        for watcher in self.watchers:
            watcher.epoch(task, epoch, logs)

    def _keep(self, task: Task, state: State):
        self.jobs[task.job].store.checkpoint(task.arm, task.seed).write(state)


def prepare(
    comparison: Comparison,
    *,
    data_dir: str | Path | None = None,
    data_file: str | Path | None = None,
    data: datasets.Data | None = None,
) -> datasets.Data:
    """Loads the data and tries everything that the comparison names, before anything is trained.

    Args:
        comparison: the configuration.
        data_dir, data_file: as in `datasets.load`. Default to `None`.
        data: the data, where a comparison on the same was prepared before. Defaults to `None`.

    Returns:
        The data, with uint8 pixels. Where they have a note, the store must have it, too.

    Raises:
        ValueError: an unknown name, layers that the model does not have, examples of a shape that it does not take,
            too large a batch, no data, a precision or a compiler that there is not.
    """
    machine.check_precision(comparison.precision)
    machine.check_jit(comparison.jit)
    check_name(comparison.model)  # a wrong name is an error before data are downloaded
    optimizers = [controls.optimizer(arm, **comparison.arguments(arm)) for arm in comparison.arms]
    if data is None:
        data = datasets.load(
            comparison.dataset,
            validation_fraction=comparison.validation_fraction,
            data_dir=data_dir,
            data_file=data_file,
            limit=comparison.limit,
            dtype="uint8",  # a quarter of the memory, and of what is sent to the accelerator
        )
    if comparison.batch_size > len(data.train.x):
        raise ValueError(
            f"`batch_size` must be at most {len(data.train.x)}, the number of training examples. "
            f"Received: batch_size={comparison.batch_size}"
        )
    model = models.build(
        comparison.model, data.input_shape, data.num_classes, images=data.train.x[:LSUV_IMAGES] / data.max_pixel
    )
    for optimizer in optimizers:
        describe(model, optimizer)
    return data


def run(
    jobs: Sequence[Job],
    engine: Engine,
    *,
    watchers: Sequence = (),
    save_weights: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    data_on_device: bool | None = None,
):
    """Trains every run that the stores do not hold yet, and writes each record as its run ends.

    A run that was interrupted goes on from its last state, and ends as if it had not been. An exception in a run is
    recorded and does not end the others.

    Args:
        jobs: the comparisons, of which an engine may train several at a time.
        engine: what trains, e.g. `engines.Local()`.
        watchers: `progress.Watcher`s, who are told what happens. Default to none.
        save_weights: bool, whether the trained weights are written beside the record. Defaults to `False`.
        checkpoint_seconds: float, the state of a run is kept at the end of an epoch, at most so often. Defaults to 10.
        data_on_device: bool, whether all images are kept on the device, so that a step is sent indices alone; `None`
            for yes where there is an accelerator. The numbers are the same. Defaults to `None`.

    Raises:
        ValueError: `data_on_device` is none of these; the data have a note that the store does not have; a
            comparison is to be tuned and was not; another process works on a store.
        StorageError: a store cannot be written; what it holds stays.
    """
    examples.is_wanted(data_on_device)
    for comparison, data, store, chosen in jobs:
        if data.note != (note := store.found["dataset_note"]):
            raise ValueError(
                f"A store must say how its data differ from the official release: dataset_note={data.note!r}. "
                f"Received: {note!r}. Use Store(folder, comparison, data.sha256, dataset_note=data.note)."
            )
        if comparison.tuning_trials and not chosen:
            raise ValueError(
                "The learning rates must have been tuned before the runs. Received a comparison with tuning_trials="
                f"{comparison.tuning_trials} and nothing tuned. Run tuning.trials(jobs), then tuning.settled(jobs)."
            )
    options = {
        "save_weights": save_weights,
        "checkpoint_seconds": checkpoint_seconds,
        "data_on_device": data_on_device,
    }
    with ExitStack() as locks:
        for job in jobs:
            locks.enter_context(job.store.locked())
        same: dict[tuple, list[Task]] = {}
        for number, job in enumerate(jobs):
            for task in job.tasks(number, **options):
                same.setdefault(task.run_key, []).append(task)
        tasks, repeated = [], {}
        for group in same.values():
            finished = [task for task in group if jobs[task.job].store.finished(task.arm, task.seed)]
            missing = [task for task in group if task not in finished]
            if finished:
                outcome = Outcome(*jobs[finished[0].job].store.read(finished[0].arm, finished[0].seed))
                for task in missing:
                    jobs[task.job].store.write(task.arm, task.seed, *outcome)
            elif missing:
                tasks.append(missing[0])
                repeated[missing[0].key] = missing[1:]
        engine.run(tasks, jobs, Ledger(jobs, watchers, repeated))
