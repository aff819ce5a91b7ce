"""The Keras backend of a command."""

import os
import sys

from keras_langevin.quiet import without_log_lines

BACKENDS = ("tensorflow", "jax", "torch")


def start_keras(backend: str | None) -> str:
    """Imports Keras on that backend, or on Keras's own choice for `None`, and says which it is.

    Raises:
        ValueError: the backend cannot be imported, Keras runs on another one already, or is a release that the package
            does not fit.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if backend is not None and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    try:
        with without_log_lines():
            import keras
    except ImportError as error:
        extra = backend or os.environ.get("KERAS_BACKEND", "tensorflow")
        raise ValueError(
            f"The {extra} backend cannot be imported ({error}). Install it, or choose another with --backend."
        ) from error
    from keras_langevin import keras_internals

    try:
        keras_internals.check()
    except ImportError as error:
        raise ValueError(str(error)) from error
    running = keras.backend.backend()
    if backend not in (None, running):
        raise ValueError(
            f"Keras is running on the {running} backend already, and cannot change to {backend} in the same process. "
            f"Set KERAS_BACKEND={backend} before Keras is imported."
        )
    return running
