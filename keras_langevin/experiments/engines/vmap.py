"""Many runs of one optimizer at once, on one device, by JAX's `vmap`."""

import traceback
from collections.abc import Iterator, Sequence

import keras

from keras_langevin.experiments.runner import Job, Ledger, Task, failed, outcome
from keras_langevin.files import StorageError
from keras_langevin.values import is_count


class Vmap:
    """Trains the runs of an optimizer together: all seeds, and all learning rates and values of sigma, are one batch.

    A small net leaves a GPU idle between the kernels of a step; with many runs a step each kernel has work. The numbers
    are those of `Local` but for rounding: XLA adds up in another order. All images are on the device.

    A group that does not fit into its memory is halved.

    Args:
        runs_at_once: int >= 1, at most so many runs are trained together. Defaults to 32.

    Raises:
        ValueError: the backend is not JAX, or `runs_at_once` is no int >= 1.
    """

    def __init__(self, runs_at_once: int = 32):
        if not is_count(1)(runs_at_once):
            raise ValueError(f"`runs_at_once` must be an int >= 1. Received: {runs_at_once!r}. Leave it out for 32.")
        if keras.backend.backend() != "jax":
            raise ValueError(
                "The engine vmap needs the JAX backend, which alone can map a whole step over runs. "
                f"Received: {keras.backend.backend()}. Use KERAS_BACKEND=jax, or another engine."
            )
        self.runs_at_once = runs_at_once
        self.trainer = None

    def run(self, tasks: list[Task], jobs: Sequence[Job], ledger: Ledger):
        """Trains every task.

        Raises:
            ValueError: images are not to be kept on the device.
        """
        if any(task.data_on_device is False for task in tasks):
            raise ValueError(
                "The engine vmap keeps all images on the device. Received: data_on_device=False. Leave it out, or use "
                "another engine."
            )
        ready = list(filter(None, map(ledger.ready, tasks)))
        for group in self._groups(ready):
            self._train(group, jobs, ledger)

    def _groups(self, tasks: list[Task]) -> Iterator[list[Task]]:
        while tasks:
            first = tasks[0]
            together = [task for task in tasks if _go_together(task, first)][: self.runs_at_once]
            yield together
            keys = {task.key for task in together}
            tasks = [task for task in tasks if task.key not in keys]

    def _train(self, group: list[Task], jobs: Sequence[Job], ledger: Ledger):
        from keras_langevin.experiments.stacked import StackedRun

        data = jobs[group[0].job].data
        for task in group:
            ledger.report(task, "start")
        weights = {}

        def on_end(number):
            if group[number].save_weights:
                weights[number] = trainer.weights()

        try:
            trainer = self._trainer(group[0], data)
            records = trainer.train_all(
                [StackedRun(t.comparison, t.seed, t.arguments, t.is_trial, t.state) for t in group],
                on_epoch=lambda number, epoch, logs: ledger.report(group[number], "epoch", epoch, logs),
                keep=lambda number, state: ledger.report(group[number], "keep", state),
                keep_seconds=group[0].checkpoint_seconds,
                on_end=on_end,
            )
        except StorageError:
            raise
        except Exception as error:
            self.trainer = None  # its state is unknown
            if "RESOURCE_EXHAUSTED" in str(error) and len(group) > 1:
                half = len(group) // 2
                for part in (group[:half], group[half:]):
                    self._train(list(filter(None, map(ledger.ready, part))), jobs, ledger)
                return
            text = f"{type(error).__name__}: {error}"
            for task in group:
                ledger.end(task, failed(task, data, text, traceback.format_exc()))
            return
        for number, (task, record) in enumerate(zip(group, records, strict=True)):
            ledger.end(task, outcome(task, data, record, weights.get(number)))

    def _trainer(self, task: Task, data):
        from keras_langevin.experiments.stacked import StackedTrainer

        if not (self.trainer and self.trainer.serves(task.comparison, task.arm)):
            self.trainer = None  # before another takes its memory
            self.trainer = StackedTrainer(task.comparison, data, task.arm)
        return self.trainer


def _go_together(task: Task, other: Task) -> bool:
    """Whether one compiled epoch serves both, from the same epoch on to the same end."""
    begin, other_begin = (each.state.epoch if each.state else 0 for each in (task, other))
    own, others = ((t.comparison.epochs, t.comparison.drop_epoch, t.is_trial) for t in (task, other))
    return begin == other_begin and own == others and task.shares_step(other)
