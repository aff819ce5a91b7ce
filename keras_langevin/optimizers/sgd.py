"""L-SGD: stochastic gradient Langevin dynamics."""

from typing import Any, Unpack

import keras

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LSGD(Langevin, backend_class(keras.optimizers.SGD)):
    """SGD with Langevin noise (SGLD).

        θ_t = [SGD's step] + σ_t · √γ_t · Z_t,   P_t = 1,   Z_t ~ N(0, I)

    The noise is added to the weights, not to the momentum. With a `momentum` μ, this makes the temperature (1 − μ)
    times the one that σ sets: multiply σ by 1/√(1 − μ), or use `SGHMC`. docs/sampling.md explains why.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.01`.
        momentum: μ, float in [0, 1]. Defaults to `0.0`.
        nesterov: bool. Defaults to `False`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.SGD`.

    Example:

    >>> from keras_langevin import LSGD, posterior_sigma
    >>> optimizer = LSGD(0.01, sigma=posterior_sigma(data_size=50_000), seed=0)
    >>> print(f"{float(optimizer.sigma):.5f}")
    0.00632

    References:
        M. Welling and Y. W. Teh, Bayesian learning via stochastic gradient Langevin dynamics, ICML 2011, equation (4).
        P. Bras, arXiv:2212.14718.
    """

    def __init__(
        self, learning_rate: Level = 0.01, momentum=0.0, nesterov=False, *args: Any, **kwargs: Unpack[Arguments]
    ):
        super().__init__(learning_rate, momentum, nesterov, *args, **kwargs)

    def preconditioner(self, t):
        return 1.0
