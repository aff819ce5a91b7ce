"""Trains the runs of a comparison."""

import math
import random
import time
import traceback
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_langevin import datasets, models, optimizers
from keras_langevin.datasets.preprocessing import RandomCropFlip, preprocessed, standardization
from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.provenance import provenance
from keras_langevin.experiments.store import CURVES, Store
from keras_langevin.optimizers.describe import describe
from keras_langevin.optimizers.langevin import Langevin

_EVALUATION_BATCH = 500
_LOG_NAMES = ("loss", "accuracy", "val_loss", "val_accuracy")


def prepare(
    comparison: Comparison, *, data_dir: str | Path | None = None, data_file: str | Path | None = None
) -> datasets.Data:
    """Loads the data and tries everything that the comparison names, before anything is trained.

    Args:
        comparison: the configuration.
        data_dir, data_file: as in `datasets.load`. Default to `None`.

    Returns:
        The data, with uint8 pixels. Where they have a note, the comparison must have it, too, before it is run:
        `dataclasses.replace(comparison, dataset_note=data.note)`.

    Raises:
        ValueError: an unknown name, layers that the model does not have, examples of a shape that it does not take,
            too large a batch, no data.
    """
    for arm in comparison.arms:
        optimizers.get(arm.optimizer, **comparison.arguments(arm))
    models.build(comparison.model, input_shape=(32, 32, 3), num_classes=10)  # a wrong name, before data is downloaded
    data = datasets.load(
        comparison.dataset,
        validation_fraction=comparison.validation_fraction,
        data_dir=data_dir,
        data_file=data_file,
        limit=comparison.limit,
        dtype="uint8",  # a quarter of the memory, and of what is sent to the accelerator
    )
    if comparison.batch_size > len(data.train.x):
        raise ValueError(
            f"`batch_size` must be at most {len(data.train.x)}, the number of training examples. "
            f"Received: batch_size={comparison.batch_size}"
        )
    model = models.build(comparison.model, data.input_shape, data.num_classes)
    for arm in comparison.arms:
        describe(model, optimizers.get(arm.optimizer, **comparison.arguments(arm)))
    return data


def run(
    comparison: Comparison,
    data: datasets.Data,
    store: Store,
    *,
    on_start: Callable[[Arm, int], None] = lambda arm, seed: None,
    on_epoch: Callable[[Arm, int, int, dict], None] = lambda arm, seed, epoch, logs: None,
    on_end: Callable[[Arm, dict], None] = lambda arm, record: None,
):
    """Trains every run that `store` does not hold yet, and writes each record as its run ends.

    An exception in a run is recorded and does not end the others. The compiled step of an optimizer is reused over
    the seeds.

    Args:
        comparison: the configuration.
        data: what `prepare` returned.
        store: where the records are and go.
        on_start: called with the arm and the seed as a run begins.
        on_epoch: called with the arm, the seed, the number of epochs done and Keras's logs.
        on_end: called with the arm and the record as a run ends.

    Raises:
        ValueError: the data have a note that the comparison does not have.
    """
    if data.note != comparison.dataset_note:
        raise ValueError(
            f"A comparison must say how its data differ from the official release: dataset_note={data.note!r}. "
            f"Received: {comparison.dataset_note!r}. Use dataclasses.replace(comparison, dataset_note=data.note)."
        )
    for arm in comparison.arms:
        trainer = None
        for seed in range(comparison.seeds):
            if store.finished(arm, seed):
                continue
            on_start(arm, seed)
            try:
                trainer = trainer or Trainer(comparison, data, arm)
                record = trainer.train(seed, partial(on_epoch, arm, seed))
            except Exception as error:
                trainer = None  # its state is unknown
                record = _head(arm, seed, data) | {
                    "status": "failed",
                    "error": f"{type(error).__name__}: {error}".splitlines()[0],
                    "traceback": traceback.format_exc(),
                }
            store.write(arm, seed, record)
            on_end(arm, record)


