"""Who is told what happens to the runs: the progress bar, and logs for TensorBoard. No Keras."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from keras_langevin.experiments.checkpoint import CURVES, LOG_NAMES
from keras_langevin.experiments.config import Comparison

if TYPE_CHECKING:  # without Keras
    from keras_langevin.experiments.runner import Job, Task


class Watcher:
    """Is told what happens to the runs; here it does nothing."""

    def start(self, task: Task):
        """A run begins, or begins again."""

    def epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        """`epoch` epochs of a run are done; `logs` are the means over the last one, by Keras's names."""

    def end(self, task: Task, record: dict):
        """A run has ended, and is on record."""


class RunsProgress(Watcher):
    """A bar over all epochs of all runs, and a line for each run that ends, with the time that is left by the epochs
    that this command has trained; a context manager.

    Args:
        jobs: the comparisons. The finished runs of their stores are not counted again.
        console: rich's console.
        clock: gives the seconds. Defaults to `time.monotonic`.
    """

    def __init__(self, jobs: Sequence[Job], console: Console, clock=time.monotonic):
        self.jobs, self.clock, self.began = jobs, clock, clock()
        runs = {}  # a run without noise is the same in all jobs of a grid over sigma
        for job in jobs:
            for task in job.tasks():
                runs[task.run_key] = runs.get(task.run_key, False) or job.store.finished(task.arm, task.seed)
        pending = [comparison.epochs for (comparison, *_), finished in runs.items() if not finished]
        if len(pending) < len(runs):
            console.print(f"{len(runs) - len(pending)} runs are finished already; {len(pending)} are left.")
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("epochs"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self.total = sum(pending)
        self.bar = self.progress.add_task("", total=self.total)
        self.epochs: dict[tuple, int] = {}  # done, by run; of one that resumes, those before it are among them
        self.first: dict[tuple, int] = {}  # those before it

    def __enter__(self) -> RunsProgress:
        self.progress.start()
        return self

    def __exit__(self, *exception):
        self.progress.stop()

    def start(self, task: Task):
        self.first[task.key] = task.state.epoch if task.state else 0
        self._show(task, self.first[task.key], "compiling")

    def epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        self._show(task, epoch, f"validation {logs['val_accuracy']:.1%}")

    def end(self, task: Task, record: dict):
        if record["status"] == "failed":  # the epochs that it leaves out took no time
            left_out = task.comparison.epochs - self.epochs.get(task.key, 0)
            self.first[task.key] = self.first.get(task.key, 0) + left_out
        self._show(task, task.comparison.epochs, "finished")
        head = f"{self._name(task)}: "
        if record["status"] == "failed":
            line = f"{head}failed: {record['error']}"
        else:
            diverged = " (diverged)" if record["status"] == "diverged" else ""
            line = f"{head}{_accuracy(record)}{diverged}, {record['seconds']:.1f} s"
        self.progress.console.print(line + self._left(), highlight=False, markup=False, soft_wrap=True)

    def _show(self, task: Task, epoch: int, what: str):
        self.epochs[task.key] = epoch
        done = sum(self.epochs.values())
        self.progress.update(self.bar, completed=done, description=f"{self._name(task)}: {what}")

    def _left(self) -> str:
        done = sum(self.epochs.values())
        trained = done - sum(self.first.values())
        if done >= self.total or not trained:
            return ""
        seconds = (self.clock() - self.began) / trained * (self.total - done)
        return f"; about {seconds:.0f} s left" if seconds < 100 else f"; about {seconds / 60:.0f} min left"

    def _name(self, task: Task) -> str:
        job = f"{cell_name(task.comparison)}, " if len(self.jobs) > 1 else ""
        return f"{job}{task.arm.label}, seed {task.seed}"


def _accuracy(record: dict) -> str:
    """Of the test split, or of a trial, which leaves that alone, of the validation split."""
    split = "validation" if record["test_accuracy"] is None else "test"
    value = record[f"{split}_accuracy"]
    return f"{split} accuracy {'unknown' if value is None else format(value, '.1%')}"


def cell_name(comparison: Comparison) -> str:
    """What tells a comparison from the others of a grid."""
    parts = [comparison.model, comparison.dataset]
    parts += [f"γ {comparison.learning_rate:g}"] if comparison.learning_rate is not None else []
    parts += [f"σ {comparison.sigma:g}"] if comparison.sigma is not None else []
    parts += [f"ε {comparison.epsilon:g}"] if comparison.epsilon is not None else []
    parts += [comparison.precision] if comparison.precision != "float32" else []
    parts += [f"jit {comparison.jit}"] if comparison.jit != "auto" else []
    return " ".join(parts)


class TensorBoardLogs(Watcher):
    """Writes the curves of each run that is trained, and its test accuracy, into `tensorboard/` in the folder of its
    results: `tensorboard --logdir FOLDER` shows the runs of one comparison, or of all in a folder, over one another.

    Args:
        jobs: the comparisons.

    Raises:
        ValueError: the package tensorboard is not installed.
    """

    def __init__(self, jobs: Sequence[Job]):
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise ValueError(
                f"Logs for TensorBoard need the package tensorboard, which cannot be imported ({error}). "
                "Install it with pip install 'keras-langevin[tensorboard]', or leave --tensorboard out."
            ) from error
        self.new_writer, self.jobs, self.writers = Writer, jobs, {}

    def start(self, task: Task):
        """A run that is begun again has another file; TensorBoard shows the epochs of the last."""
        self._close(task)
        self.writers[task.key] = self.new_writer(str(self.folder(task)))

    def epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        """A point of each curve."""
        writer = self.writers[task.key]
        for name, log in zip(CURVES, LOG_NAMES, strict=True):
            writer.add_scalar(name, logs[log], epoch)
        writer.flush()

    def end(self, task: Task, record: dict):
        """The test accuracy, unless the run failed or was a trial."""
        if record.get("test_accuracy") is not None and task.key in self.writers:
            self.writers[task.key].add_scalar("test_accuracy", record["test_accuracy"], task.comparison.epochs)
        self._close(task)

    def folder(self, task: Task) -> Path:
        """Where the logs of a run are."""
        store = self.jobs[task.job].store
        return store.folder / "tensorboard" / store.path(task.arm, task.seed).stem

    def _close(self, task: Task):
        if task.key in self.writers:
            self.writers.pop(task.key).close()
