"""Trains many runs of one optimizer at once, on one device: JAX's `vmap` of Keras's own training step."""

import time
import traceback
from collections.abc import Sequence
from functools import lru_cache, partial

import keras
import numpy as np

from keras_langevin import datasets
from keras_langevin.experiments.config import Comparison, OptimizerSpec
from keras_langevin.experiments.examples import Batches
from keras_langevin.experiments.machine import computing_in
from keras_langevin.experiments.records import State
from keras_langevin.experiments.runner import Job, Ledger, Task
from keras_langevin.experiments.training import EVALUATION_BATCH, RunLog, Trainer
from keras_langevin.files import StorageError
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.stacked import StackedSteps
from keras_langevin.values import is_count

if keras.backend.backend() == "jax":
    import jax
    import jax.numpy as jnp


class Vmap:
    """Trains the runs of an optimizer together: all seeds, learning rates and values of sigma are one batch, for small
    nets on a GPU. The numbers are those of `Local` up to rounding. All images are kept on the device. At most
    `runs_at_once` runs are trained together; a group that does not fit into the device's memory is halved.
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

    def run(self, tasks: list[Task], jobs: Sequence[Job], ledger: Ledger) -> None:
        """Trains every task. Raises `ValueError` for tasks with `data_on_device=False`."""
        if any(task.data_on_device is False for task in tasks):
            raise ValueError(
                "The engine vmap keeps all images on the device. Received: data_on_device=False. Leave it out, or use "
                "another engine."
            )
        pending = list(filter(None, map(ledger.ready, tasks)))
        while pending:
            together = [task for task in pending if _go_together(task, pending[0])][: self.runs_at_once]
            pending = [task for task in pending if task not in together]
            self._train(together, jobs, ledger)

    def _train(self, group: list[Task], jobs: Sequence[Job], ledger: Ledger):
        first, data = group[0], jobs[group[0].job].data
        for task in group:
            ledger.report(task, "start")
        try:
            if not self.trainer or self.trainer.step_key != first.step_key:
                self.trainer = None  # free its memory before the next is made
                self.trainer = StackedTrainer(first.comparison, data, first.arm)
                self.trainer.step_key = first.step_key
            with computing_in(first.comparison.precision):
                ended = self.trainer.train_all(group, ledger)
        except StorageError:
            raise
        except Exception as error:
            self.trainer = None  # its state is unknown
            text, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
        else:
            for number, task in enumerate(group):
                ledger.end(task, task.outcome(data, *ended[number]))
            return
        if "RESOURCE_EXHAUSTED" in text and len(group) > 1:  # the error is gone, and what it held on the device
            for part in (group[: len(group) // 2], group[len(group) // 2 :]):
                if ready := list(filter(None, map(ledger.ready, part))):
                    self._train(ready, jobs, ledger)
            return
        for task in group:
            ledger.end(task, task.failure(data, text, trace))


def _go_together(task: Task, other: Task) -> bool:
    """Returns whether one compiled epoch serves both tasks, from the same first epoch to the same last."""
    own, others = (
        (each.state.epoch if each.state else 0, each.comparison.epochs, each.comparison.drop_epoch, each.is_trial)
        for each in (task, other)
    )
    return own == others and task.step_key == other.step_key


class StackedTrainer(Trainer):
    """A `Trainer` of many runs."""

    def __init__(self, comparison: Comparison, data: datasets.Data, arm: OptimizerSpec):
        super().__init__(comparison, data, arm, data_on_device=False)
        self.examples = {name: tuple(map(jnp.asarray, getattr(data, name))) for name in ("train", "validation", "test")}
        # so that Keras makes the metrics' variables
        self.model.compute_metrics(None, data.train.y[:1], np.zeros((1, data.num_classes), "float32"))
        self.stacked = StackedSteps(self.model, self.all_variables)
        self._mapped_scores = jax.jit(jax.vmap(self._scores, in_axes=(0, 0, None, None)))

    def train_all(self, tasks: Sequence[Task], ledger: Ledger) -> dict[int, tuple[dict, bytes | None]]:
        """Trains all runs. Returns each run's record, and its weights if wanted, by the run's number."""
        comparison, stack = tasks[0].comparison, self._stack(tasks)
        on_host = lru_cache(maxsize=1)(lambda epoch: jax.device_get(stack))

        def keep(number, epoch, history, seconds):
            ledger.report(tasks[number], "keep", State(epoch, history, seconds, _of_run(on_host(epoch), number)))

        logs = [
            RunLog(task.state, partial(keep, number), task.checkpoint_seconds, together=len(tasks))
            for number, task in enumerate(tasks)
        ]
        size, begin, end = comparison.batch_size, logs[0].epoch, comparison.epochs
        batches = [Batches(self.data.train, size, end, task.seed, begin, indices=True) for task in tasks]
        live, ended = list(range(len(tasks))), {}
        for epoch in range(begin, end):
            if epoch == comparison.drop_epoch:
                self._step_down(stack)
            steps = range((epoch - begin) * self.steps, (epoch + 1 - begin) * self.steps)
            indices = np.stack([[each[step][0] for step in steps] for each in batches])
            stack, scores = self.stacked.train(stack, indices, self.examples["train"])
            scores |= {f"val_{name}": values for name, values in self._evaluate(stack, "validation").items()}
            scores, now = jax.device_get(scores), time.perf_counter()
            own = {number: {name: float(scores[name][number]) for name in scores} for number in live}
            for number in live:
                logs[number].end_epoch(own[number], now)
            ended |= self._ended(stack, [number for number in live if logs[number].diverged], tasks, logs)
            live = [number for number in live if number not in ended]
            for number in live:  # after all states are kept, so that all resume at one epoch
                ledger.report(tasks[number], "epoch", epoch + 1, own[number])
            if not live:
                break
        return ended | self._ended(stack, live, tasks, logs)

    def _ended(self, stack: list, numbers: list[int], tasks, logs) -> dict[int, tuple[dict, bytes | None]]:
        test = self._evaluate(stack, "test") if numbers and not tasks[0].is_trial else None
        host, found = jax.device_get(stack) if numbers else [], {}
        for number in numbers:
            self.comparison, self.arguments = tasks[number].comparison, tasks[number].arguments
            self.restore(State(0, {}, 0.0, _of_run(host, number)))
            record = self.record(logs[number], test and (test["loss"][number], test["accuracy"][number]))
            weights = self.weights() if tasks[number].save_weights else None
            found[number] = record | {"data_on_device": True, "runs_at_once": len(tasks)}, weights
        return found

    def _stack(self, tasks: Sequence[Task]) -> list:
        """Returns the values of `all_variables`, each with an axis for the runs."""
        runs = []
        for task in tasks:
            self.comparison = task.comparison
            self.reset(task.seed, task.arguments)
            if task.state:
                self.restore(task.state)
            runs.append([variable.value for variable in self.all_variables])
        return [jnp.stack(values) for values in zip(*runs, strict=True)]

    def _step_down(self, stack: list):
        """Does what the callback `StepDown` does."""
        place = self.stacked.places[id(self.optimizer.learning_rate)]
        rates = np.asarray(stack[place])
        stack[place] = jnp.asarray((rates.astype("float64") / 10).astype(rates.dtype))
        if isinstance(self.optimizer, Langevin) and self.arm.modifier != "always":
            stack[self.stacked.places[id(self.optimizer.sigma)]] *= 0

    def _evaluate(self, stack: list, split: str) -> dict:
        """Returns the loss and accuracy of each run on a split."""
        metrics = [jnp.stack([zeros] * len(stack[0])) for zeros in self.stacked.no_metrics()]
        for begin in range(0, len(self.examples[split][1]), EVALUATION_BATCH):
            batch = (array[begin : begin + EVALUATION_BATCH] for array in self.examples[split])
            scores, metrics = self._mapped_scores(stack, metrics, *batch)
        return scores

    def _scores(self, values, metrics, images, labels):
        weights, others, _ = self.stacked.split(values)
        scores, (*_, metrics) = self.model.test_step((weights, others, metrics), (images, labels))
        return scores, metrics


def _of_run(stack: list, number: int) -> list:
    return [np.asarray(values[number]) for values in stack]
