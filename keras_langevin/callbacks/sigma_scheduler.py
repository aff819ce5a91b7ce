"""`SigmaScheduler`."""

from collections.abc import Callable
from typing import Any, Self

import keras

from keras_langevin.callbacks.base import SigmaCallback
from keras_langevin.values import is_level, takes


@keras.saving.register_keras_serializable(package="keras_langevin")
class SigmaScheduler(SigmaCallback):
    """Sets the noise level at the start of each epoch, as `LearningRateScheduler` sets the learning rate.

        σ ← schedule(epoch, σ)

    `logs["sigma"]` has the level of each epoch. A fit from epoch 0 starts with the σ that the optimizer had before the
    callback set it; a resumed one keeps the current σ. For a level that changes within an epoch, give the optimizer
    a `LearningRateSchedule` as its `sigma`.

    Args:
        schedule: function of the epoch (int, from 0) and the current σ (float), or of the epoch alone, that returns the
            σ of that epoch: a float >= 0. To save the callback, register the function with Keras.
        verbose: int, 1 to print what is set. Defaults to `0`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LAdam, SigmaScheduler
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=LAdam(1e-3, sigma=0.5), loss="mse")
    >>> halve = SigmaScheduler(lambda epoch, sigma: sigma / 2 if epoch else sigma)
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), epochs=3, callbacks=[halve], verbose=0)
    >>> history.history["sigma"]
    [0.5, 0.25, 0.125]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        super().__init__()
        if not (callable(schedule) and (takes(schedule, 2) or takes(schedule, 1))):
            raise ValueError(
                "`schedule` must be a function of (epoch, sigma), or of the epoch alone, that returns a float. "
                f"Received: schedule={schedule!r}. Pass one, as in `SigmaScheduler(lambda epoch, sigma: 0.9 * sigma)`."
            )
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        takes_sigma = takes(self.schedule, 2)
        sigmas = [self.schedule(epoch, sigma) if takes_sigma else self.schedule(epoch) for sigma in self.sigmas()]
        for sigma in sigmas:
            if not is_level(sigma):
                raise ValueError(
                    "The output of the `schedule` function should be a finite float >= 0. "
                    f"Received: {sigma!r} for epoch {epoch}. Fix the function; for a tensor, return `float(tensor)`."
                )
        self.set_sigma(list(map(float, sigmas)))
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: SigmaScheduler setting sigma to {', '.join(map(str, sigmas))}.")

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            self.log_sigma(logs)

    def get_config(self) -> dict[str, Any]:
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "verbose": self.verbose}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["verbose"])
