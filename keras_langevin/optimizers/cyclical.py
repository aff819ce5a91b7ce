"""Cyclical schedules: the learning rate and the noise level of cyclical sampling."""

import math
import numbers
from typing import Any

import keras
from keras import ops

from keras_langevin.values import check_int, is_level, is_real


class _Cyclical(keras.optimizers.schedules.LearningRateSchedule):
    """A value that depends on the step's place in its cycle, an integer: exact for any number of steps.

    Args:
        initial_value: float >= 0.
        cycle_length: int >= 1, steps.
        first_step: int, the step at which the first cycle begins.
        name: str or None.
    """

    def __init__(self, initial_value: float, cycle_length: int, first_step: int = 0, name: str | None = None):
        super().__init__()
        if not is_level(initial_value):
            raise ValueError(
                "`initial_value` must be a finite number >= 0. "
                f"Received: initial_value={initial_value!r}. Pass one, as in `initial_value=0.1`."
            )
        check_int("cycle_length", cycle_length, 1, "a number of steps, `math.ceil(K / M)` for M cycles in K steps")
        if not isinstance(first_step, numbers.Integral) or isinstance(first_step, bool):
            raise ValueError(
                "`first_step`, the step at which the first cycle begins, must be an int. "
                f"Received: first_step={first_step!r}. Give an int, as in `first_step=0`."
            )
        self.initial_value = float(initial_value)
        self.cycle_length = int(cycle_length)
        self.first_step = int(first_step)
        self.name = name

    def place(self, step: Any) -> Any:
        """mod(k − 1, C): the number of the step in its cycle, from 0."""
        return (step - self.first_step) % self.cycle_length

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_value": self.initial_value,
            "cycle_length": self.cycle_length,
            "first_step": self.first_step,
            "name": self.name,
        }


@keras.saving.register_keras_serializable(package="keras_langevin")
class CyclicalCosine(_Cyclical):
    """A learning rate that falls as a cosine from γ₀ to almost 0 in each cycle of C steps.

        γ_k = γ₀/2 · [cos(π · mod(k − 1, C)/C) + 1],   k = 1, 2, ...

    Args:
        initial_value: γ₀, float >= 0.
        cycle_length: C, int >= 1, steps.
        first_step: int, the optimizer's step counter at k = 1. Defaults to `0`.
        name: str or None. Defaults to `None`.

    Example:

    >>> from keras_langevin.optimizers import CyclicalCosine
    >>> schedule = CyclicalCosine(0.1, cycle_length=4)
    >>> [round(float(schedule(step)), 4) for step in range(5)]
    [0.1, 0.0854, 0.05, 0.0146, 0.1]

    References:
        R. Zhang, C. Li, J. Zhang, C. Chen and A. G. Wilson, Cyclical stochastic gradient MCMC for Bayesian deep
        learning, ICLR 2020, arXiv:1902.03932, equation (1).
    """

    def __call__(self, step: Any) -> Any:
        part = ops.cast(self.place(step), keras.config.floatx()) / self.cycle_length
        return self.initial_value / 2 * (ops.cos(math.pi * part) + 1)


@keras.saving.register_keras_serializable(package="keras_langevin")
class CyclicalNoise(_Cyclical):
    """A noise level that is 0 in the first part of each cycle of C steps and σ₀ in the second.

        σ_k = σ₀ · 1{mod(k − 1, C)/C >= β},   k = 1, 2, ...

    Args:
        initial_value: σ₀, float >= 0.
        cycle_length: C, int >= 1, steps.
        exploration_fraction: β, float in (0, 1), the part of a cycle without noise. Defaults to `0.5`.
        first_step: int, the optimizer's step counter at k = 1. Defaults to `0`.
        name: str or None. Defaults to `None`.

    Example:

    >>> from keras_langevin.optimizers import CyclicalNoise
    >>> schedule = CyclicalNoise(0.5, cycle_length=4, exploration_fraction=0.5)
    >>> [float(schedule(step)) for step in range(6)]
    [0.0, 0.0, 0.5, 0.5, 0.0, 0.0]

    References:
        R. Zhang et al., ICLR 2020, arXiv:1902.03932, algorithm 1.
    """

    def __init__(
        self,
        initial_value: float,
        cycle_length: int,
        exploration_fraction: float = 0.5,
        first_step: int = 0,
        name: str | None = None,
    ):
        super().__init__(initial_value, cycle_length, first_step, name)
        check_exploration_fraction(exploration_fraction)
        self.exploration_fraction = exploration_fraction

    @property
    def first_noisy_place(self) -> int:
        """The first place in a cycle with noise, or `cycle_length` if the cycle has no noise."""
        place = math.ceil(self.exploration_fraction * self.cycle_length)
        # rounding may lift the product above the integer that it should be
        return place - 1 if (place - 1) / self.cycle_length >= self.exploration_fraction else place

    def is_noisy(self, step: Any) -> Any:
        """Whether mod(k − 1, C)/C >= β, for a step as the optimizer's counter counts it."""
        return self.place(step) >= self.first_noisy_place

    def __call__(self, step: Any) -> Any:
        return self.initial_value * ops.cast(self.is_noisy(step), keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"exploration_fraction": self.exploration_fraction}


def check_exploration_fraction(value):
    """Checks that the value is in (0, 1).

    Raises:
        ValueError: it is not.
    """
    if not (is_real(value) and 0 < value < 1):
        raise ValueError(
            "`exploration_fraction`, the part of a cycle without noise, must be a float in (0, 1). "
            f"Received: exploration_fraction={value!r}. For noise throughout, use `CyclicalCosine` as the learning "
            "rate and a float `sigma`."
        )
