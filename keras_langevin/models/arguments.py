"""What the builders' arguments have in common: their checks, and layers made from them."""

import math
from collections.abc import Callable, Sequence

import keras

from keras_langevin.names import shown

# Keras would build a deeper net for hours. The deepest that is known to have been trained has 1,202 layers (ResNet).
LARGEST_DEPTH = 5_000


def check(**arguments):
    """Checks arguments by their names: `input_shape`, which will be flattened, and ints, with a maximum for depths.

    >>> check(depth=3, width=0)
    Traceback (most recent call last):
    ValueError: `width` must be an int >= 1. Received: width=0. Give an int, as in `width=1`.
    """
    for name, value in arguments.items():
        if name == "input_shape":
            if not _are_sizes(value):
                raise ValueError(
                    "`input_shape` must be a tuple of ints >= 1. Received: "
                    f"input_shape={value!r}. Give the shape of one example without the batch, such as (784,)."
                )
            continue
        least = 2 if name == "num_classes" else 1
        most = LARGEST_DEPTH if name.endswith("depth") else math.inf
        if not _is_size(value) or not least <= value <= most:
            limit = f", at most {most}" if most < math.inf else ""
            raise ValueError(
                f"`{name}` must be an int >= {least}{limit}. Received: {name}={shown(value)}. Give an int, as in "
                f"`{name}={least}`."
            )


def check_image_shape(input_shape: tuple[int, ...], model: str, *, least: int):
    """Checks `(height, width, channels)`, height and width at least what the model's poolings leave something of."""
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
    """The depth and the stages of a net whose depth is `weighted · Σ block_layers + others(len(block_layers))`."""
    if block_layers is None:
        step, rest, is_size = 3 * weighted, others(3), _is_size(depth)
        if is_size:
            check(depth=depth)
        if not is_size or depth < step + rest or (depth - rest) % step:
            nearest = f" The nearest is {rest + step * max(1, round((depth - rest) / step))}." if is_size else ""
            raise ValueError(
                f"`depth` of a {family} must be an int {step}n + {rest} with n >= 1. Received: depth={depth!r}."
                f"{nearest} For stages of other lengths pass `block_layers`."
            )
        return depth, ((depth - rest) // step,) * 3
    if not _are_sizes(block_layers):
        raise ValueError(
            f"`block_layers` must be a sequence of ints >= 1. Received: block_layers={block_layers!r}. Give (5, 5, 5), "
            "say."
        )
    implied = weighted * sum(block_layers) + others(len(block_layers))
    check(depth=implied)
    if depth not in (None, implied):
        raise ValueError(
            f"`depth` must be {implied}, or None, with block_layers={block_layers!r} in a {family}. "
            f"Received: depth={depth!r}. Leave one of them out."
        )
    return implied, tuple(block_layers)


def maker(layer_class: type[keras.layers.Layer], *, kernel_initializer, **shared) -> Callable[..., keras.layers.Layer]:
    """Returns `layer_class` with shared arguments; each layer gets a kernel initializer of its own."""

    def make(*arguments, **own):
        initializer = kernel_initializer
        if isinstance(initializer, keras.initializers.Initializer):
            initializer = initializer.clone()
        return layer_class(*arguments, kernel_initializer=initializer, **shared, **own)

    return make


def _is_size(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1  # Keras refuses NumPy's integers, too


def _are_sizes(values) -> bool:
    return isinstance(values, Sequence) and len(values) > 0 and all(map(_is_size, values))
