"""Runs whose worker was lost, and how often they are tried again."""

from collections import Counter

from keras_langevin.experiments.runner import Ledger
from keras_langevin.experiments.tasks import Task

TRIALS = 3  # a run that ends its worker so often is at fault itself


class Lost:
    """Counts how often the worker of a run was lost.

    Args:
        ledger: where a run that is given up is put down as failed.
    """

    def __init__(self, ledger: Ledger):
        self.ledger = ledger
        self.times = Counter()

    def again(self, task: Task, reason: str) -> bool:
        """Whether the run is to be tried again; else it is on record as failed.

        Args:
            task: the run.
            reason: how its worker was lost.
        """
        self.times[task.key] += 1
        if self.times[task.key] < TRIALS:
            return True
        self.ledger.fail(task, f"Its worker was lost {TRIALS} times, the last time so: {reason}")
        return False
