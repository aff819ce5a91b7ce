"""L-SGD: stochastic gradient Langevin dynamics."""

from typing import Unpack

import keras

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LSGD(Langevin, backend_class(keras.optimizers.SGD)):
    """SGD with Langevin noise (SGLD).

        θ_t = [SGD's step] + σ_t · √γ_t · Z_t,   P_t = 1,   Z_t ~ N(0, I)

    With `momentum` μ the noise is added to the weights, not to the momentum buffer. Keras does not damp the momentum,
    so that the drift is 1/(1 − μ) times as large: for small γ the invariant law is ∝ exp(−2V/((1 − μ)σ²)), whose
    temperature is (1 − μ) of what σ says. Multiply σ by 1/√(1 − μ), or use `SGHMC`. Without momentum, `weight_decay` λ
    is the prior N(0, 1/(λN)) where V is a mean over N examples; with it λ becomes (1 − μ)λ.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.01`.
        momentum: float in [0, 1]. Defaults to `0.0`.
        nesterov: bool. Defaults to `False`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.SGD`.

    Raises:
        ValueError: see `keras_langevin.Langevin`.

    Example:

    >>> from keras_langevin import LSGD, posterior_sigma
    >>> optimizer = LSGD(0.01, sigma=posterior_sigma(data_size=50_000), seed=0)
    >>> print(f"{float(optimizer.sigma):.5f}")
    0.00632

    References:
        M. Welling and Y. W. Teh, Bayesian learning via stochastic gradient Langevin dynamics, ICML 2011, equation (4).
        P. Bras, arXiv:2212.14718.
    """

    def __init__(self, learning_rate: Level = 0.01, momentum=0.0, nesterov=False, *args, **kwargs: Unpack[Arguments]):
        super().__init__(learning_rate, momentum, nesterov, *args, **kwargs)

    def preconditioner(self, t):
        return 1.0
