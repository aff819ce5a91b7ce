"""What the noise costs: a Langevin optimizer beside its parent, in one run, A B A B.

A case trains a net with `fit`, or makes an optimizer's update alone. The targets are ratios to the parent.
"""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

from keras_langevin import models
from keras_langevin.experiments.update_cost import ARMS, UpdateCase, make_optimizer


@dataclass(frozen=True)
class FitCase:
    """A net to train, and which of its layers are noisy.

    Attributes:
        build: function without arguments, returns a `keras.Model`.
        input_shape: tuple of ints.
        batch_size: int.
        langevin: further arguments of L-Adam. Defaults to none.
        most_steps: int, the most steps in a turn, for a net with slow ones. Defaults to 1000.
        jit_compile: the `jit_compile` argument of `compile`. Defaults to `"auto"`.
        only_on: the one backend on which it is measured. Defaults to `None`: all.
        first_step: bool, whether the time to the end of the first step is measured too. Defaults to `False`.
    """

    build: Callable[[], keras.Model]
    input_shape: tuple[int, ...]
    batch_size: int
    langevin: dict = field(default_factory=dict)
    most_steps: int = 1000
    jit_compile: bool | str = "auto"
    only_on: str | None = None
    first_step: bool = False

    def prepare(self, arm: str, steps: int) -> tuple[Callable[[], float], keras.optimizers.Optimizer]:
        """The net of one arm: a function that trains it and returns the seconds a step, and its optimizer."""
        steps = min(steps, self.most_steps)
        x, y = self.batches(steps)
        model = self.compiled_model(arm)

        def turn() -> float:
            start = time.perf_counter()
            model.fit(x, y, batch_size=self.batch_size, epochs=1, shuffle=False, verbose=0)
            return (time.perf_counter() - start) / steps

        return turn, model.optimizer

    def compiled_model(self, arm: str) -> keras.Model:
        """The net, compiled with Adam or with L-Adam of the same ε."""
        model = self.build()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=make_optimizer(arm, **self.langevin), loss=loss, jit_compile=self.jit_compile)
        return model

    def batches(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Made-up examples and labels for `steps` batches."""
        generator = np.random.default_rng(0)
        count = steps * self.batch_size
        return generator.normal(size=(count, *self.input_shape)).astype("float32"), generator.integers(10, size=count)


def _wide() -> keras.Model:
    hidden = [keras.layers.Dense(1024, activation="relu", name=f"dense_{index}") for index in range(1, 5)]
    return keras.Sequential([keras.Input((1024,)), *hidden, keras.layers.Dense(10, name="logits")], name="wide")


def _dense() -> keras.Model:
    return models.dense(30, input_shape=(64,), num_classes=10)


def _resnet() -> keras.Model:
    return models.resnet(20, input_shape=(32, 32, 3), num_classes=10)


CASES = {
    "dense 30×64": FitCase(_dense, (64,), 512, first_step=True),
    "dense 30×64, 30% noisy": FitCase(_dense, (64,), 512, langevin={"layers": 0.3}),
    "dense 30×64, none noisy": FitCase(_dense, (64,), 512, langevin={"layers": 0.0}),
    "dense 4×1024": FitCase(_wide, (1024,), 512, most_steps=10, first_step=True),
    "dense 4×1024, 30% noisy": FitCase(_wide, (1024,), 512, most_steps=10, langevin={"layers": 0.3}),
    "dense 4×1024, rademacher": FitCase(_wide, (1024,), 512, most_steps=10, langevin={"noise": "rademacher"}),
    "dense 4×1024, jit_compile": FitCase(_wide, (1024,), 512, most_steps=10, jit_compile=True, only_on="torch"),
    "resnet-20": FitCase(_resnet, (32, 32, 3), 256, most_steps=2),
    "resnet-20, 30% noisy": FitCase(_resnet, (32, 32, 3), 256, langevin={"layers": 0.3}, most_steps=2),
    "update alone, 4 M": UpdateCase(((2000, 2000),)),
    # On JAX `fit` gives the old state's memory to the new one; a loop of one's own may not.
    "update alone, 4 M, no donation": UpdateCase(((2000, 2000),), donate=False, only_on="jax"),
}
BACKENDS = ("jax", "tensorflow", "torch")
# The most that the ratio may be, on each of `BACKENDS`; `None`: no target.
TARGETS = {
    "dense 30×64": (1.03, 1.10, 1.25),
    "dense 30×64, 30% noisy": (1.05, 1.05, 1.10),
    "dense 30×64, none noisy": (1.01, 1.01, 1.05),
    "dense 4×1024": (1.12, 1.20, 1.20),
    "dense 4×1024, 30% noisy": (1.05, 1.05, 1.10),
    "dense 4×1024, rademacher": (1.12, 1.20, 1.20),
    "dense 4×1024, jit_compile": (None, None, 1.20),
    "resnet-20": (1.02, 1.02, 1.02),
    "resnet-20, 30% noisy": (1.05, 1.05, 1.10),
    "update alone, 4 M": (1.4, 2.5, None),
    "update alone, 4 M, no donation": (1.4, None, None),
}
FIRST_STEP_TARGETS = {"dense 30×64": (1.5, 1.3, 1.2)}


def names() -> list[str]:
    """The cases that are measured on the backend in use."""
    return [name for name, case in CASES.items() if case.only_on in (None, keras.backend.backend())]


def target(targets: dict, name: str) -> float | None:
    """The case's target on the backend in use."""
    return dict(zip(BACKENDS, targets.get(name, (None,) * len(BACKENDS)), strict=True))[keras.backend.backend()]


def measure(name: str, *, rounds: int, steps: int, starts: int) -> dict:
    """Times a step, for each arm and round, the arms taking turns, and the bytes of L-Adam's variables beyond Adam's.

    Args:
        name: a name of `CASES`.
        rounds: int, how often each arm has its turn.
        steps: int, steps in a turn.
        starts: int, how often each arm makes its first step, each in a fresh process; 0: not at all.

    Returns:
        dict of `step`, see `summary`, its `target`, `extra_bytes`, and where the case has it and `starts` is not 0
        `first_step`, with a target of its own.
    """
    case = CASES[name]
    turns, sizes = {}, {}
    for arm in ARMS:
        turns[arm], optimizer = case.prepare(arm, steps)
        turns[arm]()  # trace and compile
        sizes[arm] = sum(
            math.prod(variable.shape) * np.dtype(keras.backend.standardize_dtype(variable.dtype)).itemsize
            for variable in optimizer.variables
        )
    times = {arm: [] for arm in ARMS}
    for _ in range(rounds):
        for arm, turn in turns.items():
            times[arm].append(turn())
    result = {"step": summary(times), "target": target(TARGETS, name)}
    result["extra_bytes"] = sizes["langevin"] - sizes["parent"]
    if starts and getattr(case, "first_step", False):
        result["first_step"] = summary(first_step_times(name, rounds=starts))
        result["first_step"]["target"] = target(FIRST_STEP_TARGETS, name)
    return result


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
    model = case.compiled_model(arm)
    x, y = case.batches(1)
    start = time.perf_counter()
    model.train_on_batch(x, y)
    return time.perf_counter() - start


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
