"""What is kept of a run while it is trained."""

import math
import time

import keras

from keras_langevin.experiments.checkpoint import State
from keras_langevin.experiments.store import LOG_NAMES


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
