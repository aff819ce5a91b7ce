"""Makes many updates of some of a model's weights, and returns the loss before each."""

import itertools
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from keras_langevin.sampling.weights import assign_all, values_of

# Updates between two checks of the clock. On JAX, one call makes them.
CHUNK = 100


class LocalizedUpdates:
    """Updates weights on the loss of a batch plus regularizers that pull the weights to where they started.

    The model runs in inference mode. Its own regularizers and added losses are left out.

    Args:
        model: a built model.
        loss: function of labels and outputs that returns their mean loss.
        variables: list of the weights to update.
        regularizers: list with a function for each of them. Their sum is added to the loss.
        optimizer: a built optimizer of these variables.
        batches: `(x, y)`, structures of arrays of shape `(num_batches, batch_size, ...)`.
    """

    def __init__(self, model, loss, variables: Sequence, regularizers: Sequence[Callable], optimizer, batches):
        self.model, self.loss, self.variables, self.optimizer = model, loss, list(variables), optimizer
        self.regularizers = list(regularizers)
        self.num_batches = len(keras.tree.flatten(batches)[0])
        self._batches = keras.tree.map_structure(ops.convert_to_tensor, batches)
        self._many = {"jax": _on_jax, "tensorflow": _on_tensorflow, "torch": _on_torch}[keras.backend.backend()](self)

    def run(self, order: np.ndarray) -> np.ndarray:
        """Makes an update on each batch in `order`.

        Args:
            order: at most `CHUNK` ints in [0, num_batches).

        Returns:
            float64 array, the loss of each batch before its update, without regularizers.
        """
        return np.asarray(self._many(self._batches, np.asarray(order, "int32")), float)

    def losses(self) -> np.ndarray:
        """Returns the loss of each batch, without updates: float64 array of shape `(num_batches,)`."""
        batches = [
            keras.tree.map_structure(lambda array, k=k: array[k], self._batches) for k in range(self.num_batches)
        ]
        return np.array([float(ops.convert_to_numpy(ops.stop_gradient(self._loss(batch)))) for batch in batches])

    @property
    def state(self) -> list[np.ndarray]:
        """Copies of the weights and of the optimizer's variables. It can be set."""
        return values_of([*self.variables, *self.optimizer.variables])

    @state.setter
    def state(self, arrays: list[np.ndarray]):
        assign_all([*self.variables, *self.optimizer.variables], arrays)

    def _loss(self, batch):
        x, y = batch
        return self.loss(y, self.model(x, training=False))

    def _losses(self, batch, weights):
        """Returns the loss with and without the regularizers."""
        loss = self._loss(batch)
        pulls = [regularizer(value) for regularizer, value in zip(self.regularizers, weights, strict=True)]
        return sum((ops.cast(pull, loss.dtype) for pull in pulls), loss), loss


def _on_jax(updates: LocalizedUpdates):
    import jax
    from jax import lax
    from jax import numpy as jnp

    def losses(weights, batch):
        with keras.StatelessScope(state_mapping=list(zip(updates.variables, weights, strict=True))):
            return updates._losses(batch, weights)

    gradients = jax.value_and_grad(losses, has_aux=True)

    def many(weights, state, batches, order, count):
        def update(number, carry):
            weights, state, found = carry
            batch = jax.tree.map(lambda array: array[order[number]], batches)
            (_, loss), grads = gradients(weights, batch)
            weights, state = updates.optimizer.stateless_apply(state, grads, weights)
            return list(weights), list(state), found.at[number].set(loss.astype(found.dtype))

        return lax.fori_loop(0, count, update, (weights, state, jnp.zeros(CHUNK, "float32")))

    compiled = jax.jit(many)

    def run(batches, order):
        padded = np.resize(order, CHUNK)
        both = updates.variables, updates.optimizer.variables
        *found, losses = compiled(*([v.value for v in part] for part in both), batches, padded, len(order))
        for variable, value in zip(itertools.chain(*both), itertools.chain(*found), strict=True):
            variable.assign(value)
        return losses[: len(order)]

    return run


def _on_tensorflow(updates: LocalizedUpdates):
    import tensorflow as tf

    @tf.function
    def update(batches, number):
        batch = tf.nest.map_structure(lambda array: array[number], batches)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in updates.variables])
            total, loss = updates._losses(batch, [variable.value for variable in updates.variables])
        grads = tape.gradient(total, [variable.value for variable in updates.variables])
        updates.optimizer.apply(grads, updates.variables)
        return loss

    return lambda batches, order: [update(batches, number).numpy() for number in tf.constant(order)]


def _on_torch(updates: LocalizedUpdates):
    import torch

    def run(batches, order):
        found = []
        for number in order.tolist():
            batch = keras.tree.map_structure(lambda array, k=number: array[k], batches)
            weights = [variable.value for variable in updates.variables]
            with torch.enable_grad():
                total, loss = updates._losses(batch, weights)
                grads = torch.autograd.grad(total, weights)
            with torch.no_grad():
                updates.optimizer.apply(list(grads), updates.variables)
            found.append(loss.detach())
        return torch.stack(found).cpu().numpy()

    return run
