"""Computes the loss V and its gradient at any weights, without changing the model."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_langevin.optimizers import Langevin, layer_noise
from keras_langevin.optimizers.keras_classes import langevin_parts
from keras_langevin.reading import innermost


@dataclass(frozen=True)
class Point:
    """V and its gradient.

    Attributes:
        theta: flat array of the noisy weights.
        loss: float, V: the mean over the batches.
        gradient: flat array, ∇V.
        variance: flat array, the variance of one batch's gradient if batches are drawn without replacement; zeros if
            there is one batch.
    """

    theta: np.ndarray
    loss: float
    gradient: np.ndarray
    variance: np.ndarray


class Potential:
    """V(θ) and ∇V(θ) as functions of the noisy weights, with the other weights fixed.

    The model runs in training mode, as in a step, and does not change.

    Args:
        model: a built model that is compiled with one built Langevin optimizer.
        batches: list of tuples (x, y, sample_weight) of equal size.
    """

    def __init__(self, model, batches: list[tuple]):
        self._model, self._batches = model, batches
        self.optimizer = langevin_optimizer(model)
        self._variables = list(model.trainable_variables)
        self._others = list(model.non_trainable_variables)
        self._differentiate = _DIFFERENTIATE[keras.backend.backend()](self._loss)
        self.refresh()

    def refresh(self):
        """Reads the model's weights and the optimizer's P."""
        self._values = [np.array(ops.convert_to_numpy(variable), "float64") for variable in self._variables]
        places = {id(variable): number for number, variable in enumerate(self._variables)}
        own = self.optimizer._trainable_variables
        ends = np.cumsum([int(np.prod(variable.shape)) for variable in own])
        parts = np.split(np.concatenate(list(layer_noise(self.optimizer).values())), ends[:-1])
        self._noise = [np.zeros(value.size) for value in self._values]
        for variable, part in zip(own, parts, strict=True):
            self._noise[places[id(variable)]] = part
        self._is_noisy = [part > 0 for part in self._noise]

    @property
    def noise(self) -> np.ndarray:
        """σ√(γP), the standard deviation of a step's noise: a flat array for the noisy weights."""
        return np.concatenate([part[chosen] for part, chosen in zip(self._noise, self._is_noisy, strict=True)])

    @property
    def theta(self) -> np.ndarray:
        """The noisy weights at the last `refresh`."""
        return self._chosen(self._values)

    def at(self, theta: np.ndarray) -> Point:
        """Computes V and ∇V at given weights.

        Args:
            theta: flat array of the noisy weights.
        """
        values, begin = [], 0
        for value, chosen in zip(self._values, self._is_noisy, strict=True):
            flat, count = value.ravel().copy(), int(chosen.sum())
            flat[chosen] = theta[begin : begin + count]
            begin += count
            values.append(flat.reshape(value.shape))
        tensors = [
            ops.convert_to_tensor(value, variable.dtype)
            for value, variable in zip(values, self._variables, strict=True)
        ]
        others = [ops.convert_to_tensor(variable) for variable in self._others]
        loss = total = squares = 0.0
        for batch in self._batches:
            value, gradients = self._differentiate(tensors, others, *batch)
            gradient = self._chosen([np.asarray(ops.convert_to_numpy(each), "float64") for each in gradients])
            loss += float(ops.convert_to_numpy(value))
            total, squares = total + gradient, squares + np.square(gradient)
        count = len(self._batches)
        mean = total / count
        variance = np.maximum(squares / count - np.square(mean), 0.0)  # factors cancel: K/(K − 1) · (1 − 1/K) = 1
        return Point(np.asarray(theta, "float64"), loss / count, mean, variance)

    def _chosen(self, values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([value.ravel()[chosen] for value, chosen in zip(values, self._is_noisy, strict=True)])

    def _loss(self, values, others, x, y, sample_weight):
        state = [*zip(self._variables, values, strict=True), *zip(self._others, others, strict=True)]
        with keras.StatelessScope(state_mapping=state):
            model = self._model
            outputs = model(x, training=True)
            return model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=sample_weight)


def langevin_optimizer(model) -> Langevin:
    """Returns the one Langevin optimizer of a compiled model.

    Raises:
        ValueError: there is none, or several.
    """
    optimizer = getattr(model, "optimizer", None)
    found = langevin_parts(optimizer)
    if len(found) != 1:
        raise ValueError(
            "The model must be compiled with one Langevin optimizer. Received: "
            f"{len(found) if found else type(innermost(optimizer)).__name__}. Compile it with one, as in "
            "`model.compile(optimizer=keras_langevin.LSGD(0.01, sigma=posterior_sigma(N)), ...)`."
        )
    return found[0]


# --- the derivative on each backend -----------------------------------------------------------------------------------


def _on_jax(loss):
    import jax

    return jax.jit(jax.value_and_grad(loss))


def _on_tensorflow(loss):
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def differentiate(values, *rest):
        with tf.GradientTape() as tape:
            tape.watch(values)
            value = loss(values, *rest)
        return value, tape.gradient(value, values, unconnected_gradients="zero")

    return differentiate


def _on_torch(loss):
    import torch

    def differentiate(values, *rest):
        values = [value.detach().requires_grad_() for value in values]
        value = loss(values, *rest)
        gradients = torch.autograd.grad(value, values, allow_unused=True)
        return value.detach(), [
            torch.zeros_like(each) if gradient is None else gradient
            for gradient, each in zip(gradients, values, strict=True)
        ]

    return differentiate


_DIFFERENTIATE = {"jax": _on_jax, "tensorflow": _on_tensorflow, "torch": _on_torch}
