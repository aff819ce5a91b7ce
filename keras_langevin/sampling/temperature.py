"""Finds, before a fit, why the temperature of the samples would differ from what sigma says."""

import math
import warnings
from collections.abc import Iterator
from contextlib import suppress

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers import SGHMC
from keras_langevin.optimizers.keras_classes import langevin_parts
from keras_langevin.reading import number
from keras_langevin.sampling.losses import own_loss
from keras_langevin.sampling.weights import restored

_HALF = ("bfloat16", "float16")
_SPACING = 0.01  # of the weights' floats, over the noise of an update: below this, rounding does not change the law


def warn_of_temperature(model, stacklevel: int = 2):
    """Warns once about everything that makes the law differ from exp(−2V/σ²), with the wrong number.

    Args:
        model: a compiled model. For an optimizer without Langevin noise there is no warning.
        stacklevel: int, see `warnings.warn`. Defaults to `2`, the caller.
    """
    found = temperature_faults(model)
    if found:
        lines = "".join(f"\n- {line}" for line in found)
        warnings.warn(f"The samples are not at the temperature that sigma says.{lines}", stacklevel=stacklevel + 1)


def temperature_faults(model) -> list[str]:
    """Returns what makes the law differ from exp(−2V/σ²): a sentence for each fault, with the wrong number."""
    parts = langevin_parts(model.optimizer)
    if not parts:
        return []
    found = [line for part in parts for line in (*_of_momentum(part), *_of_weight_decay(part))]
    return list(
        dict.fromkeys([*found, *warnings_of_losses(model), *_of_added_losses(model), *_of_precision(model, parts)])
    )


# --- the optimizer ----------------------------------------------------------------------------------------------------


def _lost_share(optimizer) -> float:
    """Returns 1 − μ (1 for `SGHMC`): momentum that is not damped multiplies the drift, not the noise, by 1/(1 − μ)."""
    return 1.0 if isinstance(optimizer, SGHMC) else 1.0 - float(getattr(optimizer, "momentum", 0.0) or 0.0)


def _of_momentum(optimizer) -> Iterator[str]:
    share = _lost_share(optimizer)
    if share < 1:
        remedy = f" Multiply sigma by {1 / math.sqrt(share):.4g}, or use SGHMC." if share > 0 else " Use SGHMC."
        yield (
            f"The momentum must be damped, or have the noise in it. Received: {type(optimizer).__name__} with "
            f"momentum={optimizer.momentum:g}: the temperature is {share:.4g} of what sigma says.{remedy}"
        )


def _of_weight_decay(optimizer) -> Iterator[str]:
    if not optimizer.weight_decay:
        return
    received = f"Received: {type(optimizer).__name__} with weight_decay={optimizer.weight_decay:g}"
    remedy = "Use GaussianPrior as a regularizer instead."
    if not isinstance(optimizer, keras.optimizers.SGD):
        yield (
            f"A prior must be in the loss. {received}, which is not preconditioned: its prior has the precision "
            f"{optimizer.weight_decay:g}/P, different for each weight. {remedy}"
        )
        return
    share = optimizer.friction if isinstance(optimizer, SGHMC) else _lost_share(optimizer)
    if share < 1:
        yield (
            f"A prior must be in the loss. {received}, which bypasses the momentum: the precision of its prior is "
            f"{share:.4g} of that. {remedy}"
        )


# --- the loss ---------------------------------------------------------------------------------------------------------


def warnings_of_losses(model) -> Iterator[str]:
    """Yields what makes a loss differ from the mean of −log p over the examples."""
    with suppress(Exception), warnings.catch_warnings(action="ignore"):  # the model or loss may reject made-up data
        own = own_loss(model)
        if own is None:
            return
        outputs = _outputs(model)
        examples = keras.tree.map_structure(_made_up, outputs)
        own.build(examples, examples)
        names = len(own._flat_losses) > 1
        for path, loss, weight, name in own._flat_losses:
            output, shape = examples, outputs
            for key in path:
                output, shape = output[key], shape[key]
            yield from _of_loss(loss, weight, output, shape.shape, f" of the output {name!r}" if names else "")


