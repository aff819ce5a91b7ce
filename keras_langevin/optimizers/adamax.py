"""L-Adamax."""

from typing import Any, Unpack

import keras

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LAdamax(Langevin, backend_class(keras.optimizers.Adamax), slots=("_u",)):
    """Adamax with Langevin noise.

        θ_t = [Adamax's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = 1 / (u_t + ε),   Z_t ~ N(0, I)

    u_t = max(β₂ · u_{t−1}, abs(g_t)) is the decaying maximum of the gradient. Adamax's step is −γ_t · P_t ⊙ m̂_t.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        beta_1: float, decay rate of the first moment. Defaults to `0.9`.
        beta_2: float, decay rate of the maximum. Defaults to `0.999`.
        epsilon: ε, float. It bounds P by 1/ε. Defaults to `1e-6` (Keras's Adamax: `1e-7`).
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.Adamax`.

    Example:

    >>> from keras_langevin import LAdamax
    >>> LAdamax(1e-3, sigma=1e-4, layers=0.3).epsilon
    1e-06

    References:
        D. P. Kingma and J. Ba, Adam, ICLR 2015, section 7.1. P. Bras, arXiv:2212.14718.
    """

    def __init__(
        self,
        learning_rate: Level = 0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        *args: Any,
        **kwargs: Unpack[Arguments],
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, *args, **kwargs)

    def preconditioner(self, t, u):
        return 1 / (u + self.epsilon)
