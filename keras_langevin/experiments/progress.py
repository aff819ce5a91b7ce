"""Who is told what happens to the runs: the progress bar, and logs for TensorBoard. No Keras."""

from __future__ import annotations

import time
from collections.abc import Sequence
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
    """A bar over all epochs of all runs that are not on record, and a line for each run that ends, with the time that
    is left by the epochs that this command has trained; a context manager. `clock` gives the seconds."""

    def __init__(self, jobs: Sequence[Job], console: Console, clock=time.monotonic):
        self.several, self.clock, self.began = len(jobs) > 1, clock, clock()
        epochs = {}  # to be trained; a run without noise is the same in all jobs of a grid over sigma
        for job in jobs:
            for task in job.tasks():
                is_finished = job.store.finished(task.arm, task.seed) or epochs.get(task.run_key) == 0
                epochs[task.run_key] = 0 if is_finished else job.comparison.epochs
        left = sum(map(bool, epochs.values()))
        if left < len(epochs):
            console.print(f"{len(epochs) - left} runs are finished already; {left} are left.")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
        self.progress = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, transient=True)
        self.total = sum(epochs.values())
        self.bar = self.progress.add_task("", total=self.total)
        self.done: dict[tuple, int] = {}  # epochs, by run; of one that resumes, those before it are among them
        self.skipped: dict[tuple, int] = {}  # those that took no time: before it, or left out by one that failed

    def __enter__(self) -> RunsProgress:
        self.progress.start()
        return self

    def __exit__(self, *exception):
        self.progress.stop()

    def start(self, task: Task):
        self.skipped[task.key] = task.state.epoch if task.state else 0
        self._show(task, self.skipped[task.key], "compiling")

    def epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        self._show(task, epoch, f"validation {logs['val_accuracy']:.1%}")

    def end(self, task: Task, record: dict):
        if record["status"] == "failed":
            left_out = task.comparison.epochs - self.done.get(task.key, 0)
            self.skipped[task.key] = self.skipped.get(task.key, 0) + left_out
            how = f"failed: {record['error']}"
        else:
            split = "validation" if record["test_accuracy"] is None else "test"  # which a trial leaves alone
            accuracy = record[f"{split}_accuracy"]
            how = f"{split} accuracy {'unknown' if accuracy is None else format(accuracy, '.1%')}"
            how += f"{' (diverged)' if record['status'] == 'diverged' else ''}, {record['seconds']:.1f} s"
        self._show(task, task.comparison.epochs, "finished")
        line = f"{self._name(task)}: {how}{self._left()}"
        self.progress.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _show(self, task: Task, epoch: int, what: str):
        self.done[task.key] = epoch
        done = sum(self.done.values())
        self.progress.update(self.bar, completed=done, description=f"{self._name(task)}: {what}")

    def _left(self) -> str:
        done = sum(self.done.values())
        trained = done - sum(self.skipped.values())
        if done >= self.total or not trained:
            return ""
        seconds = (self.clock() - self.began) / trained * (self.total - done)
        return f"; about {seconds:.0f} s left" if seconds < 100 else f"; about {seconds / 60:.0f} min left"

    def _name(self, task: Task) -> str:
        job = f"{cell_name(task.comparison)}, " if self.several else ""
        return f"{job}{task.arm.label}, seed {task.seed}"


def cell_name(comparison: Comparison) -> str:
    """What tells a comparison from the others of a grid."""
    rates = {"γ": comparison.learning_rate, "σ": comparison.sigma, "ε": comparison.epsilon}
    parts = [comparison.model, comparison.dataset]
    parts += [f"{letter} {value:g}" for letter, value in rates.items() if value is not None]
    parts += [comparison.precision] if comparison.precision != "float32" else []
    parts += [f"jit {comparison.jit}"] if comparison.jit != "auto" else []
    return " ".join(parts)


class TensorBoardLogs(Watcher):
    """Writes the curves of each run that is trained, and its test accuracy, into `tensorboard/` in the folder of its
    results: `tensorboard --logdir FOLDER` shows the runs of one comparison, or of all in a folder, over one another.

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
        store = self.jobs[task.job].store
        folder = store.folder / "tensorboard" / store.path(task.arm, task.seed).stem
        self.writers[task.key] = self.new_writer(str(folder))

    def epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        for name, log in zip(CURVES, LOG_NAMES, strict=True):
            self.writers[task.key].add_scalar(name, logs[log], epoch)
        self.writers[task.key].flush()

    def end(self, task: Task, record: dict):
        if record.get("test_accuracy") is not None and task.key in self.writers:
            self.writers[task.key].add_scalar("test_accuracy", record["test_accuracy"], task.comparison.epochs)
        self._close(task)

    def _close(self, task: Task):
        if task.key in self.writers:
            self.writers.pop(task.key).close()
