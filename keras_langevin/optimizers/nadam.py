"""L-Nadam."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LNadam(Langevin, backend_class(keras.optimizers.Nadam), slots=("_velocities",)):
    """Nadam with Langevin noise.

        θ_t = [Nadam's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = 1 / (√(v_t / (1 − β₂ᵗ)) + ε),   Z_t ~ N(0, I)

    Nadam's step is −γ_t · P_t ⊙ m̂_t. m̂_t mixes the next first moment with the gradient.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        beta_1: float, decay rate of the first moment. Defaults to `0.9`.
        beta_2: float, decay rate of the second moment. Defaults to `0.999`.
        epsilon: ε, float. It bounds P by 1/ε. Defaults to `1e-6` (Keras's Nadam: `1e-7`).
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.Nadam`.

    Example:

    >>> from keras_langevin import LNadam
    >>> LNadam(1e-3, sigma=1e-4, layers=0.3).epsilon
    1e-06

    References:
        T. Dozat, Incorporating Nesterov momentum into Adam, ICLR 2016 workshop. P. Bras, arXiv:2212.14718.
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

    def preconditioner(self, t, v):
        return 1 / (ops.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
