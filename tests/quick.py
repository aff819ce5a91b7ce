"""What makes the tests quick and changes nothing that they look at."""

import keras

# XLA takes seconds for a step on TensorFlow, which as a graph takes a tenth of that to make.
JIT = "off" if keras.backend.backend() == "tensorflow" else "auto"

# The same, for `compile`.
JIT_COMPILE = False if keras.backend.backend() == "tensorflow" else "auto"
