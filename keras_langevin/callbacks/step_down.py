"""`StepDown`."""

import keras

from keras_langevin.optimizers.keras_classes import langevin_parts
from keras_langevin.reading import number, parts
from keras_langevin.values import check_int, is_level, two_thirds


@keras.saving.register_keras_serializable(package="keras_langevin")
class StepDown(keras.callbacks.Callback):
    """A lower learning rate and no more noise, from one epoch on: the schedule that `keras-langevin compare` trains by.

        γ ← γ / 10,   σ ← 0   from the epoch ⌈2/3 · epochs⌉ on

    With a Langevin optimizer and with any other of Keras, so that both can be compared.

    Args:
        epoch: int >= 1, counted from 0, at whose begin it happens. Defaults to `None`: when two thirds of the epochs of
            the fit are done.
        divide_by: float > 0, what the learning rate is divided by. Defaults to `10`.

    Raises:
        ValueError: an argument is out of its range. When training begins: the learning rate or sigma is a schedule.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LAdam, StepDown
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=LAdam(1.0, sigma=0.5), loss="mse")
    >>> history = model.fit(np.ones((4, 2)), np.ones(4), epochs=6, callbacks=[StepDown()], verbose=0)
    >>> round(float(model.optimizer.learning_rate), 3), float(model.optimizer.sigma)
    (0.1, 0.0)
    """

    def __init__(self, epoch: int | None = None, divide_by: float = 10.0):
        super().__init__()
        if epoch is not None:
            check_int("epoch", epoch, 1)
        if not is_level(divide_by) or divide_by == 0:
            raise ValueError(
                f"`divide_by` must be a float > 0. Received: divide_by={divide_by!r}. Leave it out for 10."
            )
        self.epoch, self.divide_by = epoch, divide_by

    def on_train_begin(self, logs=None):
        for optimizer in parts(self.model.optimizer):
            for name in ("learning_rate", "sigma"):
                if not isinstance(getattr(optimizer, f"_{name}", None), keras.Variable | None):
                    raise ValueError(
                        f"`StepDown` sets the {name}, so it must be a float. Received an optimizer whose {name} is "
                        f"{getattr(optimizer, f'_{name}')!r}. Give it a float, or leave the callback out."
                    )

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == (two_thirds(self.params["epochs"]) if self.epoch is None else self.epoch):
            for optimizer in parts(self.model.optimizer):
                optimizer.learning_rate = number(optimizer.learning_rate) / self.divide_by
            for optimizer in langevin_parts(self.model.optimizer):
                optimizer.sigma = 0.0

    def get_config(self):
        return {"epoch": self.epoch, "divide_by": self.divide_by}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)
