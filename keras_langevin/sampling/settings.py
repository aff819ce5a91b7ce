"""What made a sample: the optimizer's settings at one update."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_langevin.reading import innermost, number


def iteration_of(optimizer) -> int:
    """t, the number of updates done."""
    return int(number(innermost(optimizer).iterations))


def settings_of(optimizer) -> dict:
    """Settings of the update that was done last, in plain types that JSON can hold.

    Returns:
        dict with `iteration` (t), `sigma` (`None` where the optimizer has none), `learning_rate`, `seed` (likewise) and
        `optimizer`: its class and config, as `keras.saving.serialize_keras_object` gives them. A schedule's value is
        that of update t, not of the next one.
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
        # The counter has moved on since; both are what the schedule was called with.
        return number(schedule(optimizer._iterations - 1))
    return number(getattr(optimizer, name))
