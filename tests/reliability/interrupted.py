"""Kills a real fit at random moments and restarts it, with each recipe of `docs/interruptions.md`.

`python -m tests.reliability.interrupted FOLDER SEED WAY=KILLS ...` prints as JSON what each kill hit, and leaves the
last state of every training in `FOLDER`. The killed processes are forks of this one, made before a backend has started,
so that a start needs a trace but no seconds of imports.
"""

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import keras
import numpy as np

from tests.reliability.restarts import EPOCHS, WAYS, fit, state

# --- the process that is killed ---------------------------------------------------------------------------------------


class Tell(keras.callbacks.Callback):
    """Reports the progress of training through a pipe. One comes before the callback that writes, and one after it.

    Args:
        pipe: int, the pipe's descriptor.
        batch: str, the report after the first batch of an epoch (the very first traces the step), or `None`.
        epoch: str, the report after an epoch.
    """

    def __init__(self, pipe: int, batch: str | None, epoch: str):
        super().__init__()
        self.pipe, self.batch, self.epoch = pipe, batch, epoch

    def tell(self, what):
        os.write(self.pipe, f"{what} {self.number} {time.monotonic()}\n".encode())

    def on_epoch_begin(self, epoch, logs=None):
        self.number = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.batch and batch == 0:
            self.tell(self.batch)

    def on_epoch_end(self, epoch, logs=None):
        self.tell(self.epoch)


def train(way: str, folder: Path, pipe: int):
    model, epoch, keeper = WAYS[way](folder)
    tellers = Tell(pipe, "steps", "write"), Tell(pipe, None, "written")
    fit(model, [tellers[0], keeper, tellers[1]], initial_epoch=epoch)
    np.savez(folder / "final.npz", *state(model))


def start(way: str, folder: Path):
    """Forks a process that trains, and returns its number and a pipe from it."""
    folder.mkdir(parents=True, exist_ok=True)
    read, write = os.pipe()
    process = os.fork()
    if process:
        os.close(write)
        return process, os.fdopen(read, "r")
    status = 1
    try:
        train(way, folder, write)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


# --- the process that kills -------------------------------------------------------------------------------------------


class Killer:
    """Trains in a folder with one of the recipes, and kills the training.

    Args:
        way: one of `WAYS`.
        folder: the folder for its files.
    """

    def __init__(self, way: str, folder: Path):
        self.way, self.folder = way, folder
        self.epoch_seconds = 0.05  # until one is measured

    def kill_at(self, moment: float) -> str | None:
        """Starts the training and kills it `moment` epochs after its first start, or at once if it is already further.

        Returns:
            What it was doing, or `None` if it ended first.
        """
        process, pipe = start(self.way, self.folder)
        begun, last = [], None
        for line in pipe:
            last, epoch, seconds = line.split()
            begun += [float(seconds)] * (last == "steps")
            if len(begun) > 1:
                self.epoch_seconds = begun[-1] - begun[-2]
            if begun and int(epoch) >= int(moment):
                time.sleep(moment % 1 * self.epoch_seconds)
                break
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        for line in pipe:
            last = line.split()[0]
        _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"{self.way}: it failed"
        return last if os.WIFSIGNALED(status) else None

    def end(self):
        """Starts the training and waits for its end."""
        process, pipe = start(self.way, self.folder)
        pipe.read()
        assert os.waitpid(process, 0)[1] == 0, f"{self.way}: it failed"


def kill_often(way: str, folder: Path, number: int, generator) -> list[str]:
    """Kills trainings `number` times at uniformly random moments, and finally lets each end."""
    hits = []
    while len(hits) < number:
        killer = Killer(way, folder / f"{way}-{len(hits)}")
        moments = np.sort(generator.uniform(0, EPOCHS, number - len(hits)))
        for moment in moments:
            hit = killer.kill_at(moment)
            if hit is None:  # it ended earlier than estimated: the other kills hit a new training
                break
            hits.append(hit)
        killer.end()
    return hits


def main(folder, seed, *ways):
    # Keras imports TensorFlow to write `.keras` files, on every backend: here once, and not in each fork
    with contextlib.suppress(ImportError):
        import tensorflow  # noqa: F401
    folder, generator = Path(folder), np.random.default_rng(int(seed))
    Killer("none", folder / "none-0").end()
    pairs = [way.split("=") for way in ways]
    print(json.dumps({way: kill_often(way, folder, int(number), generator) for way, number in pairs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
