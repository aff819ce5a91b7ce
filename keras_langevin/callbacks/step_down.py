"""`StepDown`."""

from typing import Any, Self

import keras

from keras_langevin.optimizers.keras_classes import langevin_parts
from keras_langevin.reading import number, parts
from keras_langevin.values import check_int, is_level, two_thirds


@keras.saving.register_keras_serializable(package="keras_langevin")
class StepDown(keras.callbacks.Callback):
    """Lowers the learning rate and turns the noise off at one epoch: the schedule of `keras-langevin compare`.

        γ ← γ / 10,   σ ← 0   from the epoch ⌈2/3 · epochs⌉ on

    It works with every Keras optimizer, so that both arms of a comparison can use it. `logs` have `"learning_rate"`
    and `"sigma"`. A fit from epoch 0 starts with the values from before the callback.

    Args:
        epoch: int >= 1, counted from 0, at whose start it happens. Defaults to `None`: when two thirds of the fit's
            epochs are done.
        divide_by: float > 0, what the learning rate is divided by. Defaults to `10`.
        stop_noise: bool, whether to set sigma to zero; pass `False` if `sigma` is a schedule. Defaults to `True`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LAdam, StepDown
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=LAdam(1.0, sigma=0.5), loss="mse")
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), epochs=6, callbacks=[StepDown()], verbose=0)
    >>> round(float(model.optimizer.learning_rate), 3), float(model.optimizer.sigma)
    (0.1, 0.0)
    """

    def __init__(self, epoch: int | None = None, divide_by: float = 10.0, stop_noise: bool = True):
        super().__init__()
        if epoch is not None:
            check_int("epoch", epoch, 1)
        if not is_level(divide_by) or divide_by == 0:
            raise ValueError(
                f"`divide_by` must be a float > 0. Received: divide_by={divide_by!r}. Leave it out for 10."
            )
        self.epoch, self.divide_by, self.stop_noise = epoch, divide_by, stop_noise
        self._taken: list[tuple[keras.Variable, float, float]] = []  # what was set: the variable, before and after

    def on_train_begin(self, logs=None):
        for optimizer in parts(self.model.optimizer):
            for name in self._names(optimizer) if self.stop_noise else ("learning_rate",):
                if not isinstance(getattr(optimizer, f"_{name}"), keras.Variable):
                    raise ValueError(
                        f"`StepDown` sets the {name}, so it must be a float. Received an optimizer whose {name} is "
                        f"{getattr(optimizer, f'_{name}')!r}. Pass a float, or remove the callback."
                    )

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 0:
            for variable, before, after in self._taken:
                if number(variable) == after:
                    variable.assign(before)
            self._taken = []
        if epoch == (two_thirds(self.params["epochs"]) if self.epoch is None else self.epoch):
            for optimizer in parts(self.model.optimizer):
                self._set(optimizer._learning_rate, number(optimizer.learning_rate) / self.divide_by)
            for optimizer in langevin_parts(self.model.optimizer) if self.stop_noise else ():
                self._set(optimizer._sigma, 0.0)

    def on_epoch_end(self, epoch, logs=None):
        optimizers = parts(self.model.optimizer)
        if logs is not None and len(optimizers) == 1:
            logs |= {name: number(getattr(optimizers[0], name)) for name in self._names(optimizers[0])}

    @staticmethod
    def _names(optimizer) -> tuple[str, ...]:
        return ("learning_rate", "sigma") if langevin_parts(optimizer) else ("learning_rate",)

    def _set(self, variable: keras.Variable, value: float):
        before = number(variable)
        variable.assign(value)
        self._taken.append((variable, before, number(variable)))

    def get_config(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "divide_by": self.divide_by, "stop_noise": self.stop_noise}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `get_config`."""
        return cls(**config)
