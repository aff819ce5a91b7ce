"""What one update of an optimizer costs by itself, without a model."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers.adam import LAdam
from keras_langevin.optimizers.conversion import without_noise

ARMS = ("parent", "langevin")


def make_optimizer(arm: str, **langevin_arguments) -> keras.optimizers.Optimizer:
    """L-Adam (`"langevin"`), or the same without noise (`"parent"`)."""
    optimizer = LAdam(1e-3, sigma=1e-3, seed=0, **langevin_arguments)
    return without_noise(optimizer) if arm == "parent" else optimizer


@dataclass(frozen=True)
class UpdateCase:
    """Variables of the given shapes, each the kernel of a layer of its own.

    Attributes:
        shapes: tuple of shapes.
        donate: bool, whether on JAX the old state's memory is given to the new one. Defaults to `True`.
        only_on: the one backend on which it is measured. Defaults to `None`: all.
    """

    shapes: tuple[tuple[int, ...], ...]
    donate: bool = True
    only_on: str | None = None

    def prepare(self, arm: str, steps: int) -> tuple[Callable[[], float], keras.optimizers.Optimizer]:
        """One arm: a function that makes `steps` updates and returns the seconds an update, and its optimizer."""
        optimizer = make_optimizer(arm)
        update = make_update(optimizer, self.shapes, donate=self.donate)

        def turn() -> float:
            start = time.perf_counter()
            for _ in range(steps):
                update()
            return (time.perf_counter() - start) / steps

        return turn, optimizer


def make_update(optimizer: keras.optimizers.Optimizer, shapes, *, donate: bool = True) -> Callable[[], None]:
    """A function that makes one update, compiled where the backend compiles, and returns when it is done.

    Args:
        optimizer: not yet built.
        shapes: shapes of the variables; values and gradients are made up.
        donate: see `UpdateCase`.
    """
    generator = np.random.default_rng(0)
    variables, gradients = [], []
    for index, shape in enumerate(shapes):
        with keras.name_scope(f"layer_{index}"):
            variables.append(keras.Variable(generator.normal(size=shape).astype("float32"), name="kernel"))
        gradients.append(ops.convert_to_tensor(generator.normal(size=shape).astype("float32")))
    optimizer.build(variables)
    return _MAKERS[keras.backend.backend()](optimizer, variables, gradients, donate)


def _on_jax(optimizer, variables, gradients, donate):
    import jax

    def apply(values, state, gradients):
        return optimizer.stateless_apply(state, gradients, values)

    step = jax.jit(apply, donate_argnums=(0, 1) if donate else ())
    # the values move into `state` alone: what is donated may not be read again
    state = [[variable.value for variable in variables], [variable.value for variable in optimizer.variables]]

    def update():
        state[:] = step(*state, gradients)
        jax.block_until_ready(state)

    return update


def _on_tensorflow(optimizer, variables, gradients, donate):
    import tensorflow as tf

    step = tf.function(lambda gradients: optimizer.apply(gradients, variables), jit_compile=True)

    def update():
        step(gradients)
        optimizer.iterations.numpy()  # which waits

    return update


def _on_torch(optimizer, variables, gradients, donate):
    import torch

    def update():
        optimizer.apply(gradients, variables)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return update


_MAKERS = {"jax": _on_jax, "tensorflow": _on_tensorflow, "torch": _on_torch}


def in_turns(runs: dict[Hashable, Callable[[], None]], *, rounds: int, seconds: float = 0.05) -> dict:
    """Seconds a call of each function, in each round; they take turns, so that a busy machine slows all alike.

    Args:
        runs: the functions by name; each is called twice before the clock runs.
        rounds: int, how often each has its turn.
        seconds: float, a turn repeats its function so often that it lasts about this long. Defaults to `0.05`.

    Returns:
        dict of lists of floats, of length `rounds`.
    """
    repeats = {}
    for name, run in runs.items():
        run()
        start = time.perf_counter()
        run()
        repeats[name] = max(1, round(seconds / (time.perf_counter() - start)))
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                run()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return times
