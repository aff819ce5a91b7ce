"""L-Adagrad."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LAdagrad(Langevin, backend_class(keras.optimizers.Adagrad), slots=("_accumulators",)):
    """Adagrad with Langevin noise.

        θ_t = [Adagrad's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = 1 / √(a_t + ε),   Z_t ~ N(0, I)

    a_t is the sum of the squared gradients, so the noise fades during training.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        initial_accumulator_value: a_0, float. It bounds P by 1/√(a_0 + ε). Defaults to `0.1`.
        epsilon: ε, float. Defaults to `1e-6` (Keras's Adagrad: `1e-7`).
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.Adagrad`.

    Example:

    >>> from keras_langevin import LAdagrad
    >>> LAdagrad(0.01, sigma=1e-3, layers=0.5, seed=1).seed
    1

    References:
        J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods, JMLR 2011. P. Bras, arXiv:2212.14718.
    """

    def __init__(
        self,
        learning_rate: Level = 0.001,
        initial_accumulator_value=0.1,
        epsilon=1e-6,
        *args: Any,
        **kwargs: Unpack[Arguments],
    ):
        super().__init__(learning_rate, initial_accumulator_value, epsilon, *args, **kwargs)

    def preconditioner(self, t, a):
        return 1 / ops.sqrt(a + self.epsilon)
