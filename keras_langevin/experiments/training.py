"""Trains runs: a model is compiled once per optimizer and trained once per seed."""

import math
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_langevin import datasets, models
from keras_langevin.callbacks.step_down import StepDown
from keras_langevin.datasets.preprocessing import RandomCropFlip, preprocessed, standardization
from keras_langevin.experiments import controls, machine
from keras_langevin.experiments.config import Comparison, OptimizerSpec
from keras_langevin.experiments.examples import Batches, ImageTable, first_images, is_wanted
from keras_langevin.experiments.records import CURVES, LOG_NAMES, State
from keras_langevin.optimizers.langevin import Langevin

EVALUATION_BATCH = 500
CHECKPOINT_SECONDS = 10.0  # an epoch of a small net takes less time than writing its state


class RunLog(keras.callbacks.Callback):
    """Logs a run and stops it if the loss is not finite. Runs trained `together` share the time."""

    def __init__(self, state: State | None, keep, keep_seconds: float, on_epoch=None, together: int = 1):
        super().__init__()
        self.keep, self.keep_seconds, self.on_epoch, self.together = keep, keep_seconds, on_epoch, together
        self.epoch, self.seconds_before = (state.epoch, state.seconds) if state else (0, 0.0)
        self.history = {name: list(state.history[name]) if state else [] for name in LOG_NAMES}
        self.kept = time.perf_counter()
        self.ends = [self.kept]  # when this process began, and ended each epoch
        self.diverged = False

    @property
    def seconds(self) -> float:
        return (self.ends[-1] - self.ends[0]) / self.together + self.seconds_before

    def images_per_second(self, images: int) -> float | None:
        """Returns the speed of training on `images` per epoch, with validation, without the first epoch (compiling)."""
        epochs = len(self.ends) - 2
        return self.together * epochs * images / (self.ends[-1] - self.ends[1]) if epochs > 0 else None

    def on_epoch_end(self, epoch, logs=None):
        self.end_epoch(logs, time.perf_counter())
        self.model.stop_training = self.diverged
        if not self.diverged:
            self.on_epoch(self.epoch, logs)

    def end_epoch(self, logs: dict[str, float], now: float):
        """Logs the numbers of an epoch, and calls `keep` with (epochs done, history, seconds) if it is time to."""
        self.ends.append(now)
        self.diverged = not math.isfinite(logs["loss"])
        if self.diverged:  # JSON cannot hold the numbers of this epoch
            return
        self.epoch += 1
        for name, values in self.history.items():
            values.append(float(logs[name]))
        if self.keep and now - self.kept >= self.keep_seconds:
            self.keep(self.epoch, self.history, self.seconds)
            self.kept = now


