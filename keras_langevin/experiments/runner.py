"""One run as a unit of work, what is left to train, and what is written to disk when engines report it."""

import json
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from keras_langevin import datasets, models
from keras_langevin.experiments import controls, examples, machine
from keras_langevin.experiments.config import NO_SEARCH, Comparison, OptimizerSpec
from keras_langevin.experiments.records import Checkpoint, State
from keras_langevin.experiments.store import Store
from keras_langevin.experiments.training import CHECKPOINT_SECONDS, Trainer
from keras_langevin.files import StorageError
from keras_langevin.models.registry import parse
from keras_langevin.optimizers.describe import describe

MOST_WORKERS = 3  # a run that loses this many is itself at fault
# Settings that a compiled step reads from variables or does not depend on.
_OUTSIDE_A_STEP = {"learning_rate": None, "sigma": None, "optimizers": ("adam",), "seeds": 1} | NO_SEARCH


@dataclass(frozen=True)
class Task:
    comparison: Comparison
    arm: OptimizerSpec
    seed: int
    arguments: dict  # those of its optimizer
    is_trial: bool = False  # of a search: the test split is not used
    job: int = 0  # the index of its comparison among those that are trained together
    state: State | None = field(default=None, repr=False, compare=False)  # what it resumes from
    save_weights: bool = False
    checkpoint_seconds: float = CHECKPOINT_SECONDS  # its state is reported at ends of epochs, at most this often
    data_on_device: bool | None = None  # as in `Trainer`

    @property
    def key(self) -> tuple[int, str, int]:
        """What identifies it: job, optimizer, seed."""
        return self.job, self.arm.spec, self.seed

    @property
    def run_key(self) -> tuple:
        """A key that equal runs of several comparisons share."""
        comparison = replace(self.comparison, **_OUTSIDE_A_STEP, epsilon=None)
        return comparison, self.arm, json.dumps(self.arguments, sort_keys=True), self.seed

    @property
    def step_key(self) -> tuple:
        """A key that runs share if one compiled step serves them."""
        return self.arm, replace(self.comparison, **_OUTSIDE_A_STEP, epochs=1), self.data_on_device

    def outcome(self, data: datasets.Data, record: dict, weights: bytes | None = None) -> tuple[dict, bytes | None]:
        """Returns the record for the store, from that of a trainer, and the Keras weights file if wanted."""
        head = {"optimizer": self.arm.spec, "label": self.arm.label, "seed": self.seed, "num_classes": data.num_classes}
        return head | record, weights

    def failure(self, data: datasets.Data, error: str, trace: str = "") -> tuple[dict, bytes | None]:
        """Returns the outcome of a run that ended with an error: its first line and the traceback."""
        error = (error.splitlines() or [""])[0]
        return self.outcome(data, {"status": "failed", "error": error, "traceback": trace})


class Job(NamedTuple):
    comparison: Comparison
    data: datasets.Data  # what `prepare` returned
    store: Store  # where the records are; it says how the data differ, and whether this is a trial of a search
    chosen: dict[str, dict[str, float]] = {}  # by optimizer as written, the arguments that a search chose

    def arguments(self, arm: OptimizerSpec) -> dict:
        """Returns the arguments of an optimizer: those that a search chose, else those given, else its defaults."""
        return self.comparison.arguments(arm) | self.chosen.get(arm.spec, {})

    def tasks(self, number: int = 0, **options) -> list[Task]:
        """Returns all runs of the job. `number` is its index among the jobs."""
        return [
            Task(self.comparison, arm, seed, self.arguments(arm), self.store.is_trial, number, **options)
            for arm, seed in self.store.planned(self.comparison)
        ]


class Trainers:
    """The compiled steps of a process: the latest of each optimizer."""

    def __init__(self):
        self.kept: dict[str, Trainer] = {}

    def train(self, task: Task, data: datasets.Data, report: Callable[..., None]) -> tuple[dict, bytes | None]:
        """Trains a run, and reports its start, epochs and states. Exceptions but `StorageError` become its outcome."""
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
            return task.outcome(data, record, trainer.weights() if task.save_weights else None)
        except StorageError:
            raise
        except Exception as error:
            self.kept.pop(task.arm.spec, None)  # its state is unknown
            return task.failure(data, f"{type(error).__name__}: {error}", traceback.format_exc())

    def _trainer(self, task: Task, data: datasets.Data) -> Trainer:
        trainer = self.kept.get(task.arm.spec)
        if not trainer or trainer.step_key != task.step_key:
            trainer = None
            self.kept.pop(task.arm.spec, None)  # free its memory before the next is made
            trainer = self.kept[task.arm.spec] = Trainer(task.comparison, data, task.arm, task.data_on_device)
            trainer.step_key = task.step_key
        trainer.comparison = task.comparison
        return trainer


