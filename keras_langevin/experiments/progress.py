"""What a user sees while runs are trained."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.store import Store


class RunsProgress:
    """A bar over all epochs of all runs, and a line for each run that ends; a context manager.

    The time that is left is shown as soon as the first epochs are done.

    Args:
        cells: list of (configuration, store where its finished runs are, which are not counted again).
        console: rich's console.
    """

    def __init__(self, cells: list[tuple[Comparison, Store]], console: Console):
        runs = [
            (comparison.epochs, store.finished(arm, seed))
            for comparison, store in cells
            for arm in comparison.arms
            for seed in range(comparison.seeds)
        ]
        pending = [epochs for epochs, finished in runs if not finished]
        if len(pending) < len(runs):
            console.print(f"{len(runs) - len(pending)} runs are finished already; {len(pending)} are left.")
        self.cell = ""
        self.epochs = 0
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
        self.task = self.progress.add_task("", total=sum(pending))
        self.completed = 0

    def __enter__(self) -> "RunsProgress":
        self.progress.start()
        return self

    def __exit__(self, *exception):
        self.progress.stop()

    def begin_cell(self, comparison: Comparison, name: str):
        """The runs of a configuration begin; `name` is shown before theirs."""
        self.cell = f"{name}, " if name else ""
        self.epochs = comparison.epochs

    def start(self, arm: Arm, seed: int):
        """A run begins."""
        self.progress.update(self.task, description=f"{self.cell}{arm.label}, seed {seed}: compiling")

    def epoch(self, arm: Arm, seed: int, epoch: int, logs: dict):
        """`epoch` epochs of a run are done."""
        self.progress.update(
            self.task,
            completed=self.completed + epoch,
            description=f"{self.cell}{arm.label}, seed {seed}: validation {logs['val_accuracy']:.1%}",
        )

    def end(self, arm: Arm, record: dict):
        """A run has ended."""
        self.completed += self.epochs
        self.progress.update(self.task, completed=self.completed)
        head = f"{self.cell}{arm.label}, seed {record['seed']}: "
        if record["status"] == "failed":
            line = f"{head}failed: {record['error']}"
        else:
            diverged = " (diverged)" if record["status"] == "diverged" else ""
            line = f"{head}test accuracy {record['test_accuracy']:.1%}{diverged}, {record['seconds']:.1f} s"
        self.progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
