"""Measures what the noise costs: L-Adam and Adam of the same ε in turn, in training a net and in updates alone."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial

import keras
import numpy as np
from keras import ops

from keras_langevin import models
from keras_langevin.optimizers.adam import LAdam
from keras_langevin.optimizers.conversion import without_noise

ARMS = ("parent", "langevin")
BACKENDS = ("jax", "tensorflow", "torch")


def make_optimizer(arm: str, **langevin_arguments) -> keras.optimizers.Optimizer:
    """Returns L-Adam (`"langevin"`), or the same optimizer without noise (`"parent"`)."""
    optimizer = LAdam(1e-3, sigma=1e-3, seed=0, **langevin_arguments)
    return without_noise(optimizer) if arm == "parent" else optimizer


@dataclass(frozen=True)
class Case:
    """Something to measure. The targets are the largest ratios of the times allowed, on each of `BACKENDS`."""

    _: KW_ONLY
    targets: tuple = (None, None, None)
    first_step_targets: tuple | None = None  # None: the first step is not measured
    only_on: str | None = None  # the only backend on which it is measured


@dataclass(frozen=True)
class FitCase(Case):
    """A net to train."""

    build: Callable[[], keras.Model]
    input_shape: tuple[int, ...]
    batch_size: int
    langevin: dict = field(default_factory=dict)  # further arguments of L-Adam
    most_steps: int = 1000  # in a turn, fewer for slow nets
    jit_compile: bool | str = "auto"
    vocabulary: int | None = None  # the number of tokens, if the net reads tokens

    def prepare(self, arm: str, steps: int) -> tuple[Callable, int, keras.optimizers.Optimizer]:
        """Returns a function that takes the steps, their number, and the optimizer."""
        steps = min(steps, self.most_steps)
        model = self.compiled_model(arm)
        x, y = self.batches(steps)
        options = {"batch_size": self.batch_size, "epochs": 1, "shuffle": False, "verbose": 0}
        return partial(model.fit, x, y, **options), steps, model.optimizer

    def compiled_model(self, arm: str) -> keras.Model:
        model = self.build()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=make_optimizer(arm, **self.langevin), loss=loss, jit_compile=self.jit_compile)
        return model

    def batches(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns random examples and labels for `steps` batches."""
        generator = np.random.default_rng(0)
        shape = steps * self.batch_size, *self.input_shape
        x = generator.integers(self.vocabulary, size=shape) if self.vocabulary else generator.normal(size=shape)
        return x.astype("int32" if self.vocabulary else "float32"), generator.integers(10, size=len(x))


@dataclass(frozen=True)
class UpdateCase(Case):
    """Updates of variables of these shapes, each the kernel of its own layer."""

    shapes: tuple[tuple[int, ...], ...]
    donate: bool = True  # whether on JAX the new state reuses the memory of the old one

    def prepare(self, arm: str, steps: int) -> tuple[Callable, int, keras.optimizers.Optimizer]:
        optimizer = make_optimizer(arm)
        update = make_update(optimizer, self.shapes, donate=self.donate)
        return lambda: [update() for _ in range(steps)], steps, optimizer


def make_update(optimizer: keras.optimizers.Optimizer, shapes: Sequence, *, donate: bool = True) -> Callable[[], None]:
    """Returns a function that updates random variables once, compiled on JAX and TensorFlow, and waits for the end."""
    generator, backend = np.random.default_rng(0), keras.backend.backend()
    variables, gradients = [], []
    for index, shape in enumerate(shapes):
        with keras.name_scope(f"layer_{index}"):
            variables.append(keras.Variable(generator.normal(size=shape).astype("float32"), name="kernel"))
        gradients.append(ops.convert_to_tensor(generator.normal(size=shape).astype("float32")))
    optimizer.build(variables)
    if backend == "jax":
        import jax

        def stateless(values, state, gradients):
            return optimizer.stateless_apply(state, gradients, values)

        step = jax.jit(stateless, donate_argnums=(0, 1) if donate else ())
        # only `state` holds the values: donated memory must not be read again
        state = [[variable.value for variable in variables], [variable.value for variable in optimizer.variables]]

        def update():
            state[:] = step(*state, gradients)
            jax.block_until_ready(state)

        return update

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if backend == "tensorflow":
        import tensorflow as tf

        apply = tf.function(apply, jit_compile=True)

    def update():
        apply(gradients)
        ops.convert_to_numpy(optimizer.iterations)  # waits for the update

    return update


