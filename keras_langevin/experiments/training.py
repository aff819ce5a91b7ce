"""Training one run: a model that is compiled once an optimizer and trained once a seed."""

import math
import random
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_langevin import datasets, models
from keras_langevin.callbacks.step_down import StepDown
from keras_langevin.datasets.preprocessing import RandomCropFlip, preprocessed, standardization
from keras_langevin.experiments import controls
from keras_langevin.experiments.checkpoint import State
from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.examples import Batches, ImageTable, is_wanted
from keras_langevin.experiments.machine import (
    accelerator_peak_memory_mb,
    accurate,
    computing_in,
    jit_compile,
    peak_memory_mb,
    provenance,
)
from keras_langevin.experiments.store import CURVES, LOG_NAMES
from keras_langevin.models.initial_kernels import LSUV_IMAGES
from keras_langevin.optimizers.langevin import Langevin


class RunLog(keras.callbacks.Callback):
    """The book-keeping of a run that may be interrupted, and its end where the loss is not finite.

    Args:
        state: what the run goes on from, or `None`.
        on_epoch: called with the number of epochs done and Keras's logs.
        keep: called with (epochs done, history, seconds) to keep the state, or `None`.
        keep_seconds: float, at most so often.
    """

    def __init__(self, state: State | None, on_epoch, keep, keep_seconds: float):
        super().__init__()
        self.keep_seconds = keep_seconds
        self.on_epoch, self.keep = on_epoch, keep
        self.epoch = state.epoch if state else 0
        self.history = {name: list(state.history[name]) if state else [] for name in LOG_NAMES}
        self.started = time.perf_counter() - (state.seconds if state else 0.0)
        self.kept = time.perf_counter()
        self.ended = self.first_ended = None
        self.first_epoch = self.epoch
        self.diverged = False

    @property
    def seconds(self) -> float:
        """How long the epochs took."""
        return (self.ended or time.perf_counter()) - self.started

    def images_per_second(self, images: int) -> float | None:
        """Of training with validation; without this process's first epoch, which may have compiled.

        Args:
            images: int, how many an epoch trains on.
        """
        epochs = self.epoch - self.first_epoch - 1
        return epochs * images / (self.ended - self.first_ended) if epochs > 0 else None

    def on_epoch_end(self, epoch, logs=None):
        self.ended = time.perf_counter()
        self.first_ended = self.first_ended or self.ended
        if not math.isfinite(logs["loss"]):
            # the epoch in which a run diverges has no numbers that JSON could hold
            self.diverged = self.model.stop_training = True
            return
        self.epoch = epoch + 1
        for name, values in self.history.items():
            values.append(float(logs[name]))
        if self.keep and self.ended - self.kept >= self.keep_seconds:
            self.keep(self.epoch, self.history, self.seconds)
            self.kept = time.perf_counter()
        self.on_epoch(self.epoch, logs)


EVALUATION_BATCH = 500
CHECKPOINT_SECONDS = 10.0  # an epoch of a small net is quicker than writing its state


def in_its_precision(method):
    """A method of a trainer, computing in the precision of its comparison."""

    @wraps(method)
    def computing(self, *arguments, **keywords):
        with computing_in(self.comparison.precision):
            return method(self, *arguments, **keywords)

    return computing


