"""Finds where Keras's optimizers store averages of the gradient and their last step, for `LangevinMonitor`."""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers import SGHMC, SGNHT
from keras_langevin.optimizers.registry import NEWER


class GradientAverage(NamedTuple):
    """A slot of the optimizer that a step changes by s ← decay · s + weight · g^power.

    Attributes:
        slots: list of variables, one for each variable of the optimizer.
        decay: float, or a flat array of all elements.
        weight: the same.
        power: int, 1 or 2.
        noise: float, the noise that a step adds to the slot, over the noise that it adds to the weights. Defaults to
            `0.0`.
    """

    slots: list
    decay: float | np.ndarray
    weight: float | np.ndarray
    power: int
    noise: float = 0.0


def gradient_averages(optimizer) -> list[GradientAverage]:
    """Returns the averages that the optimizer stores; an empty list if they are not known."""
    if isinstance(optimizer, SGNHT) and optimizer.thermal_rate:
        return []  # the factor by which its momentum decays changes at each step
    if isinstance(optimizer, keras.optimizers.SGD):
        noise = optimizer._momentum_noise if isinstance(optimizer, SGHMC) else 0.0
        decay, weight = optimizer.momentum, -optimizer.learning_rate
        return [GradientAverage(optimizer.momentums, decay, weight, 1, noise)] if optimizer.momentum else []
    if isinstance(optimizer, (keras.optimizers.Adam, keras.optimizers.Nadam, keras.optimizers.Lamb)):
        return [
            _mean(optimizer._momentums, optimizer.beta_1, 1),
            _mean(optimizer._velocities, optimizer.beta_2, 2),
        ]
    if isinstance(optimizer, keras.optimizers.Adamax):
        return [_mean(optimizer._m, optimizer.beta_1, 1)]
    if isinstance(optimizer, keras.optimizers.Lion):
        return [_mean(optimizer._momentums, optimizer.beta_2, 1)]
    if isinstance(optimizer, NEWER.get("LMuon", ())):
        of_muon = [velocity is None for velocity in optimizer.adam_velocities]
        sizes = [math.prod(variable.shape) for variable in optimizer._trainable_variables]
        is_of_muon = np.repeat(of_muon, sizes)
        decay = np.where(is_of_muon, optimizer.momentum, optimizer.adam_beta_1)
        return [GradientAverage(optimizer.momentums, decay, np.where(is_of_muon, 1, 1 - decay), 1)]
    if isinstance(optimizer, NEWER.get("LScheduleFreeAdamW", ())):
        return [_mean(optimizer._velocities, optimizer.beta_2, 2)]
    if isinstance(optimizer, keras.optimizers.RMSprop):
        return [_mean(optimizer._velocities, optimizer.rho, 2)]
    if isinstance(optimizer, keras.optimizers.Adadelta):
        return [_mean(optimizer._accumulated_grads, optimizer.rho, 2)]
    if isinstance(optimizer, keras.optimizers.Adagrad):
        return [GradientAverage(optimizer._accumulators, 1.0, 1.0, 2)]
    return []


def last_step(optimizer, t, preconditioner, read):
    """Returns γP times the last direction; `None` if that is the gradient itself, or is not in the slots.

    Args:
        optimizer: the optimizer after its step.
        t: scalar tensor, the number of that update, from 1.
        preconditioner: P, flat tensor of all elements or scalar.
        read: function from slots to a flat tensor of all their elements.
    """
    if isinstance(optimizer, keras.optimizers.SGD):
        return read(optimizer.momentums) if optimizer.momentum and not optimizer.nesterov else None
    if isinstance(optimizer, (keras.optimizers.Adam, keras.optimizers.Lamb, keras.optimizers.Adamax)):
        moments = optimizer._m if isinstance(optimizer, keras.optimizers.Adamax) else optimizer._momentums
        direction = read(moments) / (1 - ops.power(optimizer.beta_1, t))
        return optimizer.learning_rate * preconditioner * direction
    if isinstance(optimizer, keras.optimizers.Lion):
        return optimizer.learning_rate * preconditioner * ops.sign(read(optimizer._momentums))  # the sign may differ
    if isinstance(optimizer, keras.optimizers.RMSprop):
        return read(optimizer._momentums) if optimizer.momentum else None
    return None


def _mean(slots, decay, power) -> GradientAverage:
    return GradientAverage(slots, decay, 1 - decay, power)
