"""L-Lamb."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LLamb(
    Langevin,
    backend_class(keras.optimizers.Lamb),
    slots=("_momentums", "_velocities"),
    slots_before=("_trainable_variables",),
    elementwise=False,
):
    """Lamb with Langevin noise.

        θ_t = [Lamb's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = r_t / (√v̂_t + ε),   Z_t ~ N(0, I)
        r_t = ‖θ_{t−1}‖ / ‖m̂_t / (√v̂_t + ε)‖

    Lamb's step is −γ_t · P_t ⊙ m̂_t. The trust ratio r_t is one number for each variable, and 1 where a norm is 0. P
    grows like 1/‖g‖ if the gradient becomes small.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        beta_1: float, decay rate of the first moment. Defaults to `0.9`.
        beta_2: float, decay rate of the second moment. Defaults to `0.999`.
        epsilon: ε, float. It bounds P by r/ε. Defaults to `1e-6` (Keras's Lamb: `1e-7`).
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.Lamb`.

    Example:

    >>> from keras_langevin import LLamb
    >>> LLamb(1e-3, sigma=1e-4, layers=0.3).epsilon
    1e-06

    References:
        Y. You et al., Large batch optimization for deep learning: training BERT in 76 minutes, ICLR 2020.
        P. Bras, arXiv:2212.14718.
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

    def preconditioner(self, t, m, v, theta):
        p = 1 / (ops.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
        update = p * m / (1 - self.beta_1**t)
        norm, of_update = (ops.sqrt(ops.sum(ops.square(each))) for each in (theta, update))
        has_ratio = ops.logical_and(norm > 0, of_update > 0)
        return p * ops.where(has_ratio, norm / ops.where(has_ratio, of_update, 1.0), 1.0)
