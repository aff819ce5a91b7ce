"""L-Lion."""

from typing import Any, Unpack

import keras

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LLion(Langevin, backend_class(keras.optimizers.Lion)):
    """Lion with Langevin noise.

        θ_t = [Lion's step] + σ_t · √γ_t · Z_t,   P_t = 1,   Z_t ~ N(0, I)

    Lion's step is −γ_t · sign(c_t) with c_t = β₁ · m_{t−1} + (1 − β₁) · g_t. σ does not set a temperature, only a
    level of exploration. A step moves an element by γ and adds noise of σ√γ, so σ = √γ makes the two equal.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        beta_1: float, the share of the momentum in c. Defaults to `0.9`.
        beta_2: float, decay rate of the momentum. Defaults to `0.99`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.Lion`.

    Example:

    >>> from keras_langevin import LLion
    >>> LLion(1e-4, sigma=1e-3, layers=0.3).layers
    0.3

    References:
        X. Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023. P. Bras, arXiv:2212.14718.
    """

    def __init__(self, learning_rate: Level = 0.001, beta_1=0.9, beta_2=0.99, *args: Any, **kwargs: Unpack[Arguments]):
        super().__init__(learning_rate, beta_1, beta_2, *args, **kwargs)

    def preconditioner(self, t):
        return 1.0
