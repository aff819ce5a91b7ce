"""Schedules and values for sigma. Every Keras learning-rate schedule works too."""

import math
from typing import Any

import keras
from keras import ops

from keras_langevin.values import check_int, is_level, is_real


@keras.saving.register_keras_serializable(package="keras_langevin")
class LogSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A noise level that falls like 1 over the root of a logarithm: σ_t = σ₀ / √log(e + t · decay).

    The reference implementation uses it with `decay=1/1960`, for 20 epochs of 98 batches.

    Args:
        initial_value: σ₀, float >= 0.
        decay: float >= 0, per step. Defaults to `1.0`.
        name: str or None.

    Example:

    >>> from keras_langevin import LAdam, LogSchedule
    >>> optimizer = LAdam(1e-3, sigma=LogSchedule(1e-3, decay=1 / 1960))
    >>> print(f"{float(optimizer.sigma):.4f}")
    0.0010

    References:
        P. Bras, arXiv:2212.14718, section 4; the decay is that of simulated annealing by Langevin dynamics.
    """

    def __init__(self, initial_value: float, decay: float = 1.0, name: str | None = "LogSchedule"):
        super().__init__()
        for argument, value in (("initial_value", initial_value), ("decay", decay)):
            if not is_level(value):
                raise ValueError(
                    f"`{argument}` must be a finite number >= 0. Received: {argument}={value!r}. Pass one, as in "
                    f"`{argument}=1e-3`."
                )
        self.initial_value = initial_value
        self.decay = decay
        self.name = name

    def __call__(self, step: Any) -> Any:
        # log(e + t · decay) as log(e¹ + e^(log t + log decay)): t · decay may overflow a float
        log_step = ops.log(ops.cast(step, keras.config.floatx()))
        log_decay = math.log(self.decay) if self.decay else -math.inf
        return self.initial_value / ops.sqrt(ops.logaddexp(ops.ones_like(log_step), log_step + log_decay))

    def get_config(self) -> dict[str, Any]:
        return {"initial_value": self.initial_value, "decay": self.decay, "name": self.name}


@keras.saving.register_keras_serializable(package="keras_langevin")
class NoiseBurst(keras.optimizers.schedules.LearningRateSchedule):
    """Noise in the first updates of a training, and none afterwards: σ_t = σ for t < `updates`, else 0.

    In a very deep plain net the noise acts as a second initialization: the net needs it until it starts
    to train, 35 to 140 updates for 40 dense layers (docs/why-noise-helps.md).

    Args:
        sigma: float >= 0, the noise level of the first updates.
        updates: int >= 1, how many updates have noise. Defaults to `100`.
        name: str or None.

    Example:

    >>> from keras_langevin import LAdam, NoiseBurst
    >>> burst = NoiseBurst(1e-3, updates=35)
    >>> optimizer = LAdam(1e-3, sigma=burst)
    >>> [round(float(burst(step)), 4) for step in (0, 34, 35)]
    [0.001, 0.001, 0.0]
    """

    def __init__(self, sigma: float, updates: int = 100, name: str | None = "NoiseBurst"):
        super().__init__()
        if not is_level(sigma):
            raise ValueError(f"`sigma` must be a finite number >= 0. Received: sigma={sigma!r}. Give one, as in 1e-3.")
        check_int("updates", updates, 1)
        self.sigma, self.updates, self.name = sigma, updates, name

    def __call__(self, step: Any) -> Any:
        sigma = ops.convert_to_tensor(self.sigma, keras.config.floatx())
        return ops.where(ops.convert_to_tensor(step) < min(self.updates, 2**31 - 1), sigma, ops.zeros_like(sigma))

    def get_config(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "updates": self.updates, "name": self.name}


def posterior_sigma(data_size: int, temperature: float = 1.0) -> float:
    """Returns the noise level that samples a posterior: σ = √(2T/N).

    A Langevin optimizer samples exp(−2V/σ²) for small learning rates. If V is the mean of −log p over N examples plus
    the prior's −log p/N, this is the posterior at temperature T. docs/sampling.md lists what changes the temperature,
    such as losses that average over outputs.

    Args:
        data_size: N, int >= 1, the number of training examples (not of batches), or of values that the loss averages.
        temperature: T, float > 0; 1 is the Bayesian posterior. Defaults to `1.0`.

    Example:

    >>> from keras_langevin import posterior_sigma
    >>> posterior_sigma(20_000)
    0.01

    References:
        M. Welling and Y. W. Teh, ICML 2011.
    """
    if not (is_real(data_size) and data_size >= 1):
        raise ValueError(
            f"`data_size`, the number of examples, must be >= 1. Received: data_size={data_size!r}. Pass the length "
            "of the training data."
        )
    if not (is_real(temperature) and temperature > 0):
        raise ValueError(
            f"`temperature` must be finite and > 0. Received: temperature={temperature!r}. Pass 1.0 for the posterior."
        )
    return math.sqrt(2 * temperature / data_size)
