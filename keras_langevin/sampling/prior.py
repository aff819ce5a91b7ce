"""A normal prior on weights, as a regularizer."""

import keras
from keras import ops

from keras_langevin.values import is_real


@keras.saving.register_keras_serializable(package="keras_langevin")
class GaussianPrior(keras.regularizers.Regularizer):
    """The prior N(0, s²) of each element, scaled for a mean loss.

        −log p(θ) / N = Σ θ² / (2 s² N) + constant

    Where the loss is the mean of −log p over the examples alone, the loss and this, summed over the variables, are V =
    −log posterior / N, from which `posterior_sigma(data_size)` makes samples of the posterior. A Keras loss that also
    averages over D outputs, time steps or pixels of an example needs `loss_weights=float(D)`, or N·D for N here and
    there. Every variable that is to have a prior needs it, biases too (`kernel_regularizer`, `bias_regularizer`, ...);
    without one a variable's prior is flat. An optimizer's `weight_decay` is a substitute for `LSGD` without momentum
    alone: it is applied apart from the loss, not preconditioned, and past the momentum.

    Args:
        stddev: s, float > 0, the standard deviation (not the variance) of each element.
        data_size: N, int >= 1, the number of training examples (not of batches), or of values that the loss averages:
            the one for `posterior_sigma`.

    Raises:
        ValueError: an argument is out of its range.

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

    def __init__(self, stddev: float, data_size: int):
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
        self.stddev = float(stddev)
        self.data_size = int(data_size) if data_size == int(data_size) else float(data_size)

    def __call__(self, x):
        return ops.sum(ops.square(x)) / (2 * self.stddev**2 * self.data_size)

    def get_config(self):
        return {"stddev": self.stddev, "data_size": self.data_size}
