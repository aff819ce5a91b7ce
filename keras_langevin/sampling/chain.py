"""Identifies a chain by what must not change while its samples are collected."""

import hashlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers import Langevin
from keras_langevin.optimizers.selection import group_by_layer
from keras_langevin.reading import innermost, number, parts
from keras_langevin.sampling.settings import iteration_of, settings_of

# Keys that are not settings (Keras counts names in each process, and the module says where a class is), or that are
# compared separately.
_LEFT_OUT = ("name", "module", "registered_name", "build_config", "layers", "is_gated", "learning_rate", "sigma")


def levels_of(optimizer) -> list:
    """Returns learning rate and sigma of each optimizer in it, as floats or schedules. Callbacks may change them."""
    raw = (getattr(part, f"_{name}", None) for part in parts(optimizer) for name in ("learning_rate", "sigma"))
    return [number(value) if isinstance(value, keras.Variable) or ops.is_tensor(value) else value for value in raw]


def plain(levels: list) -> list:
    """Returns the levels, with schedules in types that JSON can hold."""
    return [_stripped(keras.saving.serialize_keras_object(level)) if callable(level) else level for level in levels]


def begun(model, levels: list) -> dict:
    """Describes the chain that starts from a model's current state.

    Args:
        model: a compiled and built model.
        levels: learning rates and sigmas that it was compiled with, see `levels_of`.

    Returns:
        dict with `optimizer` (class and settings without learning rate and sigma), `noisy` (the indices of the
        trainable variables with noise), `levels`, `begin` (the number of updates done) and `start` (a digest of the
        weights).
    """
    optimizer = model.optimizer
    return {
        "optimizer": _stripped(settings_of(optimizer)["optimizer"]),
        # The variables of a `MultiOptimizer`'s parts are not known before it is built.
        "noisy": _noisy(innermost(optimizer), model.trainable_variables),
        "levels": plain(levels),
        "begin": iteration_of(optimizer),
        "start": _digest(model.weights),
    }


def differences(chain: dict, now: dict, levels: list[list], known: list[list]) -> Iterator[str]:
    """Yields the differences between a fit and the chain of the samples, in words.

    Args:
        chain: dict from `begun`, of the samples.
        now: dict from `begun`, of the fit.
        levels: the levels at the start of the fit, which another callback may have restored.
        known: the levels of the samples.
    """
    for name in ("optimizer", "noisy"):
        yield from _differing(name, chain.get(name), now[name])
    all_known = [chain.get("levels"), *known]
    if now["levels"] not in all_known and levels not in all_known:
        yield f"learning rate and sigma {all_known[-1]} there, {levels} here"
    if chain.get("begin") == now["begin"] and chain.get("start") != now["start"]:
        yield f"other weights at update {now['begin']}"


def alike(arrays: list[np.ndarray], others: list[np.ndarray]) -> bool:
    """Returns whether weights are equal up to rounding."""
    for array, other in zip(arrays, others, strict=True):
        if other.dtype.kind == "V":  # bfloat16 comes back from a file as bytes
            other = other.view(array.dtype)
        array, other = np.asarray(array, float), np.asarray(other, float)
        size = float(np.sqrt(np.mean(other**2))) if other.size else 0.0
        if not np.allclose(array, other, rtol=1e-3, atol=1e-3 * size, equal_nan=True):
            return False
    return True


def _stripped(value):
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items() if key not in _LEFT_OUT}
    return [_stripped(item) for item in value] if isinstance(value, list | tuple) else value


def _differing(name: str, before, now) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            yield from _differing(key, before.get(key), now.get(key))
    elif before != now:
        yield f"{name}={before!r} there, {name}={now!r} here"


def _noisy(optimizer, variables) -> list[int] | None:
    """Returns the indices of the noisy variables; `None` if they may change in a chain, or if there is no noise."""
    if not isinstance(optimizer, Langevin) or optimizer._is_gated:
        return None
    return sorted(
        index for group in optimizer._noisy_among(group_by_layer(variables), variables) for index in group.indices
    )


def _digest(variables) -> str:
    found = hashlib.sha256()
    for variable in variables:
        found.update(np.ascontiguousarray(ops.convert_to_numpy(variable)).tobytes())
    return found.hexdigest()[:16]
