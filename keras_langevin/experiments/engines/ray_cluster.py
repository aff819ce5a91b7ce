"""Runs as tasks of a Ray cluster, on one machine or many."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from itertools import count

from keras_langevin import datasets, extras
from keras_langevin.experiments.engines.processes import environment
from keras_langevin.experiments.runner import Job, Ledger, Task, Trainers

_POLL_SECONDS = 0.2


class RayCluster:
    """Trains every run as a task of a Ray cluster. Every node needs this package and the backend.

    The process that calls `run` writes all results, so nodes need no access to its folder. Unfinished runs of a lost
    node resume elsewhere. `address` is that of a running cluster (`"auto"`: the one on this machine), or `None` to
    start one here that ends with the command. `gpus_per_run=0.25` puts four runs on one GPU.
    """

    def __init__(self, address: str | None = None, cpus_per_run: float = 1, gpus_per_run: float = 0):
        if not 0 < cpus_per_run < float("inf"):
            raise ValueError(f"`cpus_per_run` must be a finite float > 0. Received: {cpus_per_run!r}")
        if not 0 <= gpus_per_run < float("inf"):
            raise ValueError(f"`gpus_per_run` must be a finite float >= 0. Received: {gpus_per_run!r}")
        extras.check("ray", "ray", what="The engine ray")
        self.address, self.cpus_per_run, self.gpus_per_run = address, cpus_per_run, gpus_per_run

    def run(self, tasks: list[Task], jobs: Sequence[Job], ledger: Ledger) -> None:
        """Trains every task. Raises `ValueError` if there is no cluster or none of its nodes can ever train a run."""
        if not tasks:
            return
        import ray

        with ExitStack() as stack:
            if not ray.is_initialized():
                stack.callback(ray.shutdown)
                try:
                    ray.init(self.address, log_to_driver=False, include_dashboard=False, configure_logging=False)
                except (ConnectionError, ValueError, RuntimeError) as error:
                    raise ValueError(
                        f"There must be a Ray cluster at the address. Received: {self.address!r} ({error}). "
                        "Start one with `ray start --head`, or leave the address out."
                    ) from error
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            wanted = {"CPU": self.cpus_per_run, "GPU": self.gpus_per_run}
            if not any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes):
                there = "; ".join(f"{node.get('CPU', 0):g} CPU, {node.get('GPU', 0):g} GPU" for node in nodes)
                raise ValueError(
                    f"Some node of the cluster must have {self.cpus_per_run:g} CPU and {self.gpus_per_run:g} GPU for "
                    f"a run. Received nodes with: {there}. Ask for less, or add a node."
                )
            self._drive(ray, tasks, jobs, ledger)

    def _drive(self, ray, tasks: list[Task], jobs: Sequence[Job], ledger: Ledger):
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        put = cache(ray.put)
        train = ray.remote(_train).options(
            num_cpus=self.cpus_per_run,
            num_gpus=self.gpus_per_run,
            max_retries=0,  # retried here, from the last state
            runtime_env={"env_vars": environment()},
        )
        running, live, trials = {}, {}, count()  # live: the task of each trial in progress

        def submit(task: Task):
            if ready := ledger.ready(task):
                live[trial := next(trials)] = ready
                running[train.remote(ready, trial, put(jobs[task.job].data), queue)] = trial

        try:
            for task in tasks:
                submit(task)
            while running:
                done, _ = ray.wait(list(running), timeout=_POLL_SECONDS)
                # a run's last report was in the queue before the run was done
                for trial, name, *arguments in queue.get_nowait_batch(queue.qsize()):
                    if trial in live:  # else it was given up
                        ledger.report(live[trial], name, *arguments)
                for reference in done:
                    task = live.pop(running.pop(reference))
                    try:
                        ledger.end(task, ray.get(reference))
                    except ray.exceptions.RayTaskError as error:  # an error in our code, the same on any node
                        ledger.fail(task, f"{type(error.cause).__name__}: {error.cause}")
                    except ray.exceptions.RayError as error:
                        if ledger.again(task, f"{type(error).__name__}: {error}".splitlines()[0]):
                            submit(task)
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
            queue.shutdown(force=True)


_trainers = Trainers()  # of a worker process, to which Ray gives one task after another


def _train(task: Task, trial: int, data: datasets.Data, queue):
    return _trainers.train(task, data, lambda *message: queue.put((trial, *message)))
