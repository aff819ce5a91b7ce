"""The noise's state in a file of weights: apart from the parent's, so that a file of either loads into the other."""

import warnings
from collections.abc import Callable

import keras
from keras import ops


class NoiseState(keras.layers.Layer):
    """What a Langevin optimizer has beyond its parent, as Keras saves and loads it: a part of the optimizer.

    The optimizer itself saves its parent's variables alone, numbered as the parent numbers them. A file that was saved
    with the parent has no such part; then seed and noise level stay what they are, and a message says so.

    Args:
        owner: str, the optimizer's class, for the message.
        variables: function that returns the variables by name.
        is_built: function that tells whether the optimizer is built.
    """

    def __init__(self, owner: str, variables: Callable[[], dict[str, keras.Variable]], is_built: Callable[[], bool]):
        super().__init__(name="noise_state")
        self._owner, self._of_optimizer, self._is_built = owner, variables, is_built

    def save_own_variables(self, store):
        for name, variable in self._of_optimizer().items():
            store[name] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        if not self._is_built():
            return  # Keras has said that nothing is loaded
        variables = self._of_optimizer()
        saved = set(store.keys())
        if not saved:
            warnings.warn(
                f"The file has no state of the noise: it was saved with another optimizer than {self._owner}. Its "
                "moments and its number of updates are loaded; seed and sigma stay what they are.",
                stacklevel=2,
            )
        for name in variables.keys() & saved:
            variables[name].assign(store[name])