class Trainer:
    """The model of one optimizer, compiled once and trained once per seed. `data_on_device`: as in `is_wanted`."""

    def __init__(
        self, comparison: Comparison, data: datasets.Data, arm: OptimizerSpec, data_on_device: bool | None = None
    ):
        self.comparison, self.data, self.arm, self.data_on_device = comparison, data, arm, data_on_device
        self.arguments = comparison.arguments(arm)  # until a run sets its own
        self.step_key: tuple | None = None  # that of the runs that the compiled step serves
        accurate = machine.accurate(comparison.precision)
        with machine.computing_in(accurate):
            self.standardization = standardization(data.train.x, data.max_pixel) if comparison.standardize else None
        self.of_images = self._build(0, comparison.precision)
        weights = list(self.of_images.variables)  # with states of random layers; `compile` adds its own later
        self.table = ImageTable.of(data) if is_wanted(data_on_device) else None
        self.steps = len(data.train.x) // comparison.batch_size
        with machine.computing_in(comparison.precision):
            self.model = self.table.before(self.of_images) if self.table else self.of_images
            self.optimizer = controls.optimizer(arm, **self.arguments)
        self.model.compile(
            optimizer=self.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=accurate),
            metrics=["accuracy"],
            jit_compile=machine.jit_compile(comparison.jit, self.model),
            # on PyTorch, Keras runs one step per execution
            steps_per_execution=1 if keras.backend.backend() == "torch" else self.steps,
        )
        self.of_images.optimizer = self.model.optimizer  # Keras saves it with the weights
        # the optimizer, or under mixed_float16 Keras's `LossScaleOptimizer` around it
        self.model.optimizer.build(self.model.trainable_variables)
        self.initial_state = [ops.convert_to_numpy(variable) for variable in self.model.optimizer.variables]
        self.all_variables = [*weights, *self.model.optimizer.variables]  # the state of a run

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
        """Trains from this seed's initial weights, or from `state`, and returns the record."""
        with machine.computing_in(self.comparison.precision):
            self.reset(seed, arguments)
            if state:
                self.restore(state)
            log = RunLog(state, keep and (lambda *done: keep(State(*done, self.arrays()))), keep_seconds, on_epoch)
            size, epochs = self.comparison.batch_size, self.comparison.epochs
            if log.epoch < epochs:
                self.model.fit(
                    Batches(self.data.train, size, epochs, seed, log.epoch, indices=bool(self.table)),
                    epochs=epochs,
                    initial_epoch=log.epoch,
                    steps_per_epoch=self.steps,
                    shuffle=False,
                    validation_data=self._examples("validation"),
                    validation_batch_size=EVALUATION_BATCH,
                    callbacks=[StepDown(self.comparison.drop_epoch, stop_noise=self.arm.modifier != "always"), log],
                    verbose=0,
                )
            options = {"batch_size": EVALUATION_BATCH, "verbose": 0}
            test = None if is_trial else self.model.evaluate(*self._examples("test"), **options)
            return self.record(log, test) | {"data_on_device": self.table is not None}

    def record(self, log: RunLog, test: tuple[float, float] | None) -> dict:
        """Returns the record of the run that was just trained. `test`: its loss and accuracy on the test split."""
        curves = {name: _floats(log.history[own]) for name, own in zip(CURVES, LOG_NAMES, strict=True)}
        test_loss, test_accuracy = _floats(test or (math.nan, math.nan))
        config, noisy_layers = self.optimizer.get_config(), []
        if isinstance(self.optimizer, Langevin):
            noisy_layers = list(self.optimizer.noisy_layers)
            config["layers"] = self.optimizer.layers  # as given; `noisy_layers` has their names
        # the values at the start of the run: it ends with a tenth of the learning rate and sigma 0
        config |= {name: self.arguments[name] for name in ("learning_rate", "sigma") if name in self.arguments}
        return {
            "status": "diverged" if log.diverged else "finished",
            "test_accuracy": test_accuracy,
            "test_loss": test_loss,
            **{name: values[-1] if values else None for name, values in curves.items()},
            "seconds": log.seconds,
            "images_per_second": log.images_per_second(self.steps * self.comparison.batch_size),
            "peak_memory_mb": machine.peak_memory_mb(),
            "accelerator_peak_memory_mb": machine.accelerator_peak_memory_mb(),
            "curves": curves,
            "arguments": self.arguments,
            "optimizer_config": config,
            "noisy_layers": noisy_layers,
            "provenance": machine.provenance() | {"data": self.data.source},
        }

    def weights(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.weights.h5"
            self.of_images.save_weights(path)
            return path.read_bytes()

    def arrays(self) -> list[np.ndarray]:
        return [np.asarray(ops.convert_to_numpy(variable)) for variable in self.all_variables]

    def restore(self, state: State):
        """Sets all variables to the state of a run, or raises `ValueError` if the state does not fit."""
        own = self.arrays()
        fits = [  # NumPy does not know bfloat16, which is read as raw bytes of its size
            array.shape == mine.shape and array.dtype in (mine.dtype, np.dtype(f"V{mine.itemsize}"))
            for array, mine in zip(state.arrays, own, strict=False)
        ]
        if len(state.arrays) != len(own) or not all(fits):
            raise ValueError(
                f"{state.source} must hold the state of this model and optimizer. Received one of other shapes or "
                "dtypes. Remove it to restart that run."
            )
        for variable, array, mine in zip(self.all_variables, state.arrays, own, strict=True):
            variable.assign(array.view(mine.dtype))

    def _examples(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns the inputs of the model, images or their indices, and the labels."""
        examples = getattr(self.data, split)
        return (self.table.indices(split), examples.y) if self.table else examples

    def reset(self, seed: int, arguments: dict | None = None):
        """Sets the variables to the start of a run with this seed, and sets the learning rate and sigma."""
        self.arguments = self.comparison.arguments(self.arm) if arguments is None else arguments
        if self.table:
            self.table.restore()
        # Draws depend on the precision, so all precisions start with the float32 weights of the seed, rounded.
        fresh = self._build(seed, "float32").variables
        for variable, value in zip(self.all_variables, [*fresh, *self.initial_state], strict=True):
            variable.assign(value)
        self.optimizer.learning_rate = self.arguments["learning_rate"]
        if isinstance(self.optimizer, Langevin):
            self.optimizer.sigma = self.arguments.get("sigma", 0.0)
            self.optimizer.seed = seed

    def _build(self, seed: int, precision: str) -> keras.Model:
        """Builds the initial model of this seed in that precision, with preprocessing before it."""
        comparison, data, dtype = self.comparison, self.data, machine.accurate(precision)
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
            with machine.computing_in(precision):
                images = first_images(data)
                if self.standardization is not None:
                    images = self.standardization(images)
                model = models.build(comparison.model, data.input_shape, data.num_classes, images=images)
                return preprocessed(model, layers)
        finally:
            random.setstate(state)


def _floats(values) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]