def _of_loss(loss, weight, output, shape, where: str) -> Iterator[str]:
    labels, scales = _scales(loss, output)
    if labels is None:
        return
    weight = 1.0 if weight is None else float(weight)
    averaged = [size for size, scale in zip(shape[1:], scales[1:], strict=False) if scale == "mean" and size != 1]
    name = f"{loss.name!r}{where}"
    if scales[0] == "sum":
        how = "reduction='sum'" if loss.reduction == "sum" else "a sum over the examples of a batch"
        yield (
            f"The loss must be a mean over the batch. Received: {name} with {how}: the temperature is 1/(batch size) "
            "of what sigma says. Use the loss's default reduction, or divide by the number of examples."
        )
    values = math.prod(size for size in averaged if size is not None)
    unknown = averaged.count(None)
    factor = " times ".join([f"{values / weight:.4g}", *["the length of an axis"] * unknown])
    if values / weight == 1 and not unknown:
        return
    what = f"averages over {'×'.join(str(size or '?') for size in averaged)} values of each example" if averaged else ""
    weighted = f"has loss_weights={weight:g}" if weight != 1 else ""
    remedy = "Sum over these values in a loss of your own" if unknown else f"Compile with loss_weights={values:.1f}"
    yield (
        "The loss must be −log p of an example, a sum over its values. Received: "
        f"{name}, which {' and '.join(filter(None, [what, weighted]))}: with `data_size` the number of examples, the "
        f"likelihood's temperature is {factor} times what sigma says. {remedy}, or let "
        "`data_size` count the values in `posterior_sigma` and `GaussianPrior`."
    )


def _outputs(model):
    """Returns KerasTensors in the structure of the model's outputs."""
    functional = _functional(model)
    if functional is not None:
        return functional._outputs_struct
    return model.compute_output_spec(keras.KerasTensor(model.get_build_config()["input_shape"]))


def _functional(model):
    """Returns the model, or the one inside a Sequential model; `None` for a subclass, whose inputs are not known."""
    found = getattr(model, "_functional", model)
    return found if hasattr(found, "_outputs_struct") else None


def _made_up(output) -> np.ndarray:
    """Makes two examples with positive values that sum to 1 over the last axis."""
    last = output.shape[-1] or 2
    shape = (2, *(1 if size == 1 else 2 for size in output.shape[1:-1]), *((last,) if len(output.shape) > 1 else ()))
    values = np.random.default_rng(0).uniform(0.1, 0.9, shape)
    return (values / values.sum(axis=-1, keepdims=True) if last > 1 else values).astype("float32")


def _scales(loss, output: np.ndarray) -> tuple[np.ndarray | None, list]:
    """Returns labels that the loss accepts, or `None`, and for each axis of an output whether the loss is the `"mean"`
    or the `"sum"` of the losses of parts of that axis, or neither (`None`), as for an axis of classes."""
    other = np.random.default_rng(1).uniform(0.1, 0.9, output.shape)
    other = other / other.sum(axis=-1, keepdims=True) if output.shape[-1] > 1 else other
    classes = np.arange(math.prod(output.shape[:-1])).reshape(output.shape[:-1]) % output.shape[-1]
    for labels in (other.astype("float32"), classes.astype("int32")):
        with suppress(Exception):
            whole = _value(loss, labels, output)
            return labels, [_scale(loss, labels, output, axis, whole) for axis in range(labels.ndim)]
    return None, []


