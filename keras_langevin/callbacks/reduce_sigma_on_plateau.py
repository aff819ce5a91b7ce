"""`ReduceSigmaOnPlateau`."""

import warnings
from typing import Any

import keras
import numpy as np

from keras_langevin.callbacks.base import SigmaCallback
from keras_langevin.values import check_int, is_level


@keras.saving.register_keras_serializable(package="keras_langevin")
class ReduceSigmaOnPlateau(SigmaCallback, keras.callbacks.ReduceLROnPlateau):
    """Lowers the noise level when a metric stops improving, as `ReduceLROnPlateau` lowers the learning rate.

        σ ← max(factor · σ, min_sigma)   after patience epochs without a better monitor

    `logs["sigma"]` has the level of each epoch. A fit from epoch 0 starts with the σ that the optimizer had before the
    callback lowered it; a resumed one keeps the current σ.

    Args:
        monitor: str, the metric. Defaults to `"val_loss"`.
        factor: float in [0, 1); 0 turns the noise off. Defaults to `0.1`.
        patience: int >= 0, epochs. Defaults to `10`.
        verbose: int, 1 to print what is set. Defaults to `0`.
        mode: `"min"`, `"max"`, or `"auto"`, by the metric's name. Defaults to `"auto"`.
        min_delta: float, the smallest change that counts. Defaults to `1e-4`.
        cooldown: int >= 0, epochs after a reduction that do not count. Defaults to `0`.
        min_sigma: float >= 0, σ's lower bound. Defaults to `0.0`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LAdam, ReduceSigmaOnPlateau
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=LAdam(1e-6, sigma=0.5), loss="mse")
    >>> calm = ReduceSigmaOnPlateau(monitor="loss", factor=0.5, patience=1, min_delta=1e9)
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), epochs=3, callbacks=[calm], verbose=0)
    >>> history.history["sigma"]
    [0.5, 0.5, 0.25]
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_sigma: float = 0.0,
    ):
        if not (is_level(factor) and factor < 1):
            raise ValueError(
                "`factor`, by which sigma is multiplied, must be a float in [0, 1). "
                f"Received: factor={factor!r}. To halve sigma, pass `factor=0.5`."
            )
        if not is_level(min_sigma):
            raise ValueError(
                "`min_sigma`, the lower bound of sigma, must be a finite float >= 0. "
                f"Received: min_sigma={min_sigma!r}. For no bound, pass `min_sigma=0.0`."
            )
        if mode not in ("auto", "min", "max"):
            raise ValueError(
                f'`mode` must be "auto", "min" or "max". Received: mode={mode!r}. '
                'Pass "min" for a loss and "max" for an accuracy.'
            )
        check_int("patience", patience, 0)
        check_int("cooldown", cooldown, 0)
        super().__init__(
            monitor=monitor,
            factor=factor,
            patience=patience,
            verbose=verbose,
            mode=mode,
            min_delta=min_delta,
            cooldown=cooldown,
        )
        self.min_sigma = min_sigma
        self._arguments = {
            "monitor": monitor,
            "factor": factor,
            "patience": patience,
            "verbose": verbose,
            "mode": mode,
            "min_delta": min_delta,
            "cooldown": cooldown,
            "min_sigma": min_sigma,
        }

    # Keras's own method, with sigma instead of the learning rate. It is public in all releases of Keras; which of its
    # parts can be overridden differs between them.
    def on_epoch_end(self, epoch, logs=None):
        if self.monitor_op is None:
            self._set_monitor_op()
        logs = logs if logs is not None else {}
        self.log_sigma(logs)
        current = logs.get(self.monitor)
        if current is None:
            warnings.warn(
                f"Noise reduction is conditioned on metric `{self.monitor}` which is not available. Available metrics "
                f"are: {','.join(logs)}.",
                stacklevel=2,
            )
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            sigmas = self.sigmas()
            if self.wait >= self.patience and max(sigmas) > np.float32(self.min_sigma):
                self._reduce(epoch, sigmas)

    def _reduce(self, epoch, sigmas):
        bound = np.float32(self.min_sigma)
        sigmas = [max(sigma * self.factor, self.min_sigma) if sigma > bound else sigma for sigma in sigmas]
        self.set_sigma(sigmas)
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: ReduceSigmaOnPlateau reducing sigma to {', '.join(map(str, sigmas))}.")

    def get_config(self) -> dict[str, Any]:
        return dict(self._arguments)
