"""L-RMSprop."""

import keras
from keras import ops

from keras_langevin.optimizers.gamma_correction import GammaCorrection
from keras_langevin.optimizers.langevin import GradientAverage, fused


@keras.saving.register_keras_serializable(package="keras_langevin")
class LRMSprop(GammaCorrection, fused(keras.optimizers.RMSprop)):
    """RMSprop with Langevin noise (pSGLD; with the drift Γ by `gamma_correction=True`).

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
        gamma_correction: bool, whether to add the drift γ·(σ²/2)·Γ, Γ_i = ∂P_i/∂θ_i, without which small steps sample
            exp(−2V/σ²)/P and not exp(−2V/σ²). It is estimated, see `keras_langevin.optimizers.GammaCorrection`, which
            keeps one slot more. Not with `momentum` or `centered`. Defaults to `False`, as in practice.
        **kwargs: every other argument of `keras.optimizers.RMSprop`.

    Raises:
        ValueError: see `keras_langevin.Langevin`; `gamma_correction` with `momentum` or `centered`.

    Example:

    >>> from keras_langevin import LRMSprop
    >>> LRMSprop(1e-3, sigma=1e-4, layers=["stem", -1]).layers
    ['stem', -1]
    >>> LRMSprop(1e-3, sigma=1e-2, gamma_correction=True).gamma_correction
    True

    References:
        C. Li, C. Chen, D. Carlson and L. Carin, Preconditioned stochastic gradient Langevin dynamics for deep neural
        networks, AAAI 2016. P. Bras, arXiv:2212.14718.
    """

    elementwise_preconditioner = True
    correctable = {"momentum": 0.0, "centered": False}

    @property
    def averaging_rate(self):
        return self.rho

    def preconditioner(self, variable, before):
        variance = self.slot(self._velocities, variable)
        if self.centered:
            variance = variance - ops.square(self.slot(self._average_gradients, variable))
        return 1 / ops.sqrt(variance + self.epsilon)

    def gradient_averages(self):
        return [GradientAverage(self._velocities, self.rho, 1 - self.rho, 2)]

    def parent_step(self, variable, preconditioner):
        return self.slot(self._momentums, variable) if self.momentum else None
