"""SGNHT: SGHMC with a thermostat that absorbs the noise of the batches."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.draws import noise_dtype
from keras_langevin.optimizers.sghmc import SGHMC
from keras_langevin.values import is_real


@keras.saving.register_keras_serializable(package="keras_langevin")
class SGNHT(SGHMC):
    """SGHMC with a Nosé-Hoover thermostat: the friction follows the momentum and absorbs the noise of the batches.

        m_t = (1 − α_{t−1}) · m_{t−1} − γ_t · g_t + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = a,   Z_t ~ N(0, I)
        θ_t = θ_{t−1} + m_t
        α_t = α_{t−1} + κ · ((1 − α_{t−1}/2) · mean(m_t²) / (γ_t·σ_t²/2) − 1),   α_0 = a,   α_t in [−1, 1]

    Each variable has its own α. It rises until the momentum has the size that σ sets. For small γ, SGNHT samples
    exp(−2V/σ²), even with normal gradient noise of constant variance. With κ = 0 it is `SGHMC`.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.01`.
        friction: a, float in (0, 1), the friction at the start. Defaults to `0.1`.
        thermal_rate: κ, float in [0, 1), how fast the friction follows. Defaults to `0.01`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.SGD`, except `momentum` and `nesterov`.

    Example:

    >>> from keras_langevin import SGNHT, posterior_sigma
    >>> optimizer = SGNHT(0.01, friction=0.1, sigma=posterior_sigma(data_size=50_000), seed=0)
    >>> optimizer.thermal_rate
    0.01

    References:
        N. Ding et al., Bayesian sampling using stochastic gradient thermostats, NeurIPS 2014, algorithm 1.
    """

    def __init__(
        self,
        learning_rate: Level = 0.01,
        friction: float = 0.1,
        thermal_rate: float = 0.01,
        **kwargs: Unpack[Arguments],
    ):
        super().__init__(learning_rate, friction, **kwargs)
        if self.friction == 1:
            raise ValueError(
                "`friction` must be below 1: without momentum there is nothing to measure. Received: "
                f"friction={friction!r}. Pass a smaller one, as in `friction=0.1`, or use `LSGD`."
            )
        if not (is_real(thermal_rate) and 0 <= thermal_rate < 1):
            raise ValueError(
                "`thermal_rate`, how fast the friction follows the momentum, must be a float in [0, 1). Received: "
                f"thermal_rate={thermal_rate!r}. Pass one, as in `thermal_rate=0.01`."
            )
        self.thermal_rate = float(thermal_rate)
        self._thermostats = []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._thermostats = [
            self._setting_variable(f"thermostat_{index}", self.friction, noise_dtype(variable))
            for index, variable in enumerate(self._trainable_variables)
        ]

    def _own_variables(self):
        return super()._own_variables() | {f"thermostat_{i}": each for i, each in enumerate(self._thermostats)}

    def _before(self, indices):
        """Scales the momentum before the parent's step, so that the step's factor 1 − a becomes 1 − α."""
        for index in indices if self.thermal_rate else ():
            momentum, thermostat = self.momentums[index], ops.convert_to_tensor(self._thermostats[index])
            factor = self._where_open(index, (1 - thermostat) / (1 - self.friction), ops.ones_like(thermostat))
            self.assign(momentum, ops.multiply(momentum, ops.cast(factor, momentum.dtype)))
        return super()._before(indices)

    def _add_noise(self, variables, indices, draw, before, learning_rate):
        super()._add_noise(variables, indices, draw, before, learning_rate)
        for index in indices if self.thermal_rate else ():
            thermostat = ops.convert_to_tensor(self._thermostats[index])
            wanted = ops.square(self._scale(learning_rate, thermostat.dtype)) / (2 - thermostat)
            found = ops.mean(ops.square(ops.cast(self.momentums[index], thermostat.dtype)))
            is_noisy = ops.greater(wanted, 0)
            change = self.thermal_rate * (found / ops.where(is_noisy, wanted, ops.ones_like(wanted)) - 1)
            followed = ops.clip(thermostat + ops.where(is_noisy, change, ops.zeros_like(change)), -1.0, 1.0)
            self.assign(self._thermostats[index], self._where_open(index, followed, thermostat))

    def _where_open(self, index: int, value, otherwise):
        """Returns `value` if the variable's layer is noisy, otherwise `otherwise`."""
        return value if self._gate is None else ops.where(self._gate.of(index), value, otherwise)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thermal_rate": self.thermal_rate}
