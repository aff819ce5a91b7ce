"""`LangevinMonitor`."""

import warnings
from typing import Any

import keras
import numpy as np

from keras_langevin.callbacks.base import LangevinCallback, check_built
from keras_langevin.callbacks.measurement import NAMES, Change, Reader, Row, Snapshot, rows
from keras_langevin.callbacks.monitor_files import Board, Table, writer_class
from keras_langevin.reading import number as number_of
from keras_langevin.values import check_int, is_level


@keras.saving.register_keras_serializable(package="keras_langevin")
class LangevinMonitor(LangevinCallback):
    """Measures the noise and the drift of an epoch's last step, layer by layer.

        θ_t − θ_{t−1} = drift + noise,   noise = σ_t · √γ_t · √P_t ⊙ Z_t

    docs/api/callbacks.md lists what it measures. `logs` have the values of the whole model. `history`, the CSV file and
    TensorBoard also have those of each layer.

    Args:
        frequency: int >= 1, the number of epochs from one measurement to the next. Defaults to `1`.
        csv: path of a CSV file. A fit from epoch 0 overwrites it, a resumed one adds to it. Defaults to `None`.
        tensorboard: path of a folder for TensorBoard. Defaults to `None`.
        warn_ratio: float > 0; warns once when the model's `noise_to_drift` exceeds it. `None`: never. Defaults to
            `300.0`.
        layer_logs: bool, whether `logs` have `"NAME/LAYER PATH"` for each layer. Defaults to `False`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LAdam, LangevinMonitor
    >>> layers = [keras.layers.Dense(4, name="first"), keras.layers.Dense(1, name="last")]
    >>> model = keras.Sequential([keras.Input((2,)), *layers], name="net")
    >>> model.compile(optimizer=LAdam(1e-3, sigma=1e-3, layers=1), loss="mse")
    >>> monitor = LangevinMonitor()
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), epochs=2, callbacks=[monitor], verbose=0)
    >>> [(row.epoch, row.layer, round(row.sigma, 4)) for row in monitor.history][:3]
    [(0, 'all', 0.001), (0, 'net/first', 0.001), (0, 'net/last', 0.0)]
    >>> len(history.history["noise_to_drift"])
    2

    Attributes:
        history: list of `Row`, of all epochs and layers.
    """

    def __init__(
        self,
        frequency: int = 1,
        csv: str | None = None,
        tensorboard: str | None = None,
        warn_ratio: float | None = 300.0,
        layer_logs: bool = False,
    ):
        super().__init__()
        check_int("frequency", frequency, 1)
        if warn_ratio is not None and not (is_level(warn_ratio) and warn_ratio > 0):
            raise ValueError(
                "`warn_ratio`, the ratio of noise to drift above which it warns, must be a finite float > 0, or None "
                f"for no warning. Received: warn_ratio={warn_ratio!r}. Pass one, as in `warn_ratio=300.0`."
            )
        self.frequency = frequency
        self.csv = None if csv is None else str(csv)
        self.tensorboard = None if tensorboard is None else str(tensorboard)
        self.warn_ratio = warn_ratio
        self.layer_logs = layer_logs
        self.history: list[Row]
        self._files = [Table(self.csv)] if self.csv else []
        if self.tensorboard:
            self._files.append(Board(self.tensorboard, writer_class()))
        self._watched = []
        self._begin_anew()

    def _begin_anew(self):
        self.history = []
        self._initial = self._last_begin = self._measured = None
        self._befores: list[list[Snapshot]] = []
        self._has_warned = self._is_seen = False

    @property
    def _readers(self) -> list[Reader]:
        self.model  # noqa: B018 (on JAX, Keras then writes the state of the steps back into the variables)
        return self._readers_of_model

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        check_built(self.model, type(self).__name__)
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        watched = [self.model, *self.optimizers]
        if [id(each) for each in watched] != [id(each) for each in self._watched]:
            self._watched = watched
            self._readers_of_model = [Reader(optimizer) for optimizer in self.optimizers]
            self._begin_anew()
        self._is_begun = False

    def on_epoch_begin(self, epoch, logs=None):
        if not self._is_begun:  # not in `on_train_begin`, where another callback may load weights
            self._is_begun = True
            for file in self._files:
                file.begin(epoch)
            if self._initial is None:
                self._initial = [reader.weights() for reader in self._readers]
        self._is_measured = epoch % self.frequency == 0
        # the smallest number of last steps that is sure to include an update
        accumulated = max(optimizer.gradient_accumulation_steps or 1 for optimizer in self.optimizers)
        self._window = max(self.model.steps_per_execution, accumulated)
        self._befores, self._measured = [], None

    # There is no `on_train_batch_end`, because Keras would then wait for the end of each step.
    def on_train_batch_begin(self, batch, logs=None):
        self._batch = batch
        self._is_seen = False
        if not self._is_measured:
            return
        if self.params.get("steps"):
            first, several = self.params["steps"] - self._window, False
        elif self._last_begin is None:
            first, several = 0, False
        else:  # unknown length: as in the last epoch, at whose end Keras may have begun a batch that did not exist
            first, several = self._last_begin - self._window, True
        if batch >= first and (several or not self._befores):
            together = self._model.steps_per_execution > 1 or first <= 0
            self._befores.append([Snapshot(reader, together) for reader in self._readers])
            self._is_seen = True

    def after_train_batch_begin(self) -> None:
        """Reads the settings of a step to measure, after all callbacks have set them."""
        if self._is_seen:
            for snapshot, optimizer in zip(self._befores[-1], self.optimizers, strict=True):
                snapshot.read_settings(optimizer)

    def before_epoch_end(self, epoch: int) -> None:
        """Measures, before other callbacks may change weights or settings at the end of the epoch."""
        self._last_begin = self._batch
        if self._is_measured:
            changes = [self._change(number, reader) for number, reader in enumerate(self._readers)]
            self._measured = rows(epoch, changes, self._initial)
        self._befores = []

    def _change(self, number: int, reader: Reader) -> Change:
        befores = [snapshots[number] for snapshots in self._befores]
        updates = int(number_of(reader.optimizer.iterations))
        if len(befores) > 1 and np.array_equal(befores[-1].weights, reader.weights()):
            # a batch that did not exist; on TensorFlow it still advances the counter
            updates = befores.pop().updates
        return Change(reader, next((each for each in befores[::-1] if each.updates < updates), None), updates)

    def on_epoch_end(self, epoch, logs=None):
        if self._measured is None:
            self.before_epoch_end(epoch)  # if no `CallbackList` of Keras has called it
        if not self._is_measured:
            return
        measured, self._measured = self._measured, None
        self.history += measured
        for file in self._files:
            file.write(measured)
        if logs is not None:
            logs |= {name: getattr(measured[0], name) for name in NAMES}
            for row in measured[1:] if self.layer_logs else []:
                logs |= {f"{name}/{row.layer}": getattr(row, name) for name in NAMES}
        self._warn(measured)

    def on_train_end(self, logs=None):
        for file in self._files:
            file.end()

    def _warn(self, measured):
        whole, *layers = measured
        if self._has_warned or self.warn_ratio is None or not whole.noise_to_drift > self.warn_ratio:
            return
        self._has_warned = True
        worst = max((row for row in layers if row.sigma), key=lambda row: row.noise_to_drift)
        warnings.warn(
            f"The noise of a step is {whole.noise_to_drift:.3g} times the parent's step at the end of epoch "
            f"{whole.epoch + 1}, more than `warn_ratio={self.warn_ratio:g}`: sigma={whole.sigma:.3g} may be too large. "
            f"They would be equal with sigma={whole.sigma / whole.noise_to_drift:.3g}. The ratio is largest in the "
            f"layer {worst.layer}, {worst.noise_to_drift:.3g}. A sampler may want this: then pass `warn_ratio=None`.",
            stacklevel=2,
        )

    def get_config(self) -> dict[str, Any]:
        names = ("frequency", "csv", "tensorboard", "warn_ratio", "layer_logs")
        return {name: getattr(self, name) for name in names}
