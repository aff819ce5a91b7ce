"""Trains many runs of one compiled model at once, on JAX: a `vmap` of Keras's own training step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain

import keras

if keras.backend.backend() == "jax":
    import jax
    import jax.numpy as jnp
    from jax import lax

    from keras_langevin.optimizers.noise import on_jax


class StackedSteps:
    """Updates of many runs: a `lax.scan` over Keras's own step, which `vmap` maps over the runs.

    A stack is a list with the values of `variables`, each with a leading axis for the runs.

    Args:
        model: a compiled model whose weights, optimizer and metrics are built.
        variables: list of all its variables and its optimizer's, in any order.
    """

    def __init__(self, model, variables: Sequence):
        self.model = model
        self.places = {id(variable): place for place, variable in enumerate(variables)}
        parts = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        self.parts = [[self.places[id(variable)] for variable in part] for part in parts]
        self._mapped = jax.jit(jax.vmap(self._updates, in_axes=(0, 0, None)), donate_argnums=0)

    def train(self, stack: list, indices, data) -> tuple[list, dict]:
        """Makes one update per batch. The stack is donated: do not use it afterwards.

        Args:
            stack: list of arrays.
            indices: int array of shape `(num_runs, num_updates, batch_size)`: the examples of each batch.
            data: `(x, y)`, structures of arrays of examples.

        Returns:
            The new stack, and the metrics of each run over these updates, arrays of shape `(num_runs,)`.
        """
        return self._mapped(stack, indices, data)

    def no_metrics(self) -> list:
        """Returns the values of one run's metrics before the first batch."""
        return [jnp.zeros_like(variable.value) for variable in self.model.metrics_variables]

    def split(self, values: list) -> list[list]:
        """Splits the values of one run into trainable, non-trainable and the optimizer's."""
        return [[values[place] for place in places] for places in self.parts]

    def _updates(self, values, indices, data):
        def step(carried, chosen):
            values, metrics = carried
            batch = jax.tree.map(lambda array: jnp.take(array, chosen, axis=0), data)
            scores, (*parts, metrics) = self.model.train_step((*self.split(values), metrics), batch)
            changed = dict(zip(chain(*self.parts), chain(*parts), strict=True))
            return ([changed[place] for place in range(len(values))], metrics), scores

        with mapped_over_runs():
            (values, _), scores = lax.scan(step, (values, self.no_metrics()), indices)
        return values, {name: each[-1] for name, each in scores.items()}


@contextmanager
def mapped_over_runs() -> Iterator[None]:
    """Makes all runs of a mapped step draw noise if any of them has noise. `vmap` of a `cond` would always draw it."""
    plain, on_jax.cond = on_jax.cond, _cond
    try:
        yield
    finally:
        on_jax.cond = plain


def _cond(is_noisy, drawn, skipped, *arguments):
    """A `lax.cond` that `vmap` keeps. Both branches return the numbers, and the starts, which all runs share."""

    @jax.custom_batching.custom_vmap
    def choose(is_noisy, *arguments):
        return lax.cond(is_noisy, drawn, skipped, *arguments)

    @choose.def_vmap
    def choose_over_runs(size, is_mapped, is_noisy, *arguments):
        pairs = zip(arguments, is_mapped[1:], strict=True)
        arguments = [each if is_own else jnp.stack([each] * size) for each, is_own in pairs]

        def over_runs(branch, *arguments):
            numbers, *starts = jax.vmap(branch)(*arguments)
            return numbers, *(start[0] for start in starts)

        found = lax.cond(jnp.any(is_noisy), *(partial(over_runs, branch) for branch in (drawn, skipped)), *arguments)
        return found, (True, *[False] * (len(found) - 1))

    return choose(is_noisy, *arguments)
