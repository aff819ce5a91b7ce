"""L-RMSprop."""

import keras
from keras import ops

from keras_langevin.optimizers.langevin import GradientAverage, Langevin, fused


@keras.saving.register_keras_serializable(package="keras_langevin")
class LRMSprop(Langevin, fused(keras.optimizers.RMSprop)):
    """RMSprop with Langevin noise (pSGLD without the drift Γ).

        θ_t = [RMSprop's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = 1 / √(v_t + ε),   Z_t ~ N(0, I)

    With `centered`, P_t = 1 / √(v_t − ḡ_t² + ε), ḡ the running mean of the gradient. With `momentum` the noise is added
    to the weights, not to the momentum buffer.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        rho: float, decay rate of the averages. Defaults to `0.9`.
        momentum: float. Defaults to `0.0`.
        epsilon: ε, float, under the root as in Keras. Defaults to `1e-6` (Keras's RMSprop: `1e-7`).
        centered: bool. Defaults to `False`.
        sigma: σ, the noise level: float >= 0, schedule or callable. Defaults to `1e-3`.
        layers: which layers are noisy, see `keras_langevin.Langevin`. Defaults to `None` (all).
        seed: int, or `None` to draw one. Defaults to `None`.
        noise: `"normal"` or `"rademacher"`, see `keras_langevin.Langevin`. Defaults to `"normal"`.
        **kwargs: every other argument of `keras.optimizers.RMSprop`.

    Raises:
        ValueError: see `keras_langevin.Langevin`.

    Example:

    >>> from keras_langevin import LRMSprop
    >>> LRMSprop(1e-3, sigma=1e-4, layers=["stem", -1]).layers
    ['stem', -1]

    References:
        C. Li, C. Chen, D. Carlson and L. Carin, Preconditioned stochastic gradient Langevin dynamics for deep neural
        networks, AAAI 2016. P. Bras, arXiv:2212.14718.
    """

    elementwise_preconditioner = True

    def preconditioner(self, variable, before):
        variance = self.slot(self._velocities, variable)
        if self.centered:
            variance = variance - ops.square(self.slot(self._average_gradients, variable))
        return 1 / ops.sqrt(variance + self.epsilon)

    def gradient_averages(self):
        return [GradientAverage(self._velocities, self.rho, 1 - self.rho, 2)]

    def parent_step(self, variable, preconditioner):
        return self.slot(self._momentums, variable) if self.momentum else None
