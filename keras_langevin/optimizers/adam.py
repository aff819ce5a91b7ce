"""L-Adam."""

import keras
from keras import ops

from keras_langevin.optimizers.gamma_correction import GammaCorrection
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


class AdamPreconditioner(Langevin, slots=("_velocities", "_velocity_hats")):
    """P of Adam and AdamW."""

    def preconditioner(self, t, v, v_max):
        v = v_max if self.amsgrad else v
        return ops.sqrt(1 - self.beta_2**t) / (ops.sqrt(v) + self.epsilon)


@keras.saving.register_keras_serializable(package="keras_langevin")
class LAdam(AdamPreconditioner, GammaCorrection, backend_class(keras.optimizers.Adam)):
    """Adam with Langevin noise.

        θ_t = [Adam's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = √(1 − β₂ᵗ) / (√v_t + ε),   Z_t ~ N(0, I)

    Adam's step is −γ_t · P_t ⊙ m̂_t with m̂_t = m_t / (1 − β₁ᵗ): the correction of the first moment belongs to the
    direction, not to P. With `amsgrad`, v_t is the running maximum.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        beta_1: float, decay rate of the first moment. Defaults to `0.9`.
        beta_2: float, decay rate of the second moment. Defaults to `0.999`.
        epsilon: ε, float, outside the root as in Keras. Defaults to `1e-6` (Keras's Adam: `1e-7`). It bounds P by 1/ε:
            where the gradient has vanished, a step adds noise of standard deviation σ√(γ/ε), at the start of training
            (1 − β₂ᵗ)^¼ of that.
        amsgrad: bool. Defaults to `False`.
        sigma: σ, the noise level: float >= 0, schedule or callable. Defaults to `1e-3`.
        layers: which layers are noisy, see `keras_langevin.Langevin`. Defaults to `None` (all).
        seed: int, or `None` to draw one. Defaults to `None`.
        noise: `"normal"` or `"rademacher"`, see `keras_langevin.Langevin`. Defaults to `"normal"`.
        gamma_correction: bool. Only with `beta_1=0.0` and `amsgrad=False`, where LAdam is an RMSprop: see
            `keras_langevin.LRMSprop`. Defaults to `False`.
        **kwargs: every other argument of `keras.optimizers.Adam`.

    Raises:
        ValueError: see `keras_langevin.Langevin`; `gamma_correction` with `beta_1` or `amsgrad`.

    Example:

    >>> import keras
    >>> from keras_langevin import LAdam
    >>> layers = [keras.layers.Dense(8, name=f"dense_{i}") for i in range(10)]
    >>> model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    >>> model.compile(optimizer=LAdam(1e-3, sigma=1e-3, layers=0.3), loss="mse")
    >>> model.optimizer.build(model.trainable_variables)
    >>> model.optimizer.noisy_layers
    ('net/dense_0', 'net/dense_1', 'net/dense_2')

    References:
        D. P. Kingma and J. Ba, Adam, ICLR 2015. P. Bras, arXiv:2212.14718, algorithm 1.
    """

    _needed_for_correction = {"beta_1": 0.0, "amsgrad": False}
    _averaging_rate = property(lambda self: self.beta_2)


@keras.saving.register_keras_serializable(package="keras_langevin")
class LAdamW(AdamPreconditioner, backend_class(keras.optimizers.AdamW)):
    """AdamW with Langevin noise.

        θ_t = [AdamW's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = √(1 − β₂ᵗ) / (√v_t + ε),   Z_t ~ N(0, I)

    The decoupled weight decay θ ← θ − γ_t · λ · θ comes first and is not part of P_t.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        weight_decay: λ, float. Defaults to `0.004`.
        beta_1: float, decay rate of the first moment. Defaults to `0.9`.
        beta_2: float, decay rate of the second moment. Defaults to `0.999`.
        epsilon: ε, float, outside the root as in Keras. Defaults to `1e-6` (Keras's AdamW: `1e-7`). It bounds P by 1/ε:
            where the gradient has vanished, a step adds noise of standard deviation σ√(γ/ε), at the start of training
            (1 − β₂ᵗ)^¼ of that.
        amsgrad: bool. Defaults to `False`.
        sigma: σ, the noise level: float >= 0, schedule or callable. Defaults to `1e-3`.
        layers: which layers are noisy, see `keras_langevin.Langevin`. Defaults to `None` (all).
        seed: int, or `None` to draw one. Defaults to `None`.
        noise: `"normal"` or `"rademacher"`, see `keras_langevin.Langevin`. Defaults to `"normal"`.
        **kwargs: every other argument of `keras.optimizers.AdamW`.

    Raises:
        ValueError: see `keras_langevin.Langevin`.

    Example:

    >>> from keras_langevin import LAdamW
    >>> LAdamW(1e-3, weight_decay=0.01, sigma=1e-4, layers=2).layers
    2

    References:
        I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019. P. Bras, arXiv:2212.14718.
    """
