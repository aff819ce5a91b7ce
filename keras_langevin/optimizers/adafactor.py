"""L-Adafactor."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin


class _Adafactor(keras.optimizers.Adafactor):
    """Adafactor that stores d_t, the divisor of each variable's last step: it does not follow from the slots."""

    _clippings: list | tuple = ()

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._clippings = [
            None if slot is None else self.add_variable((), "ones", variable.dtype, name=f"{variable.name}_clipping")
            for variable, slot in zip(variables, self._v, strict=True)
        ]

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate)
        index = self._get_variable_index(variable)
        rms = self._rms(ops.cast(gradient, variable.dtype) / ops.sqrt(ops.convert_to_tensor(self._v[index])))
        self.assign(self._clippings[index], ops.maximum(rms / self.clip_threshold, ops.ones_like(rms)))


@keras.saving.register_keras_serializable(package="keras_langevin")
class LAdafactor(
    Langevin, _Adafactor, slots=("_v", "_clippings"), slots_before=("_trainable_variables",), elementwise=False
):
    """Adafactor with Langevin noise.

        θ_t = [Adafactor's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   Z_t ~ N(0, I)
        P_t = (ρ_t / γ_t) · max(ε₂, RMS(θ_{t−1})) / (d_t · √max(v_t, ε₁))
        ρ_t = min(γ_t, 1/√t),   d_t = max(1, RMS(g_t / √v_t) / clip_threshold)

    Adafactor's step is −γ_t · P_t ⊙ g_t. v_t is the running mean of g² + ε₁. A variable that grows gets larger steps
    and more noise.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        beta_2_decay: float, the exponent in the decay rate 1 − t^beta_2_decay of v. Defaults to `-0.8`.
        epsilon_1: ε₁, float. It bounds P by max(ε₂, RMS(θ))/√ε₁. Defaults to `1e-12` (Keras's Adafactor: `1e-30`).
        epsilon_2: ε₂, float, the lower bound of RMS(θ). Defaults to `1e-3`.
        clip_threshold: float, the largest RMS of g/√v without clipping. Defaults to `1.0`.
        relative_step: bool, as in Keras. Defaults to `True`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.Adafactor`.

    Example:

    >>> from keras_langevin import LAdafactor
    >>> LAdafactor(1e-3, sigma=1e-4, layers=0.3).epsilon_1
    1e-12

    References:
        N. Shazeer and M. Stern, Adafactor: adaptive learning rates with sublinear memory cost, ICML 2018.
        P. Bras, arXiv:2212.14718.
    """

    def __init__(
        self,
        learning_rate: Level = 0.001,
        beta_2_decay=-0.8,
        epsilon_1=1e-12,
        epsilon_2=1e-3,
        clip_threshold=1.0,
        relative_step=True,
        *args: Any,
        **kwargs: Unpack[Arguments],
    ):
        super().__init__(
            learning_rate, beta_2_decay, epsilon_1, epsilon_2, clip_threshold, relative_step, *args, **kwargs
        )

    def preconditioner(self, t, v, clipping, theta):
        size = ops.maximum(self._rms(theta), self.epsilon_2)
        relative_rate = ops.minimum(1 / (ops.cast(self.learning_rate, t.dtype) * ops.sqrt(t)), 1.0)
        return relative_rate * size / (clipping * ops.sqrt(ops.maximum(v, self.epsilon_1)))

    def _own_variables(self):
        clippings = {f"clipping_{index}": each for index, each in enumerate(self._clippings) if each is not None}
        return super()._own_variables() | clippings
