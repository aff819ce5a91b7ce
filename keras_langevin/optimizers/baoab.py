"""BAOAB: underdamped Langevin dynamics by a splitting that is exact on a quadratic for finite steps."""

from typing import Unpack

import keras

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.sghmc import SGHMC


@keras.saving.register_keras_serializable(package="keras_langevin")
class BAOAB(SGHMC):
    """SGD with momentum and split Langevin noise: finite steps have a smaller error than those of `SGHMC`.

        m_t = (1 − α) · m_{t−1} − γ_t · g_t,   n_t = σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = α/4,   Z_t ~ N(0, I)
        θ_t = θ_{t−1} + m_t + n_t,   and then   m_t ← m_t + (2 − α)/(1 − α) · n_t

    For small γ it samples exp(−2V/σ²). On V = a·θ²/2 finite steps have no error if γ < (4 − 2α)/a. Gradients, learning
    rate and friction mean the same as in `SGHMC`.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.01`.
        friction: α, float in (0, 1), the share of the momentum that an update loses. Defaults to `0.1`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.SGD`, except `momentum` and `nesterov`.

    Example:

    >>> from keras_langevin import BAOAB, posterior_sigma
    >>> optimizer = BAOAB(0.01, friction=0.1, sigma=posterior_sigma(data_size=50_000), seed=0)
    >>> print(f"{float(optimizer.sigma):.5f}, momentum {optimizer.momentum}")
    0.00632, momentum 0.9

    References:
        B. Leimkuhler and C. Matthews, Rational construction of stochastic numerical methods for molecular sampling,
        Applied Mathematics Research eXpress (2013), section 2.
    """

    def __init__(self, learning_rate: Level = 0.01, friction: float = 0.1, **kwargs: Unpack[Arguments]):
        super().__init__(learning_rate, friction, **kwargs)
        if self.friction == 1:
            raise ValueError(
                "`friction` must be below 1: the momentum carries half of an update's noise to the next. Received: "
                f"friction={friction!r}. Pass a smaller one, as in `friction=0.9`, or use `LSGD`."
            )

    @property
    def _momentum_noise(self) -> float:
        return (2 - self.friction) / (1 - self.friction)

    def preconditioner(self, t):
        return self.friction / 4
