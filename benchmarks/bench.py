"""Shared by the benchmarks of sigma: a net that is compiled once and trained many times."""

import argparse
import json
import math
import time
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_langevin import StepDown, datasets, find_sigma, models
from keras_langevin.files import replaced


class Bench:
    """A net and an optimizer on one dataset.

    Args:
        net: str, a name that `models.build` takes.
        optimizer: Langevin optimizer, not built.
        data: `datasets.Data`.
        batch_size, epochs: ints, of each training.
        steps_per_execution: int, as `compile` takes it. Defaults to `1`.
    """

    def __init__(
        self, net: str, optimizer, data: datasets.Data, batch_size: int, epochs: int, steps_per_execution: int = 1
    ):
        self.net, self.data, self.batch_size, self.epochs = net, data, batch_size, epochs
        self.initial: dict[int, list[np.ndarray]] = {}  # weights by seed
        self.model = self._built(0)
        self.model.compile(
            optimizer,
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            steps_per_execution=1 if keras.backend.backend() == "torch" else steps_per_execution,
        )
        optimizer.build(self.model.trainable_variables)
        self.default = float(optimizer.sigma)
        self.fresh = [np.array(ops.convert_to_numpy(each)) for each in optimizer.variables]

    def _built(self, seed: int):
        keras.utils.set_random_seed(seed)
        return models.build(self.net, self.data.input_shape, self.data.num_classes)

    def _reset(self, seed: int, learning_rate: float | None):
        optimizer = self.model.optimizer
        for variable, value in zip(optimizer.variables, self.fresh, strict=True):
            variable.assign(value)
        if seed not in self.initial:
            self.initial[seed] = [np.array(ops.convert_to_numpy(each)) for each in self._built(seed).weights]
        for variable, value in zip(self.model.weights, self.initial[seed], strict=True):
            variable.assign(value)
        optimizer.seed = seed + 1
        if learning_rate is not None:
            optimizer.learning_rate = learning_rate

    def suggestion(self, seed: int, learning_rate: float | None = None) -> dict:
        """Returns what `find_sigma` finds, and the seconds it takes."""
        self._reset(seed, learning_rate)
        begin = time.perf_counter()
        found = find_sigma(self.model, *self.data.train, batch_size=self.batch_size, epochs=self.epochs, verbose=0)
        return {
            "sigma": found.sigma,
            "reason": found.reason,
            "sigmas": found.sigmas.tolist(),
            "losses": [loss if math.isfinite(loss) else None for loss in found.losses],
            "loss_without_noise": found.loss_without_noise,
            "seconds": time.perf_counter() - begin,
        }

    def trained(self, seed: int, sigma: float, learning_rate: float | None = None, callbacks=()) -> dict:
        """Trains with `StepDown` from this seed's initial weights and returns accuracies in percent.

        Args:
            callbacks: list of callbacks, called after `StepDown`. Defaults to none.
        """
        self._reset(seed, learning_rate)
        self.model.optimizer.sigma = sigma
        begin = time.perf_counter()
        keras.utils.set_random_seed(seed)  # the order of the batches
        self.model.fit(
            *self.data.train,
            batch_size=self.batch_size,
            epochs=self.epochs,
            verbose=0,
            callbacks=[StepDown(), *callbacks],
        )
        seconds = time.perf_counter() - begin
        splits = {"validation": self.data.validation, "test": self.data.test}
        scores = {
            split: 100 * self.model.evaluate(*examples, batch_size=1000, verbose=0, return_dict=True)["accuracy"]
            for split, examples in splits.items()
        }
        return {"sigma": sigma, "seconds": seconds, **scores}


def stored(path: Path) -> dict | None:
    """Returns a record, or `None` if there is none yet."""
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def store(path: Path, record: dict):
    """Writes a record atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as file:
        file.write(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def parser(docstring: str) -> argparse.ArgumentParser:
    """Returns a parser with the first sentence of a script's docstring and the option `--data-dir`."""
    made = argparse.ArgumentParser(description=docstring.partition("\n")[0])
    made.add_argument("--data-dir", help="where tensorflow-datasets has MNIST")
    return made
