"""Trains several runs at a time, each in its own worker process with its share of the cores."""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, lru_cache, partial
from multiprocessing.connection import Connection, wait
from pathlib import Path

import keras

from keras_langevin import datasets, extras
from keras_langevin.experiments.runner import Job, Ledger, Task, Trainers
from keras_langevin.quiet import without_log_lines
from keras_langevin.values import is_count, or_none


class Processes:
    """Trains several runs at a time on this machine: `workers` processes, by default one per core, share the cores.

    If a worker is lost (killed for memory, say), its run resumes from its last state in a new worker. A run that loses
    three workers has failed.
    """

    def __init__(self, workers: int | None = None):
        if not or_none(is_count(1))(workers):
            raise ValueError(f"`workers` must be an int >= 1, or None for one on each core. Received: {workers!r}")
        extras.check("experiments", "joblib", what="The engine processes")
        self.workers = workers

    def run(self, tasks: list[Task], jobs: Sequence[Job], ledger: Ledger) -> None:
        cores = available_cores()
        count = min(self.workers or len(cores), len(tasks))
        with ExitStack() as stack:
            path = cache(partial(share, stack))
            paths = [path(job.data) for job in jobs] if tasks else []
            # equal shares of the cores, or one core in turn if there are more workers than cores
            shares = (cores[number::count] or [cores[number % len(cores)]] for number in range(count))
            workers = [_Worker(own, paths) for own in shares]
            for worker in workers:
                stack.callback(worker.stop)
            _drive(workers, list(tasks), ledger)


class _Worker:
    """A process that is started again after it is lost. (A pool of joblib is lost with any of its workers.)"""

    def __init__(self, cores: list[int], paths: list[Path]):
        self.cores, self.paths = cores, paths
        self.task = self.latest = self.process = self.connection = None

    def give(self, task: Task):
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.connection, its_end = context.Pipe()
            self.process = context.Process(target=_work, args=(its_end, self.paths), daemon=True)
            with _as_a_child_starts(self.cores):
                self.process.start()
            its_end.close()
        self.task = self.latest = task
        with suppress(ConnectionError):  # the process was killed meanwhile: `_drive` finds out
            self.connection.send(task)

    def lost(self) -> str:
        """Forgets a process that ended, and returns how it ended."""
        self.process.join()
        code = self.process.exitcode
        self.connection.close()
        self.process = self.connection = self.task = self.latest = None
        return f"its process ended with exit code {code}" if code >= 0 else f"its process was killed by signal {-code}"

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.lost()


def _drive(workers: list[_Worker], pending: list[Task], ledger: Ledger):
    while pending or any(worker.task for worker in workers):
        for worker in workers:
            while pending and worker.task is None:
                others = [other.latest for other in workers if other is not worker and other.task]
                if task := ledger.ready(_take(pending, worker.latest, others)):
                    worker.give(task)
        busy = {worker.connection: worker for worker in workers if worker.task}
        for connection in wait(busy) if busy else ():  # none if the last tasks could not be started
            worker, task = busy[connection], busy[connection].task
            try:
                name, *arguments = connection.recv()
            except (EOFError, OSError):  # killed, perhaps in the middle of a message
                if ledger.again(task, worker.lost()):
                    pending.append(task)
                continue
            if name == "end":
                worker.task = None
                ledger.end(task, *arguments)
            else:
                ledger.report(task, name, *arguments)


def _take(pending: list[Task], latest: Task | None, others: list[Task]) -> Task:
    """Takes the task that needs the least compiling: one whose step this worker has, else one whose step none has."""
    own, taken = latest and latest.step_key, [other.step_key for other in others]
    return pending.pop(pending.index(min(pending, key=lambda task: (task.step_key != own, task.step_key in taken))))


def _work(connection: Connection, paths: list[Path]):
    """Runs in the worker process: trains the tasks that it receives, until the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes the results
    trainers, data = Trainers(), lru_cache(maxsize=1)(shared)
    with suppress(EOFError, ConnectionError):
        while True:
            task = connection.recv()
            outcome = trainers.train(task, data(paths[task.job]), lambda *message: connection.send(message))
            connection.send(("end", outcome))


def share(files: ExitStack, data: datasets.Data) -> Path:
    """Returns the path from which `shared` reads these data until `files` is closed. Linux keeps no file afterwards."""
    if os.path.isdir("/proc/self/fd"):
        file = files.enter_context(tempfile.TemporaryFile(prefix="keras-langevin-"))  # noqa: SIM115
        path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
    else:
        path = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="keras-langevin-"))) / "data"
        file = files.enter_context(open(path, "wb"))  # noqa: SIM115
    import joblib

    joblib.dump(data, file)
    file.flush()
    return path


def shared(path: Path) -> datasets.Data:
    """Loads the data. Their arrays are read-only, in memory that all processes share."""
    import joblib

    return joblib.load(path, mmap_mode="r")


def environment() -> dict[str, str]:
    """Returns the environment variables with which a worker trains as this process would."""
    # several processes may share a GPU, so none may take all of its memory; JAX has float64 if X64 is true
    unless_set = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    # threads that wait for each other must not occupy the cores of other processes
    unless_set |= {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_ENABLE_X64": "false", "OMP_WAIT_POLICY": "PASSIVE"}
    found = {name: os.environ.get(name, value) for name, value in unless_set.items()}
    return found | {"KERAS_BACKEND": keras.backend.backend()}


def available_cores() -> list[int]:
    """Returns the cores that this process may use, or all if the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


@contextmanager
def _as_a_child_starts(cores: list[int]) -> Iterator[None]:
    """Sets what a process started in this context inherits. A backend counts its threads when it is imported."""
    before, own = dict(os.environ), available_cores()
    pin = getattr(os, "sched_setaffinity", lambda process, cores: None)
    try:
        allowed = os.environ.get("OMP_NUM_THREADS", "")  # by the user
        threads = min(len(cores), int(allowed)) if allowed.isdecimal() else len(cores)
        os.environ.update(environment() | {"OMP_NUM_THREADS": str(threads)})
        pin(0, cores)
        with without_log_lines():
            yield
    finally:
        pin(0, own)
        os.environ.clear()
        os.environ.update(before)
