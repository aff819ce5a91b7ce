"""`CyclicalLangevin`."""

import math
from typing import Any

import keras

from keras_langevin.callbacks.base import LangevinCallback
from keras_langevin.names import distinct
from keras_langevin.optimizers.cyclical import CyclicalCosine, CyclicalNoise, check_exploration_fraction
from keras_langevin.reading import number
from keras_langevin.values import check_int, is_level


@keras.saving.register_keras_serializable(package="keras_langevin")
class CyclicalLangevin(LangevinCallback):
    """Cyclical sampling (cSG-MCMC): in each cycle a large learning rate explores, then a small one samples with noise.

        γ_k = γ₀/2 · [cos(π · r_k) + 1],   σ_k = σ₀ · 1{r_k >= β},   r_k = mod(k − 1, C)/C,   C = ⌈K/M⌉

    k = 1, ..., K counts the steps of M cycles. The optimizer gets γ and σ as schedules (`CyclicalCosine`,
    `CyclicalNoise`) and keeps them after the fit. `logs` have the values of both at an epoch's last step.

    Args:
        cycles: M, int >= 1.
        exploration_fraction: β, float in (0, 1), the part of each cycle without noise. Defaults to `0.5`.
        learning_rate: γ₀, float > 0, or `None` for that of the optimizer. Defaults to `None`.
        sigma: σ₀, float > 0, or `None` for that of the optimizer. Defaults to `None`.
        total_steps: K, int >= `cycles`, or `None` for all steps of the fit. Defaults to `None`.

    Raises:
        ValueError: when training begins, if K is unknown, or the optimizer's γ₀ or σ₀ is already a schedule.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LSGD, CyclicalLangevin, posterior_sigma
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=LSGD(0.1, sigma=posterior_sigma(1000)), loss="mse")
    >>> cyclical = CyclicalLangevin(cycles=2, exploration_fraction=0.5)
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), batch_size=2, epochs=2, callbacks=[cyclical], verbose=0)
    >>> [round(sigma, 4) for sigma in history.history["sigma"]], cyclical.is_sampling
    ([0.0447, 0.0447], True)

    References:
        R. Zhang et al., Cyclical stochastic gradient MCMC, ICLR 2020, arXiv:1902.03932, equation (1), algorithm 1.
    """

    def __init__(
        self,
        cycles: int,
        exploration_fraction: float = 0.5,
        learning_rate: float | None = None,
        sigma: float | None = None,
        total_steps: int | None = None,
    ):
        super().__init__()
        check_int("cycles", cycles, 1)
        check_exploration_fraction(exploration_fraction)
        for name, value in (("learning_rate", learning_rate), ("sigma", sigma)):
            if value is not None and not (is_level(value) and value > 0):
                raise ValueError(
                    f"`{name}` must be a finite float > 0, or None for the optimizer's own. "
                    f"Received: {name}={value!r}. Pass one, as in `{name}=0.01`."
                )
        if total_steps is not None:
            check_int("total_steps", total_steps, cycles)
        self.cycles = cycles
        self.exploration_fraction = exploration_fraction
        self.learning_rate = learning_rate
        self.sigma = sigma
        self.total_steps = total_steps
        self._schedules: list[tuple] = []  # (optimizer, learning rate, noise level)
        self._begun = True

    # --- properties that collectors of samples read -----------------------------------------------------------------

    @property
    def is_sampling(self) -> bool:
        """Whether the last step is in the sampling stage, so that the weights are a sample."""
        if not self._schedules:
            return False
        optimizer, _, noise = self._schedules[0]
        last = self._last(optimizer)
        return last >= noise.first_step and noise.is_noisy(last)

    @property
    def cycle(self) -> int:
        """The cycle of the last step, from 0."""
        if not self._schedules:
            return 0
        optimizer, _, noise = self._schedules[0]
        return (self._last(optimizer) - noise.first_step) // noise.cycle_length

    def _last(self, optimizer) -> int:
        """Returns the step counter that the last step saw."""
        self.model  # noqa: B018 (on JAX, brings the counter up to date)
        return int(number(optimizer._iterations)) - 1

    # --- the fit, in order ------------------------------------------------------------------------------------------

    # Keras calls this after `set_model`, and both before `BackupAndRestore` loads the optimizer's variables. The
    # schedules remove two of those variables.
    def set_params(self, params):
        super().set_params(params)
        if self.model is None or not params or "epochs" not in params:
            return
        length = math.ceil(self._steps(params) / self.cycles)
        schedules = []
        for optimizer in self.optimizers:
            rate = CyclicalCosine(self._initial("learning_rate", optimizer._learning_rate, CyclicalCosine), length)
            sigma = self._initial("sigma", optimizer._sigma, CyclicalNoise)
            schedules.append((optimizer, rate, CyclicalNoise(sigma, length, self.exploration_fraction)))
        for optimizer, rate, noise in schedules:
            optimizer.learning_rate, optimizer.sigma = rate, noise
        self._schedules = schedules
        self.model.train_function = None  # an earlier trace has other schedules
        self._begun = False

    def on_epoch_begin(self, epoch, logs=None):
        if self._begun:
            return
        # If a fit starts at a later epoch than 0, the cycles started that many epochs ago. The step is not traced yet.
        self._begun = True
        steps = (self.params.get("steps") or 0) * epoch
        for optimizer, rate, noise in self._schedules:
            rate.first_step = noise.first_step = self._last(optimizer) + 1 - steps

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            return
        names = [""] if len(self._schedules) == 1 else [f"_{optimizer.name}" for optimizer, *_ in self._schedules]
        for name, (optimizer, rate, noise) in zip(distinct(names), self._schedules, strict=True):
            last = self._last(optimizer)
            logs[f"learning_rate{name}"], logs[f"sigma{name}"] = number(rate(last)), number(noise(last))

    def _steps(self, params) -> int:
        if self.total_steps is not None:
            return self.total_steps
        if not params.get("steps"):
            raise ValueError(
                "`CyclicalLangevin` divides the number of steps into cycles and needs to know it. Received data "
                "whose length is not known. Pass `total_steps`, or give `fit` `steps_per_epoch`."
            )
        steps = params["epochs"] * params["steps"]
        if steps < self.cycles:
            raise ValueError(
                f"`cycles` must be at most the number of steps, which is {steps} ({params['epochs']} epochs of "
                f"{params['steps']}). Received: cycles={self.cycles}. Take fewer cycles or train for longer."
            )
        return steps

    def _initial(self, name: str, setting, kind) -> float:
        """Returns the argument, or the optimizer's number, or the initial value of its schedule from an earlier fit."""
        if getattr(self, name) is not None:
            return getattr(self, name)
        if isinstance(setting, keras.Variable):
            return number(setting)
        if isinstance(setting, kind):
            return setting.initial_value
        raise ValueError(
            f"`CyclicalLangevin` replaces `{name}` by its own schedule, so it needs a number. Received an "
            f"optimizer whose `{name}` is {setting!r}. Create the optimizer with a float, or pass "
            f"`CyclicalLangevin({name}=...)`."
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "cycles": self.cycles,
            "exploration_fraction": self.exploration_fraction,
            "learning_rate": self.learning_rate,
            "sigma": self.sigma,
            "total_steps": self.total_steps,
        }
