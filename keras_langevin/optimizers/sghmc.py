"""SGHMC: underdamped Langevin, stochastic gradient Hamiltonian Monte Carlo."""

import keras
from keras import ops

from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class
from keras_langevin.values import is_real


@keras.saving.register_keras_serializable(package="keras_langevin")
class SGHMC(Langevin, backend_class(keras.optimizers.SGD)):
    """SGD with momentum and Langevin noise in the momentum: underdamped Langevin, L-SGD with friction.

        m_t = (1 − α) · m_{t−1} − γ_t · g_t + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = α,   Z_t ~ N(0, I)
        θ_t = θ_{t−1} + m_t

    Without noise it is `keras.optimizers.SGD(γ, momentum=1 − α)`; with α = 1 it is `LSGD(γ, sigma=σ)`. For small γ the
    invariant law of θ is ∝ exp(−2V/σ²), whatever α. To sample a posterior at temperature T, with V the mean loss over N
    examples plus −log prior / N, let `sigma=posterior_sigma(N, T)`.
    The law of m is N(0, (σ²/2)·γ/(1 − α/2)). On V = a·θ²/2 both variances are these over 1 − γa/(2(2 − α)), the error
    of a finite step: at a small α half of L-SGD's. Where α is small, an L-SGD with the learning rate γ/α moves as fast.
    `weight_decay` λ passes by the momentum, and adds αλθ²/2 and not λθ²/2 to V: use `GaussianPrior` for a prior.
    In the paper's letters η = γ, and the gradient's own noise is taken to be nothing (β̂ = 0).

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.01`.
        friction: α, float in (0, 1], the share of the momentum that is lost at an update. Defaults to `0.1`.
        sigma: σ, the noise level: float >= 0, schedule or callable. Defaults to `1e-3`.
        layers: which layers are noisy, see `keras_langevin.Langevin`. Defaults to `None` (all).
        seed: int, or `None` to draw one. Defaults to `None`.
        noise: `"normal"` or `"rademacher"`, see `keras_langevin.Langevin`. Defaults to `"normal"`.
        **kwargs: every other argument of `keras.optimizers.SGD`, but for `momentum` and `nesterov`.

    Raises:
        ValueError: see `keras_langevin.Langevin`; `friction` is out of its range; `momentum` or `nesterov` is given.

    Example:

    >>> from keras_langevin import SGHMC, posterior_sigma
    >>> optimizer = SGHMC(0.01, friction=0.1, sigma=posterior_sigma(data_size=50_000), seed=0)
    >>> print(f"{float(optimizer.sigma):.5f}, momentum {optimizer.momentum}")
    0.00632, momentum 0.9

    References:
        T. Chen, E. B. Fox and C. Guestrin, Stochastic gradient Hamiltonian Monte Carlo, ICML 2014, equation (15).
    """

    _replaced_arguments = ("momentum", "nesterov")

    def __init__(self, learning_rate=0.01, friction: float = 0.1, **kwargs):
        for argument in self._replaced_arguments:
            if argument in kwargs:
                raise ValueError(
                    "SGHMC takes `friction`, its momentum being 1 − friction, and no Nesterov step. "
                    f"Received: {argument}={kwargs[argument]!r}. Pass `friction` alone."
                )
        if not (is_real(friction) and 0 < friction <= 1):
            raise ValueError(
                "`friction`, the share of the momentum that is lost at an update, must be a float in (0, 1]. "
                f"Received: friction={friction!r}. `friction=0.1` is a momentum of 0.9."
            )
        super().__init__(learning_rate, momentum=1.0 - float(friction), **kwargs)
        self._friction = float(friction)

    @property
    def friction(self) -> float:
        """The share of the momentum that is lost at an update. It stays what it was created with."""
        return self._friction

    @property
    def _momentum_noise(self) -> float:
        """How much of an update's noise is added to the momentum, for each part that the weights get."""
        return 1.0

    def preconditioner(self, t):
        return self.friction

    def _add_noise(self, variables, indices, draw, before, learning_rate):
        """To the weights and to the momentum that has moved them: the same noise, drawn again and not stored."""
        super()._add_noise(variables, indices, draw, before, learning_rate)
        if self.momentum:
            momentums = [self.momentums[index] for index in indices]
            learning_rate = self._momentum_noise**2 * ops.convert_to_tensor(learning_rate)
            super()._add_noise(momentums, indices, draw, before, learning_rate)

    def get_config(self):
        config = super().get_config()
        for argument in self._replaced_arguments:
            del config[argument]
        return config | {"friction": self.friction}
