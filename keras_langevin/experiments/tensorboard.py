"""Curves as logs that TensorBoard opens, written while runs are trained."""

from pathlib import Path

from keras_langevin.experiments.runner import Cell
from keras_langevin.experiments.store import CURVES, LOG_NAMES
from keras_langevin.experiments.tasks import Task
from keras_langevin.experiments.watching import Watcher


class TensorBoardLogs(Watcher):
    """Writes the curves of each run that is trained, and its test accuracy, into `tensorboard/` in the folder of its
    results: `tensorboard --logdir FOLDER` shows the runs of one comparison, or of all in a folder, over one another.

    Args:
        cells: the comparisons.

    Raises:
        ValueError: the package tensorboard is not installed.
    """

    def __init__(self, cells: list[Cell]):
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise ValueError(
                f"Logs for TensorBoard need the package tensorboard, which cannot be imported ({error}). "
                "Install it with pip install 'keras-langevin[tensorboard]', or leave --tensorboard out."
            ) from error
        self.new_writer, self.cells, self.writers = Writer, cells, {}

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
        store = self.cells[task.cell].store
        return store.folder / "tensorboard" / store.path(task.arm, task.seed).stem

    def _close(self, task: Task):
        if task.key in self.writers:
            self.writers.pop(task.key).close()
