"""Watchers of the runs: the progress bar, and logs for TensorBoard. No Keras."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from keras_langevin import extras
from keras_langevin.experiments.records import CURVES, LOG_NAMES
from keras_langevin.names import count

if TYPE_CHECKING:  # without Keras
    from keras_langevin.experiments.runner import Job, Task


class Watcher:
    """Is told what happens to the runs. This base class does nothing."""

    def start(self, task: Task):
        """A run starts, or restarts."""

    def epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        """`epoch` epochs of a run are done; `logs` are the means over the last one, by Keras's names."""

    def end(self, task: Task, record: dict):
        """A run has ended, and is on record."""


class RunsProgress(Watcher):
    """A bar over the epochs of all runs that are not on record, and a line for each run that ends."""

    def __init__(self, jobs: Sequence[Job], console: Console, clock: Callable[[], float] = time.monotonic):
        self.clock, self.began, self.trained = clock, clock(), 0
        words = [{"model": job.comparison.model, "dataset": job.comparison.dataset} for job in jobs]
        words = [each | job.comparison.unusual for each, job in zip(words, jobs, strict=True)]
        # for each job, what distinguishes it from the others
        self.names = ["".join(f"{w}, " for n, w in own.items() if any(w != o.get(n) for o in words)) for own in words]
        self.left = {}  # epochs by run; a run without noise is the same in all jobs of a grid over sigma
        for job in jobs:
            for task in job.tasks():
                is_finished = job.store.finished(task.arm, task.seed) or self.left.get(task.run_key) == 0
                self.left[task.run_key] = 0 if is_finished else job.comparison.epochs
        pending = sum(map(bool, self.left.values()))
        if pending < len(self.left):
            console.print(f"{count(len(self.left) - pending, 'run')} finished already; {pending} left.")
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs")]
        columns += [TimeElapsedColumn(), TimeRemainingColumn()]
        self.bar = Progress(*columns, console=console, transient=True)
        self.bar.add_task("", total=sum(self.left.values()))

    def start(self, task: Task):
        self._show(task, task.comparison.epochs - (task.state.epoch if task.state else 0), "compiling")

    def epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        left = task.comparison.epochs - epoch
        self.trained += self.left[task.run_key] - left
        self._show(task, left, f"validation {logs['val_accuracy']:.1%}")

    def end(self, task: Task, record: dict):
        if record["status"] == "failed":
            how = f"failed: {record['error']}"
        else:
            split = "validation" if record["test_accuracy"] is None else "test"  # which a trial does not use
            accuracy = record[f"{split}_accuracy"]
            how = f"{split} accuracy {'unknown' if accuracy is None else format(accuracy, '.1%')}"
            how += f"{' (diverged)' if record['status'] == 'diverged' else ''}, {record['seconds']:.1f} s"
        self._show(task, 0, "finished")  # skipped epochs took no time
        left = sum(self.left.values())
        if left and self.trained:
            seconds = (self.clock() - self.began) / self.trained * left
            how += f"; about {seconds:.0f} s left" if seconds < 100 else f"; about {seconds / 60:.0f} min left"
        self.bar.console.print(f"{self._name(task)}: {how}", highlight=False, markup=False, soft_wrap=True)

    def _show(self, task: Task, left: int, what: str):
        self.left[task.run_key] = left
        total = self.trained + sum(self.left.values())
        description = f"{self._name(task)}: {what}"
        self.bar.update(self.bar.task_ids[0], completed=self.trained, total=total, description=description)

    def _name(self, task: Task) -> str:
        return f"{self.names[task.job]}{task.arm.label}, seed {task.seed}"


class TensorBoardLogs(Watcher):
    """Writes the curves and the test accuracy of each run into `tensorboard/` in the folder of its results."""

    def __init__(self, jobs: Sequence[Job]):
        extras.check("tensorboard", "tensorboard", what="--tensorboard")
        from tensorboard.summary import Writer

        self.new_writer, self.jobs, self.writers = Writer, jobs, {}

    def start(self, task: Task):
        self._close(task)  # a restarted run has another file; TensorBoard shows the epochs of the last
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