class Trainer:
    """One optimizer's model, compiled once and trained once a seed.

    Args:
        comparison: the configuration.
        data: the dataset.
        arm: the optimizer.
        data_on_device: bool, whether all images are kept on the device, where batches are gathered; `None` for yes
            where there is an accelerator. The numbers are the same. Defaults to `None`.
    """

    def __init__(self, comparison: Comparison, data: datasets.Data, arm: Arm, data_on_device: bool | None = None):
        self.comparison, self.data, self.arm, self.data_on_device = comparison, data, arm, data_on_device
        self.arguments = comparison.arguments(arm)  # until a run says
        self.standardization = self._standardization() if comparison.standardize else None
        self.of_images = self._build(0, comparison.precision)
        # weights, and the states of random layers; before `compile` adds its own
        self.variables = list(self.of_images.variables)
        self.table = ImageTable.of(data) if is_wanted(data_on_device) else None
        with computing_in(comparison.precision):
            self.model = self.table.before(self.of_images) if self.table else self.of_images
            self.optimizer = controls.optimizer(arm, **self.arguments)
        on_torch = keras.backend.backend() == "torch"
        self.model.compile(
            optimizer=self.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=accurate(comparison.precision)),
            metrics=["accuracy"],
            jit_compile=jit_compile(comparison.jit, self.model),
            # PyTorch: Keras takes one step an execution
            steps_per_execution=1 if on_torch else len(data.train.x) // comparison.batch_size,
        )
        self.of_images.optimizer = self.model.optimizer  # which Keras writes beside the weights
        # the optimizer, or under mixed_float16 Keras's `LossScaleOptimizer` around it
        self.model.optimizer.build(self.model.trainable_variables)
        self.initial_state = [ops.convert_to_numpy(variable) for variable in self.model.optimizer.variables]

    def serves(self, comparison: Comparison, arm: Arm) -> bool:
        """Whether runs of that comparison need no other compiled step: they differ in numbers that a step reads from
        variables, or not in the step at all."""
        return arm == self.arm and comparison.has_step_of(self.comparison)

    def rebind(self, comparison: Comparison):
        """Takes the numbers of a comparison that it `serves`."""
        self.comparison = comparison

    @in_its_precision
    def train(
        self,
        seed: int,
        arguments: dict | None = None,
        on_epoch: Callable[[int, dict], None] = lambda epoch, logs: None,
        *,
        is_trial: bool = False,
        state: State | None = None,
        keep: Callable[[State], None] | None = None,
        keep_seconds: float = CHECKPOINT_SECONDS,
    ) -> dict:
        """Trains from this seed's initial weights, on this seed's batches, and returns the record of the run.

        Args:
            seed: int, determines initial weights, batches, augmentation and noise.
            arguments: dict, what the optimizer is called with: its learning rate and sigma. Defaults to what the
                comparison says.
            on_epoch: called with the number of epochs done and Keras's logs.
            is_trial: bool, whether the test split is left alone. Defaults to `False`.
            state: what an interrupted run goes on from. Defaults to `None`.
            keep: called with the run's state at the end of an epoch. Defaults to `None`.
            keep_seconds: float, at most so often. Defaults to 10.
        """
        comparison, data = self.comparison, self.data
        self.reset(seed, arguments)
        if state:
            self.restore(state)
        log = RunLog(state, on_epoch, keep and self._keeper(keep), keep_seconds)
        if log.epoch < comparison.epochs:
            batches = Batches(data.train, comparison.batch_size, comparison.epochs, seed, log.epoch, bool(self.table))
            self.model.fit(
                batches,
                epochs=comparison.epochs,
                initial_epoch=log.epoch,
                steps_per_epoch=batches.steps_per_epoch,
                shuffle=False,
                validation_data=self._examples("validation"),
                validation_batch_size=EVALUATION_BATCH,
                callbacks=[StepDown(comparison.drop_epoch, stop_noise=self.arm.modifier != "always"), log],
                verbose=0,
            )
        images = len(data.train.x) // comparison.batch_size * comparison.batch_size
        return self.record(
            log.history,
            diverged=log.diverged,
            test=None if is_trial else self._test(),
            seconds=log.seconds,
            images_per_second=log.images_per_second(images),
        ) | {"data_on_device": self.table is not None}

    def record(self, history: dict, *, diverged: bool, test, seconds: float, images_per_second) -> dict:
        """The record of a run with the present numbers.

        Args:
            history: dict of lists, by Keras's names, a value for each epoch.
            diverged: bool, whether the loss was not finite at the end.
            test: (loss, accuracy) on the test split, or `None` where it is not used.
            seconds: float, how long the epochs took.
            images_per_second: float or `None`, of training with validation.
        """
        curves = {name: _floats(history[log]) for name, log in zip(CURVES, LOG_NAMES, strict=True)}
        test_loss, test_accuracy = _floats(test or (math.nan, math.nan))
        return {
            "status": "diverged" if diverged else "finished",
            "test_accuracy": test_accuracy,
            "test_loss": test_loss,
            **{name: values[-1] if values else None for name, values in curves.items()},
            "seconds": seconds,
            "images_per_second": images_per_second,
            "peak_memory_mb": peak_memory_mb(),
            "accelerator_peak_memory_mb": accelerator_peak_memory_mb(),
            "curves": curves,
            "arguments": self.arguments,
            "optimizer_config": self._optimizer_config(),
            "noisy_layers": list(self.optimizer.noisy_layers) if isinstance(self.optimizer, Langevin) else [],
            "provenance": provenance() | {"data": self.data.source},
        }

    def _optimizer_config(self) -> dict:
        """Every argument of the optimizer, as the run began: it ends with a tenth of the learning rate, and sigma 0."""
        config = self.optimizer.get_config()
        if isinstance(self.optimizer, Langevin):
            config["layers"] = self.optimizer.layers  # as given; those that they are, are `noisy_layers`
        return config | {name: self.arguments[name] for name in ("learning_rate", "sigma") if name in self.arguments}

    def _test(self) -> tuple[float, float]:
        return tuple(self.model.evaluate(*self._examples("test"), batch_size=EVALUATION_BATCH, verbose=0))

    def weights(self) -> bytes:
        """The present weights, as a Keras weights file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.weights.h5"
            self.of_images.save_weights(path)
            return path.read_bytes()

    @property
    def all_variables(self) -> list:
        """What the state of a run consists of."""
        return [*self.variables, *self.model.optimizer.variables]

    def _keeper(self, keep: Callable[[State], None]) -> Callable[[int, dict, float], None]:
        def keep_now(epoch, history, seconds):
            arrays = [np.asarray(ops.convert_to_numpy(variable)) for variable in self.all_variables]
            keep(State(epoch, history, seconds, arrays))

        return keep_now

    def restore(self, state: State):
        """Puts the variables where a run was: all of them, or none where the state does not fit.

        Raises:
            ValueError: the state is that of another model or optimizer.
        """
        variables = self.all_variables
        dtypes = [np.asarray(ops.convert_to_numpy(variable)).dtype for variable in variables]
        # NumPy has no name for bfloat16, which is read as bytes of its size
        arrays = [
            array.view(dtype) if array.dtype.kind == "V" and array.dtype.itemsize == dtype.itemsize else array
            for array, dtype in zip(state.arrays, dtypes, strict=False)
        ]
        found = [(array.shape, array.dtype) for array in arrays] + [()] * (len(state.arrays) - len(arrays))
        if found != [(tuple(variable.shape), dtype) for variable, dtype in zip(variables, dtypes, strict=True)]:
            raise ValueError(
                f"{state.source} must hold the state of this model and optimizer. Received one of other shapes or "
                "dtypes. Remove it to begin that run anew."
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def _examples(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """What the model takes, images or their indices, and labels."""
        examples = getattr(self.data, split)
        return (self.table.indices(split), examples.y) if self.table else examples

    def reset(self, seed: int, arguments: dict | None = None):
        """Puts the variables where a run of this seed begins that is called with these arguments."""
        self.arguments = self.comparison.arguments(self.arm) if arguments is None else arguments
        if self.table:
            self.table.restore()
        # Draws differ with their precision: of one seed, all precisions begin with the weights of float32, rounded.
        fresh = self._build(seed, "float32")
        for variable, other in zip(self.variables, fresh.variables, strict=True):
            variable.assign(other)
        for variable, value in zip(self.model.optimizer.variables, self.initial_state, strict=True):
            variable.assign(value)
        self.optimizer.learning_rate = self.arguments["learning_rate"]
        if isinstance(self.optimizer, Langevin):
            self.optimizer.sigma = self.arguments.get("sigma", 0.0)
            self.optimizer.seed = seed

    def _standardization(self) -> keras.layers.Layer:
        with computing_in(accurate(self.comparison.precision)):
            return standardization(self.data.train.x, self.data.max_pixel)

    def _build(self, seed: int, precision: str) -> keras.Model:
        """The model as this seed begins it in that precision, with preprocessing in front."""
        comparison, data = self.comparison, self.data
        dtype = accurate(precision)
        layers = [keras.layers.Rescaling(1 / data.max_pixel, dtype=dtype)]
        if comparison.padding is not None:
            layers.append(RandomCropFlip(comparison.padding, seed=seed, dtype=dtype))
        if self.standardization is not None:
            layers.append(self.standardization)
        # Keras's initializers and layers draw their seeds from Python's generator. (`keras.utils.set_random_seed` would
        # also set NumPy's and import TensorFlow on every backend.)
        state = random.getstate()
        random.seed(seed)
        try:
            with computing_in(precision):
                images = data.train.x[:LSUV_IMAGES].astype("float32") / data.max_pixel
                if self.standardization is not None:
                    images = self.standardization(images)
                model = models.build(comparison.model, data.input_shape, data.num_classes, images=images)
                return preprocessed(model, layers)
        finally:
            random.setstate(state)


def _floats(values) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]