class Ledger:
    """Writes all runs to disk, also those of equal tasks (`equal`), and tells the watchers. Nothing else does.

    An engine's `run(tasks, jobs, ledger)` calls `ready` before each task, `report` during training, and `end` after it.
    """

    def __init__(self, jobs: Sequence[Job], watchers: Sequence, equal: dict[tuple[int, str, int], list[Task]]):
        self.jobs, self.watchers, self.equal = jobs, watchers, equal
        self.lost = Counter()  # how many workers each task has lost

    def ready(self, task: Task) -> Task | None:
        """Returns the task with the state that it resumes from. If the state is unreadable, fails the run: `None`."""
        try:
            return replace(task, state=self._checkpoint(task).read())
        except ValueError as error:
            self.fail(task, f"ValueError: {error}")
            return None

    def _checkpoint(self, task: Task) -> Checkpoint:
        job = self.jobs[task.job]
        return job.store.checkpoint(task.arm, task.seed, job.chosen.get(task.arm.spec))

    def report(self, task: Task, name: str, *arguments):
        if name == "keep":
            self._checkpoint(task).write(*arguments)
            return
        for watcher in self.watchers:
            getattr(watcher, name)(task, *arguments)

    def end(self, task: Task, outcome: tuple[dict, bytes | None]):
        """Writes the record of a run that has ended."""
        for each in (task, *self.equal.get(task.key, ())):
            self.jobs[each.job].store.write(each.arm, each.seed, *outcome)
        for watcher in self.watchers:
            watcher.end(task, outcome[0])

    def fail(self, task: Task, error: str):
        """Ends a run with an error that no worker could report."""
        self.end(task, task.failure(self.jobs[task.job].data, error))

    def again(self, task: Task, reason: str) -> bool:
        """Returns whether to retry a run that lost its worker for this reason. If not, fails the run."""
        self.lost[task.key] += 1
        if self.lost[task.key] < MOST_WORKERS:
            return True
        self.fail(task, f"Its worker was lost {MOST_WORKERS} times, the last time: {reason}")
        return False


def prepare(comparison: Comparison, data: datasets.Data | None = None, **where) -> datasets.Data:
    """Loads the data if they are not given, and tries everything that the comparison names."""
    machine.check_precision(comparison.precision)
    machine.check_jit(comparison.jit)
    parse(comparison.model)  # a wrong name is an error before data are downloaded
    optimizers = [controls.optimizer(arm, **comparison.arguments(arm)) for arm in comparison.arms]
    if data is None:
        data = datasets.load(
            comparison.dataset,
            validation_fraction=comparison.validation_fraction,
            limit=comparison.limit,
            dtype="uint8",  # a quarter of the memory, and of what is sent to the accelerator
            **where,
        )
    if comparison.batch_size > len(data.train.x):
        raise ValueError(
            f"`batch_size` must be at most {len(data.train.x)}, the number of training examples. "
            f"Received: batch_size={comparison.batch_size}"
        )
    images = examples.first_images(data)
    model = models.build(comparison.model, data.input_shape, data.num_classes, images=images)
    for optimizer in optimizers:
        describe(model, optimizer)
    return data


def _check_chosen(job: Job):
    """Raises `ValueError` if a run on record was trained with another choice of a search, which has changed since."""
    for record in job.store.records() if job.chosen else ():
        chosen, found = job.chosen.get(record["optimizer"], {}), record.get("arguments") or {}
        if record["status"] != "failed" and any(found.get(name) != value for name, value in chosen.items()):
            path = job.store.path(OptimizerSpec(record["optimizer"]), record["seed"])
            raise ValueError(
                f"{path} must be of a run with what the search chose: {chosen}. Received: "
                f"{dict((name, found.get(name)) for name in chosen)}. Move it away to train that run again."
            )


def run(jobs: Sequence[Job], engine, *, watchers: Sequence = (), **options):
    """Trains every run that the stores do not hold yet, writes each record when its run ends, and tells `watchers`.

    An interrupted run resumes from its last state. An exception in a run is recorded and does not end the others; a
    `StorageError` ends all. `options` are fields of `Task`.
    """
    examples.is_wanted(options.get("data_on_device"))
    for comparison, data, store, chosen in jobs:
        if data.note != (note := store.found["dataset_note"]):
            raise ValueError(
                f"A store must say how its data differ from the official release: dataset_note={data.note!r}. "
                f"Received: {note!r}. Use Store(folder, comparison, data.sha256, dataset_note=data.note)."
            )
        if comparison.tuning_trials and not chosen:
            raise ValueError(
                "The learning rates must have been tuned before the runs. Received a comparison with tuning_trials="
                f"{comparison.tuning_trials} and nothing tuned. Train the jobs that tuning.settled returns."
            )
    with ExitStack() as locks:
        for job in jobs:
            locks.enter_context(job.store.locked())
            _check_chosen(job)
        groups: dict[tuple, list[Task]] = {}
        for number, job in enumerate(jobs):
            for task in job.tasks(number, **options):
                groups.setdefault(task.run_key, []).append(task)
        tasks, equal = [], {}
        for group in groups.values():
            finished = [task for task in group if jobs[task.job].store.finished(task.arm, task.seed)]
            missing = [task for task in group if task not in finished]
            if finished:
                found = jobs[finished[0].job].store.read(finished[0].arm, finished[0].seed)
                for task in missing:
                    jobs[task.job].store.write(task.arm, task.seed, *found)
            else:
                tasks.append(missing[0])
                equal[missing[0].key] = missing[1:]
        engine.run(tasks, jobs, Ledger(jobs, watchers, equal))
