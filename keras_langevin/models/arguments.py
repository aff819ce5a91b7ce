"""Shared by the builders: checks of their arguments, and layers made from them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_langevin.names import shown

Activation = str | Callable[[Any], Any]
Initializer = str | keras.initializers.Initializer
Regularizer = str | keras.regularizers.Regularizer | None

# Keras needs hours to build a deeper net. The deepest net that is known to have been trained has 1,202 layers (ResNet).
LARGEST_DEPTH = 5_000
_SEQUENCES = {
    "input_shape": ("a tuple of ints >= 1, without the batch", "(784,)"),
    "block_layers": ("a sequence of ints >= 1", "(5, 5, 5)"),
}


def check(**arguments):
    """Checks shapes and ints. The name of an argument decides what it must be; depths have a maximum."""
    for name, value in arguments.items():
        least, most = 2 if name == "num_classes" else 1, LARGEST_DEPTH if name.endswith("depth") else math.inf
        if name in _SEQUENCES:
            is_right, (expected, example) = _are_sizes(value), _SEQUENCES[name]
        else:
            is_right, example = _is_size(value) and least <= value <= most, least
            expected = f"an int >= {least}" + (f", at most {most}" if most < math.inf else "")
        if not is_right:
            raise ValueError(
                f"`{name}` must be {expected}. Received: {name}={shown(value)}. Give one, as in `{name}={example}`."
            )


def check_image_shape(input_shape: tuple[int, ...], model: str, *, least: int):
    """Checks `(height, width, channels)`. In smaller images than `least` the model's pooling would leave no pixel."""
    if not _are_sizes(input_shape) or len(input_shape) != 3 or min(input_shape[:2]) < least:
        raise ValueError(
            f"`input_shape` of {model} must be (height, width, channels), height and width at least {least}. "
            f"Received: input_shape={input_shape!r}. Reshape or enlarge the images, or take a model for any shape: "
            "'dense-30', 'highway-80'."
        )
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            f"{model} takes images with their channels last. Received: the image data format "
            f"{keras.config.image_data_format()!r}. Call `keras.config.set_image_data_format('channels_last')`."
        )


def stages(
    family: str, depth: int | None, block_layers: Sequence[int] | None, *, weighted: int, others: Callable[[int], int]
) -> tuple[int, tuple[int, ...]]:
    """Returns depth and block layers of a net; depth is `weighted · Σ block_layers + others(len(block_layers))`."""
    if block_layers is None:
        step, rest, nearest = 3 * weighted, others(3), ""
        if depth is not None:
            check(depth=depth)
            nearest = f" The nearest is {rest + step * max(1, round((depth - rest) / step))}."
        if depth is None or depth < step + rest or (depth - rest) % step:
            raise ValueError(
                f"`depth` of a {family} must be an int {step}n + {rest} with n >= 1. Received: depth={depth!r}."
                f"{nearest} For stages of other lengths pass `block_layers`."
            )
        return depth, ((depth - rest) // step,) * 3
    check(block_layers=block_layers)
    implied = weighted * sum(block_layers) + others(len(block_layers))
    check(depth=implied)
    if depth not in (None, implied):
        raise ValueError(
            f"`depth` must be {implied}, or None, with block_layers={block_layers!r} in a {family}. "
            f"Received: depth={depth!r}. Leave one of them out."
        )
    return implied, tuple(block_layers)


def maker(layer_class: type, kernel_initializer, kernel_regularizer, **shared) -> Callable[..., keras.layers.Layer]:
    """Returns a function that makes layers with shared arguments. Each layer gets its own kernel initializer."""

    def make(*arguments, **own):
        initializer = kernel_initializer
        if isinstance(initializer, keras.initializers.Initializer):
            initializer = initializer.clone()
        own |= {"kernel_initializer": initializer, "kernel_regularizer": kernel_regularizer}
        return layer_class(*arguments, **shared, **own)

    return make


def normalized(hidden, name: str, activation, suffix: str = ""):
    """Applies batch normalization and the activation."""
    hidden = keras.layers.BatchNormalization(name=f"{name}_norm{suffix}")(hidden)
    return keras.layers.Activation(activation, name=f"{name}_act{suffix}")(hidden)


def _is_size(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1  # Keras also refuses NumPy's integers


def _are_sizes(values) -> bool:
    return isinstance(values, Sequence) and len(values) > 0 and all(map(_is_size, values))
