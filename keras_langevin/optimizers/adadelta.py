"""L-Adadelta."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LAdadelta(
    Langevin,
    backend_class(keras.optimizers.Adadelta),
    slots=("_accumulated_grads",),
    slots_before=("_accumulated_delta_vars",),
):
    """Adadelta with Langevin noise.

        θ_t = [Adadelta's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = √(u_{t−1} + ε) / √(v_t + ε),   Z_t ~ N(0, I)

    v is the running mean of the squared gradients, u that of the parent's squared steps. The noise does not enter u.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. The paper uses `0.1` with `sigma=0.05`. Defaults to
            `0.001`.
        rho: float, decay rate of the averages. Defaults to `0.95`.
        epsilon: ε, float, in both roots. It bounds P by √(u + ε)/√ε. Defaults to `1e-6` (Keras's Adadelta: `1e-7`).
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.Adadelta`.

    Example:

    >>> from keras_langevin import LAdadelta
    >>> print(f"{float(LAdadelta(0.1, sigma=0.05).sigma):.2f}")
    0.05

    References:
        M. D. Zeiler, ADADELTA, arXiv:1212.5701. P. Bras, arXiv:2212.14718.
    """

    def __init__(self, learning_rate: Level = 0.001, rho=0.95, epsilon=1e-6, *args: Any, **kwargs: Unpack[Arguments]):
        super().__init__(learning_rate, rho, epsilon, *args, **kwargs)

    def preconditioner(self, t, v, u):
        return ops.sqrt(u + self.epsilon) / ops.sqrt(v + self.epsilon)
