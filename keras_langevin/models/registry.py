"""Models by name."""

import keras

from keras_langevin.models.dense import dense
from keras_langevin.names import unknown

FAMILIES = {"dense": dense}


def build(name: str, input_shape: tuple[int, ...], num_classes: int, **options) -> keras.Model:
    """Builds a model from a name such as `"dense-30"`: a family and a depth.

    Args:
        name: str, `"{family}-{depth}"` with a family of `FAMILIES`.
        input_shape: tuple of ints, the shape of one example.
        num_classes: int, the number of logits.
        **options: further arguments of the family's function.

    Raises:
        ValueError: no such family (the message has a suggestion), or the depth is no int >= 1.

    Example:

    >>> from keras_langevin import models
    >>> models.build("dense-30", input_shape=(28, 28, 1), num_classes=10).name
    'dense-30'
    """
    family, _, depth = name.rpartition("-")
    if not depth.isdecimal() and depth in FAMILIES:
        raise ValueError(f"A model is named by its family and its depth. Received: {name!r}. Try: '{name}-30'")
    if family not in FAMILIES:
        raise unknown("model", name, [f"{known}-{depth if depth.isdecimal() else 'DEPTH'}" for known in FAMILIES])
    if not depth.isdecimal() or int(depth) < 1:
        raise ValueError(f"A model's depth must be an int >= 1, as in '{family}-30'. Received: {name!r}")
    return FAMILIES[family](int(depth), input_shape, num_classes, **options)