def _transformer(blocks: int = 4, width: int = 256, heads: int = 4) -> keras.Model:
    """Builds a small encoder that classifies: 3.7 million parameters, 0.5 million of them in the embedding."""
    layers = keras.layers
    tokens = keras.Input(_TOKENS, dtype="int32")
    x = layers.Embedding(_VOCABULARY, width)(tokens)
    for _ in range(blocks):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(heads, width // heads)(y, y)
        y = layers.LayerNormalization()(x)
        x = x + layers.Dense(width)(layers.Dense(4 * width, activation="gelu")(y))
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(tokens, layers.Dense(10)(x))


_TOKENS, _VOCABULARY = (64,), 2000
_dense = partial(FitCase, partial(models.dense, 30, (64,), 10), (64,), 512)
_wide = partial(FitCase, partial(models.dense, 4, (1024,), 10, width=1024), (1024,), 512, most_steps=10)
_resnet = partial(FitCase, partial(models.resnet, 20, (32, 32, 3), 10), (32, 32, 3), 256, most_steps=2)
_update = partial(UpdateCase, ((2000, 2000),))
CASES = {
    "dense 30×64": _dense(targets=(1.03, 1.10, 1.25), first_step_targets=(1.5, 1.3, 1.2)),
    "dense 30×64, 30% noisy": _dense({"layers": 0.3}, targets=(1.05, 1.05, 1.10)),
    "dense 30×64, none noisy": _dense({"layers": 0.0}, targets=(1.01, 1.01, 1.05)),
    "dense 4×1024": _wide(targets=(1.12, 1.20, 1.20), first_step_targets=(None, 1.3, None)),
    "dense 4×1024, 30% noisy": _wide({"layers": 0.3}, targets=(1.05, 1.05, 1.10)),
    "dense 4×1024, rademacher": _wide({"noise": "rademacher"}, targets=(1.12, 1.20, 1.20)),
    "dense 4×1024, jit_compile": _wide(jit_compile=True, only_on="torch", targets=(None, None, 1.20)),
    "resnet-20": _resnet(targets=(1.02, 1.02, 1.02)),
    "resnet-20, 30% noisy": _resnet({"layers": 0.3}, targets=(1.05, 1.05, 1.10)),
    "transformer 4×256": FitCase(
        _transformer,
        _TOKENS,
        32,
        vocabulary=_VOCABULARY,
        most_steps=4,
        targets=(1.05, 1.10, 1.25),
        first_step_targets=(1.5, 1.3, 1.2),
    ),
    "update alone, 4 M": _update(targets=(1.4, 2.5, None)),
    # On JAX, `fit` lets the new state reuse the memory of the old one; a custom loop may not.
    "update alone, 4 M, no donation": _update(donate=False, only_on="jax", targets=(1.4, None, None)),
}


def names() -> list[str]:
    return [name for name, case in CASES.items() if case.only_on in (None, keras.backend.backend())]


def measure(name: str, *, rounds: int, steps: int, starts: int) -> dict:
    """Measures a step, L-Adam's `extra_bytes` of state, and the first step, from `compile` to its end."""
    case, turns, sizes = CASES[name], [], []
    for arm in ARMS:
        run, count, optimizer = case.prepare(arm, steps)
        run()  # trace and compile
        turns.append(partial(_timed, run, count))
        sizes.append(sum(math.prod(each.shape) * np.dtype(str(each.dtype)).itemsize for each in optimizer.variables))
    own = BACKENDS.index(keras.backend.backend())
    result = {"step": compared(turns, rounds), "target": case.targets[own], "extra_bytes": sizes[1] - sizes[0]}
    if starts and case.first_step_targets:
        first = compared([partial(_first_step_elsewhere, name, arm) for arm in ARMS], starts)
        result["first_step"] = first | {"target": case.first_step_targets[own]}
    return result


def _timed(run: Callable, count: int = 1) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / count


def compared(turns: Sequence[Callable[[], float]], rounds: int) -> dict[str, float]:
    """Times Adam and L-Adam in turn. Returns medians in ms, and median and quartiles of the ratio, pair by pair."""
    parent, langevin = times = np.array([[turn() for turn in turns] for _ in range(rounds)]).T
    medians = dict(zip((f"{arm}_ms" for arm in ARMS), (1e3 * np.median(times, axis=1)).tolist(), strict=True))
    quartiles = np.quantile(langevin / parent, [0.5, 0.25, 0.75]).tolist()
    return {**medians, **dict(zip(("ratio", "ratio_low", "ratio_high"), quartiles, strict=True)), "rounds": rounds}


def _first_step_elsewhere(name: str, arm: str) -> float:
    command = [sys.executable, "-m", __name__, name, arm]
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with an error:\n{result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def first_step_time(name: str, arm: str) -> float:
    """Returns the seconds of the first step after `compile`, with tracing and compilation, in this process."""
    model, batch = CASES[name].compiled_model(arm), CASES[name].batches(1)
    return _timed(partial(model.train_on_batch, *batch))


if __name__ == "__main__":
    print(json.dumps(first_step_time(*sys.argv[1:])))
