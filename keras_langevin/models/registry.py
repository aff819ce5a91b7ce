"""Models by name."""

import re
from functools import partial

import keras

from keras_langevin.models.arguments import LARGEST_DEPTH
from keras_langevin.models.conv_dense import conv_dense
from keras_langevin.models.dense import bn_dense, dense, he_dense
from keras_langevin.models.densenet import densenet
from keras_langevin.models.densenet121 import densenet121
from keras_langevin.models.highway import highway
from keras_langevin.models.initial_kernels import change_kernels, split
from keras_langevin.models.resnet import resnet
from keras_langevin.names import unknown

FAMILIES = {
    "dense": dense,
    "he-dense": he_dense,
    "bn-dense": bn_dense,
    "conv-dense": conv_dense,
    "highway": highway,
    "resnet": resnet,
    "plain": partial(resnet, residual=False),
    "densenet": densenet,
}

# Nets of one depth, which are no member of the family that their name begins with.
SINGLES = {"densenet-121": densenet121}

_USUAL_DEPTH = {
    "dense": 30,
    "he-dense": 30,
    "bn-dense": 30,
    "conv-dense": 20,
    "highway": 80,
    "resnet": 20,
    "plain": 20,
    "densenet": 40,
}


def build(name: str, input_shape: tuple[int, ...], num_classes: int, *, images=None, **options) -> keras.Model:
    """Builds a model from a name such as `"dense-30"`: a family and a depth.

    Args:
        name: str, `"{family}-{depth}"` with a family of `FAMILIES`, or a name of `SINGLES`. Before it may stand another
            initialization: `"gain-1.12-dense-40"` has 1.12 times the initial kernels, in `"grown-1.12-dense-40"`
            isotropic noise makes their root mean square 1.12 times as large, `"lsuv-dense-40"` has layer-sequential
            unit variance.
        input_shape: tuple of ints, the shape of one example.
        num_classes: int, the number of logits.
        images: array of shape `(num_images, *input_shape)`, as the model will be given them, for `lsuv-`; 512 are
            used. Defaults to `None`.
        **options: further arguments of the family's function.

    Raises:
        ValueError: no such family (the message has a suggestion), the family has no such depth, or the model takes no
            examples of this shape.

    Example:

    >>> from keras_langevin import models
    >>> models.build("dense-30", input_shape=(28, 28, 1), num_classes=10).name
    'dense-30'
    """
    if isinstance(name, str) and name in SINGLES:
        return SINGLES[name](input_shape, num_classes, **options)
    family, depth = parse(name)
    model = FAMILIES[family](depth, input_shape, num_classes, **options)
    change, factor, _ = split(name)
    if change:
        change_kernels(model, change, factor, images)
    return model


def check_name(name: str):
    """Refuses a name that `build` does not take.

    Raises:
        ValueError: see `build`.
    """
    if not isinstance(name, str) or name not in SINGLES:
        parse(name)


def parse(name: str) -> tuple[str, int]:
    """Splits a name into its family and its depth.

    Args:
        name: str, `"{family}-{depth}"`, also after a prefix such as `gain-1.12-`.

    Raises:
        ValueError: no such family, or the depth is no int in [1, 5,000].

    Example:

    >>> parse("conv-dense-20")
    ('conv-dense', 20)
    """
    if not isinstance(name, str):
        raise ValueError(f"A model's name must be a str, as in 'dense-30'. Received: {name!r}. Give a name.")
    name = split(name)[2]
    if name in FAMILIES:
        raise ValueError(
            f"A model is named by its family and its depth. Received: {name!r}. Try: '{name}-{_USUAL_DEPTH[name]}'"
        )
    family, _, depth = name.rpartition("-")
    if family not in FAMILIES:
        digits = re.search(r"\d*$", name).group() or "DEPTH"
        raise unknown("model", name, dict.fromkeys([*(f"{known}-{digits}" for known in FAMILIES), *SINGLES]))
    if not depth.isdecimal() or len(depth) > 9 or not 1 <= int(depth) <= LARGEST_DEPTH:
        raise ValueError(
            f"A model's depth must be an int >= 1, at most {LARGEST_DEPTH}, as in '{family}-{_USUAL_DEPTH[family]}'. "
            f"Received: {name[:80]!r}"
        )
    return family, int(depth)
