"""What makes the tests quick and changes nothing that they look at."""

import keras

# XLA takes seconds for a step on TensorFlow, which as a graph takes a tenth of that to make.
JIT = "off" if keras.backend.backend() == "tensorflow" else "auto"

# The same, for `compile`.
JIT_COMPILE = False if keras.backend.backend() == "tensorflow" else "auto"

# Where a few steps in eager mode take less time than the trace of one.
EAGERLY = keras.backend.backend() == "tensorflow"


def built(model: keras.Model) -> keras.Model:
    """The compiled model with its optimizer built, as Keras builds it before the first step on JAX and PyTorch. On
    TensorFlow it does so while it traces that step, which it then traces twice."""
    model.optimizer.build(model.trainable_variables)
    return model
