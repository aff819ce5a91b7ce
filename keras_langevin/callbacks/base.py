"""The base classes of callbacks: they find the model's Langevin optimizers, and set the noise level."""

from dataclasses import dataclass
from typing import Any, Self

import keras

from keras_langevin.names import distinct
from keras_langevin.optimizers import Langevin
from keras_langevin.optimizers.keras_classes import langevin_parts
from keras_langevin.reading import innermost, number


class LangevinCallback(keras.callbacks.Callback):
    """A callback for the model's Langevin optimizers: a single one, which may be inside a `LossScaleOptimizer`, or
    parts of a `MultiOptimizer`."""

    @property
    def optimizers(self) -> list[Langevin]:
        """The Langevin optimizers.

        Raises:
            ValueError: the model has none.
        """
        return langevin_optimizers(self.model, type(self).__name__)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.optimizers  # noqa: B018 (raises)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `get_config`."""
        return cls(**config)


class SigmaCallback(LangevinCallback):
    """A callback that sets the noise level as a number.

    A fit from epoch 0 starts with the level that the optimizer had before the callback first set it, unless something
    else has set another level since. A fit from a later epoch keeps the current level. So all folds of a
    cross-validation start with the same level, and a resumed fit keeps its own.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._levels: list[_Level] = []

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        for optimizer in self.optimizers:
            if not isinstance(optimizer._sigma, keras.Variable):
                raise ValueError(
                    f"`{type(self).__name__}` sets the noise level, so `sigma` must be a float. Received an "
                    f"optimizer whose sigma is {optimizer._sigma!r} (`CyclicalLangevin` also leaves a schedule "
                    f"there). Compile the model with a new optimizer, as `{type(optimizer).__name__}(sigma=1e-3)`, "
                    "or remove the callback."
                )
        self._is_begun = False

    def on_epoch_begin(self, epoch, logs=None):
        if self._is_begun:
            return
        self._is_begun = True
        previous = {id(level.optimizer): level for level in self._levels}
        self._levels = []
        for optimizer in self.optimizers:
            level, now = previous.get(id(optimizer)), number(optimizer.sigma)
            if level is None or (epoch == 0 and level.latest != now):
                level = _Level(optimizer, now, now)
            elif epoch == 0:
                optimizer.sigma = level.initial
            self._levels.append(level)

    def set_sigma(self, values: list[float]) -> None:
        """Sets the level of each of `optimizers`."""
        for level, value in zip(self._levels, values, strict=True):
            level.optimizer.sigma = value
            level.latest = number(level.optimizer.sigma)

    def sigmas(self) -> list[float]:
        """Returns the level of each of `optimizers`."""
        return [number(optimizer.sigma) for optimizer in self.optimizers]

    def log_sigma(self, logs: dict[str, Any]) -> None:
        """Puts the levels into `logs`, as Keras does with learning rates: `"sigma"`, or `"sigma_NAME"` for each of
        several optimizers."""
        optimizers = self.optimizers
        names = [f"sigma_{optimizer.name}" for optimizer in optimizers] if len(optimizers) > 1 else ["sigma"]
        logs.update(zip(distinct(names), self.sigmas(), strict=True))


@dataclass
class _Level:
    """The noise level of an optimizer: before the callback set it, and as last set."""

    optimizer: Langevin
    initial: float
    latest: float


def langevin_optimizers(model, user: str) -> list[Langevin]:
    """Returns the Langevin optimizers that train `model`.

    Args:
        model: a compiled model.
        user: str, what needs them; for the error.

    Raises:
        ValueError: it has none.
    """
    optimizer = getattr(model, "optimizer", None)
    found = langevin_parts(optimizer)
    if not found:
        raise ValueError(
            f"`{user}` needs a model that is compiled with a Langevin optimizer. Received the optimizer "
            f"{innermost(optimizer)!r}. "
            'Compile the model with one, as in `model.compile(optimizer=keras_langevin.LAdam(1e-3), loss="mse")`.'
        )
    return found


def check_built(model, user: str):
    """Checks that the model's weights exist.

    Raises:
        ValueError: they do not.
    """
    if not model.built:
        raise ValueError(
            f"`{user}` needs a model whose weights exist before training. Received a model that is not built: "
            f"{model.name}. Start it with `keras.Input(shape)`, or call `model.build(input_shape)` before `fit`."
        )
