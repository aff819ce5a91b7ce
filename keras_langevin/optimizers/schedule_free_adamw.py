"""L-ScheduleFreeAdamW."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.draws import noise_dtype
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LScheduleFreeAdamW(Langevin, backend_class(keras.optimizers.ScheduleFreeAdamW), slots=("_velocities",)):
    """Schedule-Free AdamW with Langevin noise.

        z_t = z_{t−1} − γ_t · Q_t ⊙ g_t + σ_t · √γ_t · √Q_t ⊙ Z_t,   Q_t = w_t / (√v̂_t + ε),   Z_t ~ N(0, I)
        x_t = (1 − 1/t) · x_{t−1} + z_t / t,   θ_t = (1 − β₁) · z_t + β₁ · x_t

    The noise moves z, which Keras calls momentum. It reaches the weights θ_t as σ_t · √γ_t · √P_t ⊙ Z_t with
    P_t = (1 − β₁ + β₁/t)² · Q_t. v̂_t = v_t / (1 − β₂ᵗ), and w_t = min(1, t / warmup_steps).

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.0025`.
        beta_1: β₁, float in (0, 1], the share of the average x in θ. Defaults to `0.9`.
        beta_2: float, decay rate of the second moment. Defaults to `0.999`.
        epsilon: ε, float. It bounds Q by 1/ε. Defaults to `1e-6` (Keras's ScheduleFreeAdamW: `1e-8`).
        warmup_steps: int, the number of updates in which w grows to 1. Defaults to `0`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.ScheduleFreeAdamW`.

    Example:

    >>> from keras_langevin import LScheduleFreeAdamW
    >>> LScheduleFreeAdamW(sigma=1e-4, layers=0.3).epsilon
    1e-06

    References:
        A. Defazio et al., The road less scheduled, NeurIPS 2024. P. Bras, arXiv:2212.14718.
    """

    def __init__(
        self,
        learning_rate: Level = 0.0025,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        warmup_steps=0,
        *args: Any,
        **kwargs: Unpack[Arguments],
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, warmup_steps, *args, **kwargs)

    def preconditioner(self, t, v):
        warmup = ops.minimum(t / self.warmup_steps, 1.0) if self.warmup_steps else 1.0
        q = warmup / (ops.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
        return ops.square(self._share(t)) * q

    def _share(self, t):
        """Returns f_t, the share of z_t in θ_t."""
        return 1 - self.beta_1 + self.beta_1 / t

    def _add_noise(self, variables, indices, draw, before, learning_rate):
        """Adds noise to θ, and 1/f times as much to z (by 1/f² times the learning rate). Drawn twice, not stored."""
        super()._add_noise(variables, indices, draw, before, learning_rate)
        dtype = noise_dtype(variables[0])
        share = self._share(ops.cast(ops.convert_to_tensor(self.iterations) + 1, dtype))
        of_z = ops.cast(learning_rate, dtype) / ops.square(share)
        super()._add_noise([self._momentums[index] for index in indices], indices, draw, before, of_z)
