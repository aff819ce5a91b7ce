"""Which chain a sample is of: what must not change while its samples are collected."""

import hashlib
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers import Langevin
from keras_langevin.optimizers.selection import group_by_layer
from keras_langevin.reading import innermost, number, parts
from keras_langevin.sampling.settings import iteration_of, settings_of

# What is no setting, or is compared apart: names that are counted in each process, and what says the same as a place.
_LEFT_OUT = ("name", "module", "registered_name", "build_config", "layers", "is_gated", "learning_rate", "sigma")


def levels_of(optimizer) -> list:
    """Learning rate and sigma of each optimizer in it, as floats or schedules: callbacks may change them in a chain."""
    raw = (getattr(part, f"_{name}", None) for part in parts(optimizer) for name in ("learning_rate", "sigma"))
    return [number(value) if isinstance(value, keras.Variable) or ops.is_tensor(value) else value for value in raw]


def plain(levels: list) -> list:
    """The same, with schedules in types that JSON can hold."""
    return [_stripped(keras.saving.serialize_keras_object(level)) if callable(level) else level for level in levels]


def begun(model, levels: list) -> dict:
    """The chain that begins with a model as it is.

    Args:
        model: a compiled and built model.
        levels: learning rates and sigmas that it was compiled with, see `levels_of`.

    Returns:
        dict with `optimizer` (class and settings but for learning rate and sigma), `noisy` (the numbers of the
        trainable variables with noise), `levels`, `begin` (the number of updates done) and `start` (a digest of the
        weights).
    """
    optimizer = model.optimizer
    return {
        "optimizer": _stripped(settings_of(optimizer)["optimizer"]),
        # Of a `MultiOptimizer` the variables of each part are not known before it is built.
        "noisy": _noisy(innermost(optimizer), model.trainable_variables),
        "levels": plain(levels),
        "begin": iteration_of(optimizer),
        "start": _digest(model.weights),
    }


def differences(chain: dict, now: dict, levels: list[list], known: list[list]) -> Iterator[str]:
    """What makes a fit another chain, in words.

    Args:
        chain: dict as `begun` returns it, of the samples.
        now: likewise, of the fit.
        levels: those that the fit begins with, which another callback may have restored.
        known: those of the samples.
    """
    for name in ("optimizer", "noisy"):
        yield from _differing(name, chain.get(name), now[name])
    all_known = [chain.get("levels"), *known]
    if now["levels"] not in all_known and levels not in all_known:
        yield f"learning rate and sigma {all_known[-1]} there, {levels} here"
    if chain.get("begin") == now["begin"] and chain.get("start") != now["start"]:
        yield f"other weights at update {now['begin']}"


def alike(arrays: list[np.ndarray], others: list[np.ndarray]) -> bool:
    """Whether weights are equal but for what rounding may do."""
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
    """`None` where the layers may change in a chain, and where there is no noise."""
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
