"""Engines train the runs of comparisons: in this process, several processes, a Ray cluster, or JAX's `vmap`."""

from collections.abc import Sequence
from functools import partial

from keras_langevin.experiments.engines.processes import Processes
from keras_langevin.experiments.engines.ray_cluster import RayCluster
from keras_langevin.experiments.engines.vmap import Vmap
from keras_langevin.experiments.runner import Job, Ledger, Task, Trainers

__all__ = ["Engine", "Local", "Processes", "RayCluster", "Vmap"]


class Local:
    """Trains one run after another in this process, and keeps the compiled step of each optimizer."""

    def __init__(self):
        self.trainers = Trainers()

    def run(self, tasks: list[Task], jobs: Sequence[Job], ledger: Ledger) -> None:
        for task in filter(None, map(ledger.ready, tasks)):
            ledger.end(task, self.trainers.train(task, jobs[task.job].data, partial(ledger.report, task)))


Engine = Local | Processes | RayCluster | Vmap
