"""Who is told what happens to the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a watcher needs no Keras
    from keras_langevin.experiments.tasks import Task


class Watcher:
    """Is told what happens to the runs; here it does nothing."""

    def start(self, task: Task):
        """A run begins, or begins again."""

    def epoch(self, task: Task, epoch: int, logs: dict[str, float]):
        """`epoch` epochs of a run are done; `logs` are the means over the last one, by Keras's names."""

    def end(self, task: Task, record: dict):
        """A run has ended, and is on record."""
