"""What every callback of this package needs of a model: its Langevin optimizer, and a noise level that can be set."""

import keras

from keras_langevin.optimizers import Langevin
from keras_langevin.reading import innermost


class LangevinCallback(keras.callbacks.Callback):
    """A callback on the model's Langevin optimizer, which may be inside a `LossScaleOptimizer`."""

    sets_sigma = False  # whether it sets the noise level as a number

    @property
    def optimizer(self) -> Langevin:
        """The Langevin optimizer.

        Raises:
            ValueError: the model has none.
        """
        return langevin_optimizer(self.model, type(self).__name__)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        optimizer = self.optimizer
        if self.sets_sigma and not isinstance(optimizer._sigma, keras.Variable):
            raise ValueError(
                f"`{type(self).__name__}` sets the noise level, so `sigma` must be a float. Received an optimizer "
                f"whose sigma is {optimizer._sigma!r}. Create it with `{type(optimizer).__name__}(sigma=...)` and a "
                "float, or leave the callback out."
            )

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)


def langevin_optimizer(model, user: str) -> Langevin:
    """The Langevin optimizer that trains `model`.

    Args:
        model: a compiled model.
        user: str, what needs it; for the error.

    Raises:
        ValueError: it has none.
    """
    optimizer = innermost(getattr(model, "optimizer", None))
    if not isinstance(optimizer, Langevin):
        raise ValueError(
            f"`{user}` needs a model that is compiled with a Langevin optimizer. Received the optimizer {optimizer!r}. "
            'Compile the model with one, as in `model.compile(optimizer=keras_langevin.LAdam(1e-3), loss="mse")`.'
        )
    return optimizer


def check_built(model, user: str):
    """Refuses a model whose weights do not exist yet.

    Raises:
        ValueError: it has no weights.
    """
    if not model.built:
        raise ValueError(
            f"`{user}` needs a model whose weights exist before training. Received a model that is not built: "
            f"{model.name}. Begin it with `keras.Input(shape)`, or call `model.build(input_shape)` before `fit`."
        )
