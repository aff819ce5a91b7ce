"""What makes the tests quick and changes nothing that they look at."""

import keras
import pytest

# XLA takes seconds for a step on TensorFlow, which as a graph takes a tenth of that to make.
JIT = "off" if keras.backend.backend() == "tensorflow" else "auto"

# The same, for `compile`.
JIT_COMPILE = False if keras.backend.backend() == "tensorflow" else "auto"

# For files whose many fits take minutes as graphs, and that look at what all backends share. On TensorFlow they are
# left to `.ci/run`, which runs them at every change; on the others they run by default.
LONG_ON_TENSORFLOW = [pytest.mark.ci] if keras.backend.backend() == "tensorflow" else []

# Where a few steps in eager mode take less time than the trace of one.
EAGERLY = keras.backend.backend() == "tensorflow"


def built(model: keras.Model) -> keras.Model:
    """The compiled model with its optimizer built, as Keras builds it before the first step on JAX and PyTorch. On
    TensorFlow it does so while it traces that step, which it then traces twice."""
    model.optimizer.build(model.trainable_variables)
    return model