class Trainer:
    """One optimizer's model, compiled once and trained once a seed.

    Args:
        comparison: the configuration.
        data: the dataset.
        arm: the optimizer.
    """

    def __init__(self, comparison: Comparison, data: datasets.Data, arm: Arm):
        self.comparison, self.data, self.arm = comparison, data, arm
        self.arguments = comparison.arguments(arm)
        self.standardization = standardization(data.train.x, data.max_pixel) if comparison.standardize else None
        self.model = self._build(seed=0)
        # weights, and the states of random layers; before `compile` adds its own
        self.variables = list(self.model.variables)
        self.optimizer = optimizers.get(arm.optimizer, **self.arguments)
        on_torch = keras.backend.backend() == "torch"
        self.model.compile(
            optimizer=self.optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=_jit_compile(self.model),
            # PyTorch: Keras takes one step an execution
            steps_per_execution=1 if on_torch else len(data.train.x) // comparison.batch_size,
        )
        self.optimizer.build(self.model.trainable_variables)
        self.initial_state = [ops.convert_to_numpy(variable) for variable in self.optimizer.variables]

    def train(self, seed: int, on_epoch: Callable[[int, dict], None] = lambda epoch, logs: None) -> dict:
        """Trains from this seed's initial weights, on this seed's batches, and returns the record of the run.

        Args:
            seed: int, determines initial weights, batches, augmentation and noise.
            on_epoch: called with the number of epochs done and Keras's logs.
        """
        comparison, data = self.comparison, self.data
        self._reset(seed)
        started = time.perf_counter()
        recipe = Recipe(comparison.drop_epoch, on_epoch)
        batches = Batches(data.train, comparison.batch_size, comparison.epochs, seed)
        history = self.model.fit(
            batches,
            epochs=comparison.epochs,
            steps_per_epoch=batches.steps_per_epoch,
            shuffle=False,
            validation_data=data.validation,
            validation_batch_size=_EVALUATION_BATCH,
            callbacks=[recipe],
            verbose=0,
        ).history
        seconds = time.perf_counter() - started
        # the epoch in which a run diverges has no numbers that JSON could hold
        epochs = len(history["loss"]) - recipe.diverged
        curves = {name: _floats(history[log][:epochs]) for name, log in zip(CURVES, _LOG_NAMES, strict=True)}
        test_loss, test_accuracy = self.model.evaluate(*data.test, batch_size=_EVALUATION_BATCH, verbose=0)
        return _head(self.arm, seed, data) | {
            "status": "diverged" if recipe.diverged else "finished",
            "test_accuracy": float(test_accuracy),
            "test_loss": float(test_loss) if math.isfinite(test_loss) else None,
            **{name: values[-1] if values else None for name, values in curves.items()},
            "seconds": seconds,
            "curves": curves,
            "arguments": self.arguments,
            "noisy_layers": list(self.optimizer.noisy_layers) if isinstance(self.optimizer, Langevin) else [],
            "provenance": provenance() | {"data": data.source},
        }

    def _reset(self, seed: int):
        fresh = self._build(seed)
        for variable, other in zip(self.variables, fresh.variables, strict=True):
            variable.assign(other)
        for variable, value in zip(self.optimizer.variables, self.initial_state, strict=True):
            variable.assign(value)
        if isinstance(self.optimizer, Langevin):
            self.optimizer.seed = seed

    def _build(self, seed: int) -> keras.Model:
        """The model as this seed begins it, with preprocessing in front."""
        comparison, data = self.comparison, self.data
        layers = [keras.layers.Rescaling(1 / data.max_pixel)]
        if comparison.padding is not None:
            layers.append(RandomCropFlip(comparison.padding, seed=seed))
        if self.standardization is not None:
            layers.append(self.standardization)
        # Keras's initializers and layers draw their seeds from Python's generator. (`keras.utils.set_random_seed` would
        # also set NumPy's and import TensorFlow on every backend.)
        state = random.getstate()
        random.seed(seed)
        try:
            model = models.build(comparison.model, data.input_shape, data.num_classes)
        finally:
            random.setstate(state)
        return preprocessed(model, layers)


class Batches(keras.utils.PyDataset):
    """All batches of a run, one epoch after another: a pure function of the seed, the epoch and the step.

    There is no state here, because Keras calls `on_epoch_end` also where it resets an iterator. To be used with
    `fit(..., steps_per_epoch=batches.steps_per_epoch, shuffle=False)`: Keras would shuffle the batches once more.

    Args:
        split: examples and labels.
        batch_size: int; what is left over after an epoch's last whole batch comes in another epoch.
        epochs: int.
        seed: int.
    """

    def __init__(self, split: datasets.Split, batch_size: int, epochs: int, seed: int):
        super().__init__()
        self.split, self.batch_size, self.epochs = split, batch_size, epochs
        self.steps_per_epoch = len(split.x) // batch_size
        self.order = lru_cache(maxsize=2)(lambda epoch: np.random.default_rng((seed, epoch)).permutation(len(split.x)))

    def __len__(self) -> int:
        return self.epochs * self.steps_per_epoch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, step = divmod(index, self.steps_per_epoch)
        chosen = self.order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        return self.split.x[chosen], self.split.y[chosen]


class Recipe(keras.callbacks.Callback):
    """The learning rate to a tenth and sigma to zero at `drop_epoch`; the end where the loss is not finite."""

    def __init__(self, drop_epoch: int, on_epoch: Callable[[int, dict], None]):
        super().__init__()
        self.drop_epoch, self.on_epoch = drop_epoch, on_epoch
        self.diverged = False

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.drop_epoch:
            optimizer = self.model.optimizer
            optimizer.learning_rate = float(ops.convert_to_numpy(optimizer.learning_rate)) / 10
            if isinstance(optimizer, Langevin):
                optimizer.sigma = 0.0

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            self.diverged = self.model.stop_training = True
        self.on_epoch(epoch + 1, logs)


def _jit_compile(model: keras.Model) -> bool | str:
    if keras.backend.backend() == "torch":
        return False  # torch.compile wants a C++ compiler on the user's machine
    # On a processor TensorFlow's own convolutions are quicker than XLA's; Keras's choice is to use them there.
    has_convolutions = any(len(variable.shape) == 4 for variable in model.trainable_variables)
    return "auto" if has_convolutions else True


def _head(arm: Arm, seed: int, data: datasets.Data) -> dict:
    return {"optimizer": arm.spec, "label": arm.label, "seed": seed, "num_classes": data.num_classes}


def _floats(values) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]
