"""Settings that make tests faster and do not change what they check."""

import keras
import pytest

# On TensorFlow XLA compiles a step in seconds; tracing a graph takes a tenth of that.
JIT = "off" if keras.backend.backend() == "tensorflow" else "auto"

# The same, for `compile`.
JIT_COMPILE = False if keras.backend.backend() == "tensorflow" else "auto"

# For files whose many fits take minutes as graphs, and that test code of all backends. On TensorFlow only `.ci/run`
# runs them, at every change; on the others they run by default.
LONG_ON_TENSORFLOW = [pytest.mark.ci] if keras.backend.backend() == "tensorflow" else []

# Whether a few steps in eager mode take less time than tracing one.
EAGERLY = keras.backend.backend() == "tensorflow"


def built(model: keras.Model) -> keras.Model:
    """Builds the optimizer of a compiled model, as Keras does before the first step on JAX and PyTorch. On TensorFlow
    Keras builds it while it traces that step, which it then traces twice."""
    model.optimizer.build(model.trainable_variables)
    return model
