"""L-Nadam."""

import keras
from keras import ops

from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LNadam(Langevin, backend_class(keras.optimizers.Nadam), slots=("_velocities",)):
    """Nadam with Langevin noise.

        θ_t = [Nadam's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = 1 / (√(v_t / (1 − β₂ᵗ)) + ε),   Z_t ~ N(0, I)

    Nadam's step is −γ_t · P_t ⊙ m̂_t. The direction m̂_t mixes the first moment of the next update with the gradient; its
    bias corrections belong to the direction, not to P.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        beta_1: float, decay rate of the first moment. Defaults to `0.9`.
        beta_2: float, decay rate of the second moment. Defaults to `0.999`.
        epsilon: ε, float, outside the root as in Keras, after the bias correction. Defaults to `1e-6` (Keras's Nadam:
            `1e-7`). It bounds P by 1/ε at every update: where the gradient has vanished, a step adds noise of standard
            deviation σ√(γ/ε).
        sigma: σ, the noise level: float >= 0, schedule or callable. Defaults to `1e-3`.
        layers: which layers are noisy, see `keras_langevin.Langevin`. Defaults to `None` (all).
        seed: int, or `None` to draw one. Defaults to `None`.
        noise: `"normal"` or `"rademacher"`, see `keras_langevin.Langevin`. Defaults to `"normal"`.
        **kwargs: every other argument of `keras.optimizers.Nadam`.

    Raises:
        ValueError: see `keras_langevin.Langevin`.

    Example:

    >>> from keras_langevin import LNadam
    >>> LNadam(1e-3, sigma=1e-4, layers=0.3).epsilon
    1e-06

    References:
        T. Dozat, Incorporating Nesterov momentum into Adam, ICLR 2016 workshop. P. Bras, arXiv:2212.14718.
    """

    def preconditioner(self, t, v):
        return 1 / (ops.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
