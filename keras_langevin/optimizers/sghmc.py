"""SGHMC: underdamped Langevin, stochastic gradient Hamiltonian Monte Carlo."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class
from keras_langevin.values import is_real


@keras.saving.register_keras_serializable(package="keras_langevin")
class SGHMC(Langevin, backend_class(keras.optimizers.SGD)):
    """SGD with momentum and the noise in the momentum: stochastic gradient Hamiltonian Monte Carlo.

        m_t = (1 − α) · m_{t−1} − γ_t · g_t + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = α,   Z_t ~ N(0, I)
        θ_t = θ_{t−1} + m_t

    For small γ it samples exp(−2V/σ²) for every α. Without noise it is `keras.optimizers.SGD(γ, momentum=1 − α)`; with
    α = 1 it is `LSGD(γ, sigma=σ)`. Use `GaussianPrior` for a prior, not `weight_decay`.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.01`.
        friction: α, float in (0, 1], the share of the momentum that an update loses. Defaults to `0.1`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.SGD`, except `momentum` and `nesterov`.

    Example:

    >>> from keras_langevin import SGHMC, posterior_sigma
    >>> optimizer = SGHMC(0.01, friction=0.1, sigma=posterior_sigma(data_size=50_000), seed=0)
    >>> print(f"{float(optimizer.sigma):.5f}, momentum {optimizer.momentum}")
    0.00632, momentum 0.9

    References:
        T. Chen, E. B. Fox and C. Guestrin, Stochastic gradient Hamiltonian Monte Carlo, ICML 2014, equation (15).
    """

    _replaced_arguments = ("momentum", "nesterov")

    def __init__(self, learning_rate: Level = 0.01, friction: float = 0.1, **kwargs: Unpack[Arguments]):
        for argument in self._replaced_arguments:
            if argument in kwargs:
                raise ValueError(
                    "SGHMC takes `friction` (its momentum is 1 − friction) and has no Nesterov step. Received: "
                    f"{argument}={kwargs[argument]!r}. Pass `friction` alone."
                )
        if not (is_real(friction) and 0 < friction <= 1):
            raise ValueError(
                "`friction`, the share of the momentum that an update loses, must be a float in (0, 1]. Received: "
                f"friction={friction!r}. Pass `friction=0.1` for a momentum of 0.9."
            )
        super().__init__(learning_rate, momentum=1.0 - float(friction), **kwargs)
        self._friction = float(friction)

    @property
    def friction(self) -> float:
        """The share of the momentum that an update loses. It cannot be changed."""
        return self._friction

    @property
    def _momentum_noise(self) -> float:
        """The noise that an update adds to the momentum, as a multiple of the noise that it adds to the weights."""
        return 1.0

    def preconditioner(self, t):
        return self.friction

    def _add_noise(self, variables, indices, draw, before, learning_rate):
        """Adds the same noise to the weights and to the momentum. It is drawn again instead of stored."""
        super()._add_noise(variables, indices, draw, before, learning_rate)
        if self.momentum:
            momentums = [self.momentums[index] for index in indices]
            learning_rate = self._momentum_noise**2 * ops.convert_to_tensor(learning_rate)
            super()._add_noise(momentums, indices, draw, before, learning_rate)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for argument in self._replaced_arguments:
            del config[argument]
        return config | {"friction": self.friction}
