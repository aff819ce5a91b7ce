"""The numbers that a model computes with: a Keras dtype policy that holds for a while, and no longer."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import ops


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers that are made in this context have that precision.

    Under `"float64"` inputs, optimizers and metrics, too. On PyTorch Keras 3.15 makes a few operations float32 all the
    same (`dtypes.result_type`), among them those of `Normalization` and of a loss's mean.

    Args:
        precision: str, one of `config.PRECISIONS`.

    Example:

    >>> with computing_in("mixed_bfloat16"):
    ...     layer = keras.layers.Dense(2)
    >>> layer.compute_dtype, layer.variable_dtype, keras.config.dtype_policy().name
    ('bfloat16', 'float32', 'float32')
    """
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy(precision)
    keras.config.set_floatx(accurate(precision))
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def accurate(precision: str) -> str:
    """What pixels are prepared in, and the loss is computed in: never less than float32."""
    return "float64" if precision == "float64" else "float32"


def check(precision: str):
    """Tells whether the backend has that precision.

    Raises:
        ValueError: float64 on JAX, where it has not been enabled: JAX would compute in float32 and not say so.
    """
    if precision == "float64":
        has = keras.backend.standardize_dtype(ops.convert_to_tensor(np.zeros(())).dtype)
        if has != "float64":
            raise ValueError(
                "With precision='float64' the backend must have such numbers. "
                f"Received: {keras.backend.backend()}, which makes them {has}. "
                "On JAX set JAX_ENABLE_X64=1 in the environment; or choose another precision."
            )
