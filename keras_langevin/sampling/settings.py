"""Reads the settings that produced a sample: those of the optimizer at one update."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_langevin.reading import innermost, number


def iteration_of(optimizer) -> int:
    """Returns t, the number of updates done."""
    return int(number(innermost(optimizer).iterations))


def settings_of(optimizer) -> dict:
    """Returns the settings of the last update, in plain types that JSON can hold.

    Returns:
        dict with `iteration` (t), `sigma` and `seed` (`None` if the optimizer has none), `learning_rate`, and
        `optimizer`: its class and config from `keras.saving.serialize_keras_object`. A schedule's value is the one at
        update t, not at the next one.
    """
    inner = innermost(optimizer)
    return {
        "iteration": iteration_of(inner),
        "sigma": _value(inner, "sigma"),
        "learning_rate": _value(inner, "learning_rate"),
        "seed": getattr(inner, "seed", None),
        "optimizer": keras.saving.serialize_keras_object(optimizer),
    }


def _value(optimizer, name: str) -> float | None:
    if not hasattr(optimizer, name):
        return None
    schedule = getattr(optimizer, f"_{name}", None)
    if isinstance(schedule, LearningRateSchedule):
        # The counter has advanced since the update called the schedule.
        return number(schedule(optimizer._iterations - 1))
    return number(getattr(optimizer, name))
