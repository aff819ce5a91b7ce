"""How a process's memory grows during training, and how often its step is traced.

`python -m tests.reliability.growth OPTIMIZER` prints JSON: the process's memory in bytes during a fit of 2,000 steps
and after each of 50 fits, and the number of calls of the loss after the first step and at the end.
"""

import json
import os
import sys
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_langevin import LAdam, LayerScheduler, SigmaScheduler

STEPS, FITS = 2000, 50
BATCH = 16


def resident() -> int:
    """Returns this process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Watch(keras.callbacks.Callback):
    """Keeps the memory after every hundredth step, and the number of traces after the first step."""

    def __init__(self, count):
        super().__init__()
        self.count, self.memory, self.first = count, [], None

    def on_train_batch_end(self, batch, logs=None):
        if self.first is None:
            self.first = self.count()
        if batch % 100 == 99:
            self.memory.append(resident())


def schedules() -> list[keras.callbacks.Callback]:
    """Returns callbacks whose changes between epochs need no new trace."""
    return [SigmaScheduler(lambda epoch, sigma: 0.9 * sigma), LayerScheduler({0: None, 1: 0.5})]


OPTIMIZERS = {
    "parent": lambda: (keras.optimizers.Adam(1e-3, epsilon=1e-6), list),
    "langevin": lambda: (LAdam(1e-3, sigma=1e-3, seed=1), schedules),
}


def main(name):
    calls = 0

    def loss(y, predicted):
        nonlocal calls
        calls += 1
        return ops.mean(ops.square(y - predicted))

    optimizer, more = OPTIMIZERS[name]()
    generator = np.random.default_rng(0)
    x, y = (generator.normal(size=(STEPS * BATCH, size)).astype("float32") for size in (16, 4))
    layers = [keras.layers.Dense(64, activation="relu") for _ in range(4)]
    model = keras.Sequential([keras.Input((16,)), *layers, keras.layers.Dense(4)])
    model.compile(optimizer=optimizer, loss=loss, jit_compile=keras.backend.backend() == "jax")

    watch = Watch(lambda: calls)
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[watch, *more()])
    fits = []
    for _ in range(FITS):
        model.fit(x[: 20 * BATCH], y[: 20 * BATCH], batch_size=BATCH, epochs=2, verbose=0, callbacks=more())
        fits.append(resident())
    print(json.dumps({"steps": watch.memory, "fits": fits, "first": watch.first, "calls": calls}))


if __name__ == "__main__":
    main(*sys.argv[1:])
