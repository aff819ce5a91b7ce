"""Training many runs of one optimizer at once, on JAX: one compiled epoch that is mapped over the runs."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax

from keras_langevin import datasets
from keras_langevin.experiments.checkpoint import State
from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.examples import Batches
from keras_langevin.experiments.mapped_noise import mapped_over_runs
from keras_langevin.experiments.store import LOG_NAMES
from keras_langevin.experiments.training import CHECKPOINT_SECONDS, EVALUATION_BATCH, Trainer, in_its_precision
from keras_langevin.optimizers.langevin import Langevin


class StackedRun(NamedTuple):
    """One of the runs that are trained together.

    Attributes:
        comparison: its configuration; all of them share the compiled step, the epochs and where they begin.
        seed: int.
        arguments: dict, what the optimizer is called with.
        is_trial: bool, whether the test split is left alone; one answer for all of them.
        state: what it goes on from, or `None`.
    """

    comparison: Comparison
    seed: int
    arguments: dict
    is_trial: bool
    state: State | None


class StackedTrainer(Trainer):
    """As `Trainer`, of many runs at once: weights, states and numbers such as sigma have a leading axis for the runs.

    A step is `jax.vmap` of Keras's own: the model's `stateless_call`, the optimizer's `stateless_apply`. An epoch is a
    `lax.scan` over its batches. Images are on the device, once for all runs.

    Args:
        comparison, data, arm: as for `Trainer`.
    """

    def __init__(self, comparison: Comparison, data: datasets.Data, arm: Arm):
        super().__init__(comparison, data, arm, data_on_device=False)
        self.loss = self.model.loss
        self.train_split, self.validation_split = (
            (jnp.asarray(split.x), jnp.asarray(split.y.astype("int32"))) for split in (data.train, data.validation)
        )
        mapped = jax.vmap(self._epoch, in_axes=(0, 0, None, None))
        self._mapped_epoch = jax.jit(mapped, donate_argnums=0)
        self._mapped_scores = jax.jit(jax.vmap(self._scores, in_axes=(0, 0, None, None)))

    @in_its_precision
    def train_all(
        self,
        runs: Sequence[StackedRun],
        on_epoch: Callable[[int, int, dict], None] = lambda run, epoch, logs: None,
        *,
        keep: Callable[[int, State], None] | None = None,
        keep_seconds: float = CHECKPOINT_SECONDS,
        on_end: Callable[[int], None] = lambda run: None,
    ) -> list[dict]:
        """Trains all runs, and returns the record of each.

        Args:
            runs: the runs.
            on_epoch: called with a run's number, the epochs done and Keras's logs.
            keep: called with a run's number and its state at the end of an epoch. Defaults to `None`.
            keep_seconds: float, at most so often. Defaults to 10.
            on_end: called with a run's number when its weights at the end are those of the model. Defaults to nothing.
        """
        first = runs[0].comparison
        progress = _Progress(runs)
        stack = self._stack(runs)
        stack = self._train_epochs(stack, runs, progress, on_epoch, keep, keep_seconds)
        tests = (
            [None] * len(runs) if runs[0].is_trial else list(zip(*self._evaluate(stack, *self.data.test), strict=True))
        )
        images = len(self.data.train.x) // first.batch_size * first.batch_size
        records, host = [], jax.device_get(stack)
        for number, run in enumerate(runs):
            self.rebind(run.comparison)
            self.arguments = run.arguments
            self.restore(State(0, {}, 0.0, self._arrays(host, number)))
            on_end(number)
            record = self.record(
                progress.histories[number],
                diverged=number in progress.ended,
                test=tests[number],
                seconds=progress.seconds(number),
                images_per_second=progress.images_per_second(images),
            )
            records.append(record | {"data_on_device": True, "runs_at_once": len(runs)})
        return records

    def _train_epochs(self, stack, runs, progress: "_Progress", on_epoch, keep, keep_seconds: float):
        comparison = runs[0].comparison
        batches = [
            Batches(self.data.train, comparison.batch_size, comparison.epochs, run.seed, indices=True) for run in runs
        ]
        steps = batches[0].steps_per_epoch
        kept = time.perf_counter()
        for epoch in range(progress.first_epoch, comparison.epochs):
            if epoch == comparison.drop_epoch:
                stack = self._dropped(stack)
            indices = np.stack([[each[epoch * steps + step][0] for step in range(steps)] for each in batches])
            stack, (losses, accuracies) = self._mapped_epoch(stack, indices, *self.train_split)
            logs = [losses.mean(axis=1), accuracies.mean(axis=1), *self._evaluate(stack, *self.validation_split)]
            logs = dict(zip(LOG_NAMES, jax.device_get(logs), strict=True))
            progress.end_epoch()
            for number in progress.live():
                own = {name: float(values[number]) for name, values in logs.items()}
                if not math.isfinite(own["loss"]):
                    progress.ended[number] = jax.device_get(jax.tree.map(lambda array, n=number: array[n], stack))
                    continue
                for name, value in own.items():
                    progress.histories[number][name].append(value)
            if keep and time.perf_counter() - kept >= keep_seconds:
                self._keep(stack, progress, epoch + 1, keep)
                kept = time.perf_counter()
            for number in progress.live():
                on_epoch(number, epoch + 1, {name: float(values[number]) for name, values in logs.items()})
            if not progress.live():
                break
        for number, weights in progress.ended.items():  # as they were where the run diverged
            stack = jax.tree.map(lambda all_runs, own, n=number: all_runs.at[n].set(own), stack, weights)
        return stack

    def _keep(self, stack, progress: "_Progress", epoch: int, keep):
        host = jax.device_get(stack)
        for number in progress.live():
            history = {name: list(values) for name, values in progress.histories[number].items()}
            keep(number, State(epoch, history, progress.seconds(number), self._arrays(host, number)))

    # --- variables, stacked -----------------------------------------------------------------------------------------

    @property
    def _parts(self) -> tuple[list, list, list]:
        """The variables of a step: trainable and other ones of the model, those of the optimizer."""
        return self.model.trainable_variables, self.model.non_trainable_variables, self.model.optimizer.variables

    def _stack(self, runs: Sequence[StackedRun]) -> tuple[list, list, list]:
        columns = []
        for run in runs:
            self.rebind(run.comparison)
            self.reset(run.seed, run.arguments)
            if run.state:
                self.restore(run.state)
            columns.append([[np.asarray(variable.value) for variable in part] for part in self._parts])
        return tuple([jnp.stack(values) for values in zip(*part, strict=True)] for part in zip(*columns, strict=True))

    def _arrays(self, host, number: int) -> list[np.ndarray]:
        """One run's arrays, in the order of `all_variables`."""
        variables = [variable for part in self._parts for variable in part]
        values = [values[number] for part in host for values in part]
        found = {id(variable): value for variable, value in zip(variables, values, strict=True)}
        return [np.asarray(found[id(variable)]) for variable in self.all_variables]

    def _dropped(self, stack):
        """With a tenth of the learning rate and without noise, as `StepDown` does it."""
        *model, of_optimizer = stack
        variables = list(map(id, self.model.optimizer.variables))
        place = variables.index(id(self.optimizer.learning_rate))
        rates = np.asarray(of_optimizer[place])
        of_optimizer[place] = jnp.asarray((rates.astype("float64") / 10).astype(rates.dtype))
        if isinstance(self.optimizer, Langevin) and self.arm.modifier != "always":
            place = variables.index(id(self.optimizer.sigma))
            of_optimizer[place] = jnp.zeros_like(of_optimizer[place])
        return *model, of_optimizer

    # --- one run, traced --------------------------------------------------------------------------------------------

    def _epoch(self, state, indices, images, labels):
        def step(state, chosen):
            return self._step(state, jnp.take(images, chosen, axis=0), jnp.take(labels, chosen, axis=0))

        return lax.scan(step, state, indices)

    def _step(self, state, images, labels):
        weights, others, of_optimizer = state
        optimizer = self.model.optimizer

        def objective(weights):
            loss, outputs, changed = self._call(weights, others, images, labels, training=True)
            mapping = zip(optimizer.variables, of_optimizer, strict=True)
            with keras.StatelessScope(state_mapping=mapping):
                scaled = optimizer.scale_loss(loss)
            return scaled, (loss, (outputs.argmax(-1) == labels).mean(), changed)

        gradients, (loss, accuracy, others) = jax.grad(objective, has_aux=True)(weights)
        with mapped_over_runs():
            weights, of_optimizer = optimizer.stateless_apply(of_optimizer, gradients, weights)
        return (list(weights), list(others), list(of_optimizer)), (loss, accuracy)

    def _call(self, weights, others, images, labels, training: bool):
        outputs, changed, losses = self.model.stateless_call(
            weights, others, images, training=training, return_losses=True
        )
        return self.loss(labels, outputs) + sum(losses), outputs, changed

    def _scores(self, weights, others, images, labels):
        loss, outputs, _ = self._call(weights, others, images, labels, training=False)
        return loss * len(labels), (outputs.argmax(-1) == labels).sum()

    def _evaluate(self, stack, images, labels) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and accuracy of each run over a split."""
        weights, others, _ = stack
        totals = []
        for begin in range(0, len(labels), EVALUATION_BATCH):
            span = slice(begin, begin + EVALUATION_BATCH)
            totals.append(self._mapped_scores(weights, others, images[span], labels[span]))
        losses, correct = (np.sum(np.asarray(each, "float64"), axis=0) for each in zip(*totals, strict=True))
        return losses / len(labels), correct / len(labels)


class _Progress:
    """The book-keeping of runs that are trained together; the time is shared out equally."""

    def __init__(self, runs: Sequence[StackedRun]):
        self.states = [run.state for run in runs]
        self.histories = [
            {name: list(state.history[name]) if state else [] for name in LOG_NAMES} for state in self.states
        ]
        self.first_epoch = self.states[0].epoch if self.states[0] else 0
        self.ended = {}  # the weights of runs that diverged, by number
        self.began = self.latest = time.perf_counter()
        self.first_ended = None
        self.epochs = 0

    def live(self) -> list[int]:
        return [number for number in range(len(self.states)) if number not in self.ended]

    def end_epoch(self):
        self.latest = time.perf_counter()
        self.first_ended = self.first_ended or self.latest
        self.epochs += 1

    def seconds(self, number: int) -> float:
        state = self.states[number]
        return (self.latest - self.began) / len(self.states) + (state.seconds if state else 0.0)

    def images_per_second(self, images: int) -> float | None:
        """Of all runs together; without the first epoch, which compiles."""
        epochs = self.epochs - 1
        return len(self.states) * epochs * images / (self.latest - self.first_ended) if epochs > 0 else None
