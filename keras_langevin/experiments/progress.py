"""What a user sees while runs are trained."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.store import Store


class RunsProgress:
    """A bar over all epochs of all runs, and a line for each run that ends; a context manager.

    Args:
        comparison: the configuration.
        store: where finished runs are; they are not counted again.
        console: rich's console.
    """

    def __init__(self, comparison: Comparison, store: Store, console: Console):
        pending = [
            (arm, seed) for arm in comparison.arms for seed in range(comparison.seeds) if not store.finished(arm, seed)
        ]
        done = len(comparison.arms) * comparison.seeds - len(pending)
        if done:
            console.print(f"{done} runs are finished already; {len(pending)} are left.")
        self.epochs = comparison.epochs
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
        self.task = self.progress.add_task("", total=self.epochs * len(pending))
        self.completed = 0

    def __enter__(self) -> "RunsProgress":
        self.progress.start()
        return self

    def __exit__(self, *exception):
        self.progress.stop()

    def start(self, arm: Arm, seed: int):
        """A run begins."""
        self.progress.update(self.task, description=f"{arm.label}, seed {seed}: compiling")

    def epoch(self, arm: Arm, seed: int, epoch: int, logs: dict):
        """`epoch` epochs of a run are done."""
        self.progress.update(
            self.task,
            completed=self.completed + epoch,
            description=f"{arm.label}, seed {seed}: validation {logs['val_accuracy']:.1%}",
        )

    def end(self, arm: Arm, record: dict):
        """A run has ended."""
        self.completed += self.epochs
        self.progress.update(self.task, completed=self.completed)
        head = f"{arm.label}, seed {record['seed']}: "
        if record["status"] == "failed":
            line = f"{head}failed: {record['error']}"
        else:
            diverged = " (diverged)" if record["status"] == "diverged" else ""
            line = f"{head}test accuracy {record['test_accuracy']:.1%}{diverged}, {record['seconds']:.1f} s"
        self.progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
