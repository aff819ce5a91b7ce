"""Several runs at a time, each in a worker process of its own with its share of the cores."""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache, partial
from multiprocessing.connection import Connection, wait
from pathlib import Path

from keras_langevin import datasets
from keras_langevin.experiments.engines import sharing
from keras_langevin.experiments.engines.lost import Lost
from keras_langevin.experiments.runner import Cell, Ledger
from keras_langevin.experiments.tasks import Task, Trainers
from keras_langevin.values import is_count, or_none


class Processes:
    """Trains several runs at a time on this machine. Small nets leave most cores idle: a worker has few of them, and
    is busy. A worker keeps the compiled step of an optimizer and is given runs of the same where there are any.

    A run whose worker is lost (killed for memory, say) resumes from its last state in a new one, and has failed when
    three were lost.

    Args:
        workers: int >= 1, or `None` for one on each core. Defaults to `None`.

    Raises:
        ValueError: `workers` is no int >= 1.
    """

    def __init__(self, workers: int | None = None):
        if not or_none(is_count(1))(workers):
            raise ValueError(f"`workers` must be an int >= 1, or None for one on each core. Received: {workers!r}")
        self.workers = workers

    def run(self, tasks: list[Task], cells: Sequence[Cell], ledger: Ledger):
        """Trains every task."""
        if not tasks:
            return
        cores = sharing.available_cores()
        count = min(self.workers or len(cores), len(tasks))
        with ExitStack() as files:
            paths = sharing.once_for_each_dataset(cells, partial(_write, files))
            workers = [_Worker(sharing.share_of_cores(cores, number, count), paths) for number in range(count)]
            try:
                _drive(workers, list(tasks), ledger)
            finally:
                for worker in workers:
                    worker.stop()


class _Worker:
    """A process, started anew when it is lost."""

    def __init__(self, cores: list[int], paths: list[Path]):
        self.cores, self.paths = cores, paths
        self.task = self.latest = self.process = self.connection = None

    def give(self, task: Task):
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.connection, its_end = context.Pipe()
            self.process = context.Process(target=_work, args=(its_end, self.paths), daemon=True)
            with sharing.as_a_child_starts(self.cores, sharing.environment()):
                self.process.start()
            its_end.close()
        self.task = self.latest = task
        with suppress(ConnectionError):  # a process that was killed meanwhile: its end is read where others' are
            self.connection.send(task)

    def lost(self) -> str:
        """How the process ended."""
        self.process.join()
        code = self.process.exitcode
        self.connection.close()
        self.process = self.connection = self.task = self.latest = None
        return f"its process ended with exit code {code}" if code >= 0 else f"its process was killed by signal {-code}"

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.join()
            self.connection.close()


def _drive(workers: list[_Worker], pending: list[Task], ledger: Ledger):
    lost = Lost(ledger)
    while pending or any(worker.task for worker in workers):
        for worker in workers:
            while pending and worker.task is None:
                others = [other.latest for other in workers if other is not worker and other.task]
                task = ledger.ready(_take(pending, worker.latest, others))
                if task:
                    worker.give(task)
        busy = {worker.connection: worker for worker in workers if worker.task}
        for connection in wait(busy) if busy else ():  # none where the last tasks could not be begun
            worker = busy[connection]
            try:
                name, *arguments = connection.recv()
            except (EOFError, ConnectionError):
                task = worker.task
                if lost.again(task, worker.lost()):
                    pending.append(task)
                continue
            if name == "end":
                task, worker.task = worker.task, None
                ledger.end(task, *arguments)
            else:
                ledger.report(worker.task, name, *arguments)


def _take(pending: list[Task], latest: Task | None, others: list[Task]) -> Task:
    """Takes the task that costs the least compiling: one whose step this worker has, else one whose step nobody has."""

    def cost(index: int) -> tuple[bool, bool, int]:
        task = pending[index]
        has_step = latest is not None and task.shares_step(latest)
        return not has_step, any(task.shares_step(other) for other in others), index

    return pending.pop(min(range(len(pending)), key=cost))


def _write(files: ExitStack, data: datasets.Data) -> Path:
    """Where workers read these data until `files` is closed. On Linux nothing is left behind, however this process
    ends: the file has no name, and workers open it through this process."""
    if os.path.isdir("/proc/self/fd"):
        file = tempfile.TemporaryFile(prefix="keras-langevin-")  # noqa: SIM115, closed with the others
        files.enter_context(file)
        path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
    else:
        path = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="keras-langevin-"))) / "data"
    sharing.write_mapped(data, path)
    return path


def _work(connection: Connection, paths: list[Path]):
    """The life of a worker: trains what it is given until nobody is there to give."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes the results
    trainers, data = Trainers(), lru_cache(maxsize=1)(sharing.read_mapped)
    try:
        while True:
            task = connection.recv()
            outcome = trainers.train(task, data(paths[task.cell]), partial(_send, connection))
            _send(connection, "end", outcome)
    except (EOFError, _Orphaned):
        pass


class _Orphaned(BaseException):
    """Nobody reads what this process sends."""


def _send(connection: Connection, *message):
    try:
        connection.send(message)
    except OSError as error:
        raise _Orphaned from error
