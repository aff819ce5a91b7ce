"""What the noise costs: a Langevin optimizer beside its parent, in one run, A B A B."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from keras_langevin import models
from keras_langevin.optimizers.adam import LAdam

ARMS = ("parent", "langevin")


@dataclass(frozen=True)
class Case:
    """A net to train, and which of its layers are noisy.

    Attributes:
        build: function without arguments, returns a `keras.Model`.
        input_shape: tuple of ints.
        batch_size: int.
        layers: the `layers` argument of L-Adam.
    """

    build: Callable[[], keras.Model]
    input_shape: tuple[int, ...]
    batch_size: int
    layers: float | None = None


def _wide() -> keras.Model:
    hidden = [keras.layers.Dense(1024, activation="relu", name=f"dense_{index}") for index in range(1, 5)]
    return keras.Sequential([keras.Input((1024,)), *hidden, keras.layers.Dense(10, name="logits")], name="wide")


def _dense() -> keras.Model:
    return models.dense(30, input_shape=(64,), num_classes=10)


def _resnet() -> keras.Model:
    return models.resnet(20, input_shape=(32, 32, 3), num_classes=10)


CASES = {
    "dense 30×64": Case(_dense, (64,), 512),
    "dense 30×64, 30% noisy": Case(_dense, (64,), 512, layers=0.3),
    "dense 30×64, none noisy": Case(_dense, (64,), 512, layers=0.0),
    "dense 4×1024": Case(_wide, (1024,), 512),
    "dense 4×1024, 30% noisy": Case(_wide, (1024,), 512, layers=0.3),
    "resnet-20": Case(_resnet, (32, 32, 3), 256),
}


def compiled_model(case: Case, arm: str) -> keras.Model:
    """The case's model, compiled with Adam or with L-Adam of the same ε."""
    model = case.build()
    parent = {"learning_rate": 1e-3, "epsilon": 1e-6}
    model.compile(
        optimizer=keras.optimizers.Adam(**parent)
        if arm == "parent"
        else LAdam(**parent, sigma=1e-3, layers=case.layers, seed=0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def batches(case: Case, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Made-up examples and labels for `steps` batches."""
    generator = np.random.default_rng(0)
    count = steps * case.batch_size
    return generator.normal(size=(count, *case.input_shape)).astype("float32"), generator.integers(10, size=count)


def step_times(case: Case, *, rounds: int, steps: int) -> dict[str, list[float]]:
    """Seconds a step of `fit`, for each arm and round; the arms take turns.

    Args:
        case: the case.
        rounds: int, how often each arm has its turn.
        steps: int, steps in a turn.
    """
    x, y = batches(case, steps)
    trained = {arm: compiled_model(case, arm) for arm in ARMS}

    def turn(model):
        start = time.perf_counter()
        model.fit(x, y, batch_size=case.batch_size, epochs=1, shuffle=False, verbose=0)
        return (time.perf_counter() - start) / steps

    for model in trained.values():
        turn(model)  # trace and compile
    times = {arm: [] for arm in ARMS}
    for _ in range(rounds):
        for arm, model in trained.items():
            times[arm].append(turn(model))
    return times


def first_step_times(name: str, *, rounds: int) -> dict[str, list[float]]:
    """Seconds from `compile` to the end of the first step, each in a fresh process; the arms take turns."""
    times = {arm: [] for arm in ARMS}
    for _ in range(rounds):
        for arm in ARMS:
            command = [sys.executable, "-m", __name__, name, arm]
            environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
            result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if result.returncode:
                raise RuntimeError(f"{' '.join(command)} ended with an error:\n{result.stderr[-2000:]}")
            times[arm].append(json.loads(result.stdout.splitlines()[-1]))
    return times


def first_step_time(name: str, arm: str) -> float:
    """As `first_step_times`, in this process."""
    case = CASES[name]
    model = compiled_model(case, arm)
    x, y = batches(case, 1)
    start = time.perf_counter()
    model.train_on_batch(x, y)
    return time.perf_counter() - start


def extra_bytes(case: Case) -> int:
    """Bytes of L-Adam's variables beyond Adam's."""
    sizes = {}
    for arm in ARMS:
        model = compiled_model(case, arm)
        model.optimizer.build(model.trainable_variables)
        sizes[arm] = sum(
            math.prod(variable.shape) * np.dtype(keras.backend.standardize_dtype(variable.dtype)).itemsize
            for variable in model.optimizer.variables
        )
    return sizes["langevin"] - sizes["parent"]


def summary(times: dict[str, list[float]]) -> dict[str, float]:
    """Medians in milliseconds, and the median and quartiles of the ratio pair by pair."""
    parent, langevin = (np.array(times[arm]) for arm in ARMS)
    low, middle, high = np.quantile(langevin / parent, [0.25, 0.5, 0.75])
    return {
        "parent_ms": float(1e3 * np.median(parent)),
        "langevin_ms": float(1e3 * np.median(langevin)),
        "ratio": float(middle),
        "ratio_low": float(low),
        "ratio_high": float(high),
        "rounds": len(parent),
    }


if __name__ == "__main__":
    print(json.dumps(first_step_time(*sys.argv[1:])))
