"""A normal prior on weights, as a regularizer."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_langevin.names import shown
from keras_langevin.values import is_real


@keras.saving.register_keras_serializable(package="keras_langevin")
class GaussianPrior(keras.regularizers.Regularizer):
    """The prior N(c, s²) of each weight, as a regularizer scaled for a mean loss.

        −log p(θ) / N = Σ (θ − c)² / (2 s² N) + constant

    Set it on every variable that should have a prior, biases too. Without it, the prior is flat. `weight_decay` is no
    substitute, see docs/sampling.md.

    Args:
        stddev: s, float > 0, the standard deviation (not the variance) of each weight.
        data_size: N, int >= 1, the same as for `posterior_sigma`.
        center: c, float, or array of the variable's shape. Defaults to `0.0`.

    Example:

    >>> import keras
    >>> from keras_langevin import GaussianPrior
    >>> prior = GaussianPrior(stddev=2.0, data_size=100)
    >>> layer = keras.layers.Dense(1, kernel_regularizer=prior, bias_regularizer=prior)
    >>> float(prior(keras.ops.array([[20.0], [0.0]])))
    0.5

    References:
        R. M. Neal, Bayesian Learning for Neural Networks, Springer 1996, section 1.2.
    """

    def __init__(self, stddev: float, data_size: int, center: float | np.ndarray = 0.0):
        if not (is_real(stddev) and stddev > 0):
            raise ValueError(
                "`stddev`, the prior's standard deviation, must be a finite float > 0. "
                f"Received: stddev={stddev!r}. Without a regularizer the prior is flat."
            )
        if not (is_real(data_size) and data_size >= 1):
            raise ValueError(
                "`data_size`, the number of training examples, must be a finite number >= 1. "
                f"Received: data_size={data_size!r}. Give the length of the training data."
            )
        if not _is_finite(center):
            raise ValueError(
                "`center`, the prior's mean, must be a finite float, or an array of them. "
                f"Received: center={shown(center)}. Leave it out for a prior around 0."
            )
        self.stddev = float(stddev)
        self.center = float(center) if np.ndim(center) == 0 else np.asarray(center)
        self.data_size = int(data_size) if data_size == int(data_size) else float(data_size)

    def __call__(self, x: Any) -> Any:
        if np.ndim(self.center) or self.center:
            x = ops.subtract(x, ops.cast(self.center, x.dtype))
        return ops.sum(ops.square(x)) / (2 * self.stddev**2 * self.data_size)

    def get_config(self) -> dict[str, Any]:
        center = self.center.tolist() if np.ndim(self.center) else self.center
        return {"stddev": self.stddev, "data_size": self.data_size, "center": center}


def _is_finite(center) -> bool:
    try:
        return not isinstance(center, bool | str) and bool(np.isfinite(np.asarray(center, float)).all())
    except (TypeError, ValueError):
        return False