def _scale(loss, labels, output, axis: int, whole: float) -> str | None:
    size = output.shape[axis]
    if size < 2 or not whole:
        return None
    parts = slice(0, size // 2), slice(size // 2, size)
    cuts = [(slice(None),) * axis + (part,) for part in parts]
    try:
        first, second = (_value(loss, labels[cut], output[cut]) for cut in cuts)
    except Exception:  # any error of a loss that does not accept a part
        return None
    if math.isclose(whole, first + second, rel_tol=1e-3):
        return "sum"
    mean = (first * (size // 2) + second * (size - size // 2)) / size
    return "mean" if math.isclose(whole, mean, rel_tol=1e-3) else None


def _value(loss, labels, output) -> float:
    return float(ops.convert_to_numpy(ops.sum(loss(ops.convert_to_tensor(labels), ops.convert_to_tensor(output)))))


def _of_added_losses(model) -> Iterator[str]:
    if not any(_adds_losses(type(layer)) for layer in model._flatten_layers()):
        return
    with suppress(Exception), warnings.catch_warnings(action="ignore"), restored(model):
        inputs = keras.tree.map_structure(_made_up_input, _functional(model)._inputs_struct)
        whole, first, second = (_added(model, inputs, rows) for rows in (slice(2), slice(1), slice(1, 2)))
        for of_both, *each in zip(whole, first, second, strict=True):
            if of_both and math.isclose(of_both, sum(each), rel_tol=1e-3):
                yield (
                    "A loss that `add_loss` adds must be a mean over the batch. Received: a sum over its examples, "
                    "which is (batch size) times too large. Divide it by the batch size."
                )


def _adds_losses(layer_class: type) -> bool:
    own = [base for base in layer_class.__mro__ if not base.__module__.startswith("keras.")]
    codes = [getattr(value, "__code__", None) for base in own for value in vars(base).values()]
    return any(code is not None and "add_loss" in code.co_names for code in codes)


def _made_up_input(tensor) -> np.ndarray:
    shape = (2, *(size or 2 for size in tensor.shape[1:]))
    values = np.random.default_rng(0).uniform(0.1, 0.9, shape)
    return values.astype("float32") if "float" in tensor.dtype else np.zeros(shape, tensor.dtype)


def _added(model, inputs, rows: slice) -> list[float]:
    model(keras.tree.map_structure(lambda values: ops.convert_to_tensor(values[rows]), inputs), training=False)
    return [float(ops.convert_to_numpy(loss)) for loss in model.losses]


# --- the weights ------------------------------------------------------------------------------------------------------


def _of_precision(model, parts: list) -> Iterator[str]:
    """Yields a fault if the weights are too coarse: rounding removes a drift below half their spacing."""
    rows = []
    for variable in model.trainable_variables:
        dtype = keras.backend.standardize_dtype(variable.dtype)
        values = np.asarray(ops.convert_to_numpy(ops.cast(variable, "float32")), float)
        size = float(np.sqrt(np.mean(values**2))) if values.size else 0.0
        if size and math.isfinite(size):
            rows.append((dtype, size, _epsilon(dtype) * 2.0 ** math.floor(math.log2(size))))
        elif dtype in _HALF:
            rows.append((dtype, 0.0, 0.0))
    if not rows:
        return
    dtype, size, spacing = max(rows, key=lambda row: (row[0] in _HALF, row[2]))
    noise = _noise(parts[0]) if len(parts) == 1 else None
    if dtype not in _HALF and not (noise and spacing > _SPACING * noise):
        return
    beside = f", {spacing / noise:.2g} times the noise of an update, {noise:.2g}" if noise else ""
    yield (
        "The weights must be float32, and the noise large compared with their spacing: a smaller drift is "
        f"rounded away, but the noise is not. Received: {dtype} weights of size {size:.2g}, whose spacing is "
        f"{spacing:.2g}{beside}. Use float32 weights, as under the policy mixed_{dtype}."
        if dtype in _HALF
        else f"The noise of an update must be large compared with the spacing of the weights. Received: {dtype} "
        f"weights of size {size:.2g}, whose spacing is {spacing:.2g}{beside}. Raise the learning rate, or use float64."
    )


def _epsilon(dtype: str) -> float:
    return {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23}.get(dtype, 2.0**-52)


def _noise(optimizer) -> float | None:
    """Returns σ√(γP), or `None` if P is not known before the fit."""
    if not isinstance(optimizer, keras.optimizers.SGD):
        return None
    share = optimizer.friction if isinstance(optimizer, SGHMC) else 1.0
    return number(optimizer.sigma) * math.sqrt(number(optimizer.learning_rate) * share)
