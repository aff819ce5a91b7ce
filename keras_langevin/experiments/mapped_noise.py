"""The noise of steps that `vmap` maps over runs (JAX)."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp
from jax import lax

from keras_langevin.optimizers.noise import on_jax


@contextmanager
def mapped_over_runs() -> Iterator[None]:
    """Within it steps are traced that `vmap` makes steps of many runs. Without it the numbers are the same, and take
    longer. (XLA may round a step that has it otherwise.)

    `vmap` turns a conditional into a selection, and XLA looks into both sides of it. By this rule it stays a
    conditional: over runs that are trained at once, it draws where one of them has noise.
    """
    plain, on_jax.cond = on_jax.cond, _cond
    try:
        yield
    finally:
        on_jax.cond = plain


def _cond(is_noisy, drawn, skipped, *arguments):
    """Both branches return the numbers, and starts that are those of every run."""

    @jax.custom_batching.custom_vmap
    def choose(is_noisy, *arguments):
        return lax.cond(is_noisy, drawn, skipped, *arguments)

    @choose.def_vmap
    def choose_over_runs(size, is_mapped, is_noisy, *arguments):
        axes = [0 if each else None for each in is_mapped[1:]]
        if not any(is_mapped[1:]):  # runs that differ in scale alone
            arguments, axes = [jnp.stack([each] * size) for each in arguments], [0] * len(arguments)
        starts = (
            len(
                jax.eval_shape(
                    drawn, *(each[0] if axis == 0 else each for each, axis in zip(arguments, axes, strict=True))
                )
            )
            - 1
        )
        branches = [jax.vmap(branch, axes, (0, *[None] * starts)) for branch in (drawn, skipped)]
        return lax.cond(jnp.any(is_noisy), *branches, *arguments), (True, *[False] * starts)

    return choose(is_noisy, *arguments)
