"""Models by name."""

import re
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_langevin.models.arguments import LARGEST_DEPTH
from keras_langevin.models.dense import conv_dense, dense
from keras_langevin.models.densenet import densenet, densenet121
from keras_langevin.models.highway import highway
from keras_langevin.models.initial_kernels import change_kernels, split
from keras_langevin.models.resnet import resnet
from keras_langevin.names import unknown

# The builder of each family, and an example of a depth.
FAMILIES = {
    "dense": (dense, 30),
    "he-dense": (partial(dense, kernel_initializer="he_normal", family="he-dense"), 30),
    "bn-dense": (partial(dense, batch_normalization=True, family="bn-dense"), 30),
    "conv-dense": (conv_dense, 20),
    "highway": (highway, 80),
    "resnet": (resnet, 20),
    "plain": (partial(resnet, residual=False), 20),
    "densenet": (densenet, 40),
    # as narrow as in the paper's code
    "narrow-resnet": (partial(resnet, filters=8, family="narrow-resnet"), 20),
    "narrow-densenet": (partial(densenet, growth_rate=5, family="narrow-densenet"), 22),
}

# Nets of one depth. They do not belong to the family that their name begins with.
SINGLES = {"densenet-121": densenet121}


def build(
    name: str, input_shape: tuple[int, ...], num_classes: int, *, images: np.ndarray | None = None, **options: Any
) -> keras.Model:
    """Builds a model from a name such as `"dense-30"`: a family and a depth.

    Args:
        name: str, `"{family}-{depth}"` with a family of `FAMILIES` and a depth in [1, 5,000], or `"densenet-121"`. An
            initialization may precede it: `"gain-1.12-dense-40"` (kernels times 1.12), `"grown-1.12-dense-40"` (the
            same root mean square through isotropic noise) or `"lsuv-dense-40"` (layer-sequential unit variance).
        input_shape: tuple of ints, the shape of one example.
        num_classes: int >= 2, the number of logits.
        images: array of shape `(num_images, *input_shape)`; `lsuv-` uses 512 of them. Defaults to `None`.
        **options: further arguments of the family's function.

    Raises:
        ValueError: an unknown family, or a depth or a shape that the model does not take.

    Example:

    >>> from keras_langevin import models
    >>> models.build("dense-30", input_shape=(28, 28, 1), num_classes=10).name
    'dense-30'
    """
    family, depth = parse(name)
    if depth is None:
        return SINGLES[family](input_shape, num_classes, **options)
    builder, _ = FAMILIES[family]
    model = builder(depth, input_shape, num_classes, **options)
    change, factor, _ = split(name)
    if change:
        change_kernels(model, change, factor, images)
    return model


def parse(name: str) -> tuple[str, int | None]:
    """Returns the family and the depth of a model's name. For a name in `SINGLES`, returns the name and `None`."""
    if not isinstance(name, str):
        raise ValueError(f"A model's name must be a str, as in 'dense-30'. Received: {name!r}. Give a name.")
    if name in SINGLES:
        return name, None
    name = split(name)[2]
    if name in FAMILIES:
        raise ValueError(
            f"A model is named by its family and its depth. Received: {name!r}. Try: '{name}-{FAMILIES[name][1]}'"
        )
    family, _, depth = name.rpartition("-")
    if family not in FAMILIES:
        digits = re.search(r"\d*$", name).group()
        near = [f"{known}-{digits or example}" for known, (_, example) in FAMILIES.items()]
        raise unknown("model", name, [*(f"{known}-DEPTH" for known in FAMILIES), *SINGLES], near)
    if not depth.isdecimal() or len(depth) > 9 or not 1 <= int(depth) <= LARGEST_DEPTH:
        raise ValueError(
            f"A model's depth must be an int >= 1, at most {LARGEST_DEPTH}, as in '{family}-{FAMILIES[family][1]}'. "
            f"Received: {name[:80]!r}"
        )
    return family, int(depth)
