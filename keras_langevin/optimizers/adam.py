"""L-Adam."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level, NoiseArguments
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

    Adam's step is −γ_t · P_t ⊙ m̂_t. With `amsgrad`, v_t is the running maximum.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        beta_1: float, decay rate of the first moment. Defaults to `0.9`.
        beta_2: float, decay rate of the second moment. Defaults to `0.999`.
        epsilon: ε, float. It bounds P by 1/ε, see docs/epsilon.md. Defaults to `1e-6` (Keras's Adam: `1e-7`).
        amsgrad: bool. Defaults to `False`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        gamma_correction: bool, only with `beta_1=0.0` and `amsgrad=False`: see `keras_langevin.LRMSprop`. Defaults to
            `False`.
        **kwargs: every other argument of `keras.optimizers.Adam`.

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

    def __init__(
        self,
        learning_rate: Level = 0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        amsgrad=False,
        *args: Any,
        gamma_correction=False,
        **kwargs: Unpack[Arguments],
    ):
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, *args, gamma_correction=gamma_correction, **kwargs
        )

    @property
    def _averaging_rate(self) -> float:
        return self.beta_2


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
        epsilon: ε, float. It bounds P by 1/ε, see docs/epsilon.md. Defaults to `1e-6` (Keras's AdamW: `1e-7`).
        amsgrad: bool. Defaults to `False`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.AdamW`.

    Example:

    >>> from keras_langevin import LAdamW
    >>> LAdamW(1e-3, weight_decay=0.01, sigma=1e-4, layers=2).layers
    2

    References:
        I. Loshchilov and F. Hutter, Decoupled weight decay regularization, ICLR 2019. P. Bras, arXiv:2212.14718.
    """

    def __init__(
        self,
        learning_rate: Level = 0.001,
        weight_decay: float | None = 0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        amsgrad=False,
        *args: Any,
        **kwargs: Unpack[NoiseArguments],
    ):
        super().__init__(learning_rate, weight_decay, beta_1, beta_2, epsilon, amsgrad, *args, **kwargs)
