"""What the builders' arguments have in common: their checks, and layers made from them."""

from collections.abc import Callable, Sequence

import keras

# Keras would build a deeper net for hours. The deepest that is known to have been trained has 1,202 layers (ResNet).
LARGEST_DEPTH = 5_000


def check_depth(**arguments):
    """Checks numbers of layers.

    Args:
        **arguments: the values under their arguments' names.

    Raises:
        ValueError: a value is no int, or out of range.
    """
    for name, value in arguments.items():
        if not _is_int(value) or not 1 <= value <= LARGEST_DEPTH:
            raise ValueError(
                f"`{name}` must be an int >= 1, at most {LARGEST_DEPTH}. Received: {name}={str(repr(value))[:80]}"
            )


def check_at_least(least: int, **arguments):
    """Checks integers.

    Args:
        least: int, the smallest value that is allowed.
        **arguments: the values under their arguments' names.

    Raises:
        ValueError: a value is no int or too small.

    Example:

    >>> check_at_least(1, depth=3, width=0)
    Traceback (most recent call last):
    ValueError: `width` must be an int >= 1. Received: width=0
    """
    for name, value in arguments.items():
        if not _is_int(value) or value < least:
            raise ValueError(f"`{name}` must be an int >= {least}. Received: {name}={value!r}")


def check_shape(input_shape: tuple[int, ...]):
    """Checks the shape of an example that will be flattened.

    Raises:
        ValueError: the shape is no tuple of ints >= 1.
    """
    if not isinstance(input_shape, Sequence) or not input_shape or not all(_is_size(size) for size in input_shape):
        raise ValueError(
            "`input_shape` must be a tuple of ints >= 1, the shape of one example without the batch, such as (784,). "
            f"Received: input_shape={input_shape!r}"
        )


def check_image_shape(input_shape: tuple[int, ...], model: str, *, least: int):
    """Checks the shape of an image.

    Args:
        input_shape: `(height, width, channels)` is allowed.
        model: str, the name of the model, for the message.
        least: int, the smallest height and width that the model's strides and poolings leave something of.

    Raises:
        ValueError: another shape, too small an image, or Keras is set to channels first.
    """
    is_image = isinstance(input_shape, Sequence) and len(input_shape) == 3 and all(map(_is_size, input_shape))
    if not is_image or min(input_shape[:2]) < least:
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
    family: str,
    depth: int | None,
    block_layers: Sequence[int] | None,
    *,
    weighted: int,
    others: Callable[[int], int],
) -> tuple[int, tuple[int, ...]]:
    """The depth and the stages of a net whose depth is `weighted · Σ block_layers + others(len(block_layers))`.

    Args:
        family: str, the family's name, for the message.
        depth: int, or `None` where `block_layers` says it.
        block_layers: sequence of ints >= 1, or `None` for three equal stages.
        weighted: int, the weighted layers that one unit of a stage counts for.
        others: callable, from the number of stages to the number of weighted layers that belong to none.

    Raises:
        ValueError: no three equal stages give this depth, or `block_layers` gives another one.

    Example:

    >>> stages("resnet", 20, None, weighted=2, others=lambda stages: 2)
    (20, (3, 3, 3))
    """
    if _is_int(depth) and depth > LARGEST_DEPTH:
        check_depth(depth=depth)
    if block_layers is None:
        step, rest = 3 * weighted, others(3)
        if not _is_int(depth) or depth < step + rest or (depth - rest) % step:
            nearest = rest + step * max(1, round((depth - rest) / step)) if _is_int(depth) else None
            hint = f" The nearest is {nearest}." if nearest else ""
            raise ValueError(
                f"`depth` of a {family} must be an int {step}n + {rest} with n >= 1. Received: depth={depth!r}.{hint} "
                "For stages of other lengths pass `block_layers`."
            )
        return int(depth), ((depth - rest) // step,) * 3
    if not isinstance(block_layers, Sequence) or not block_layers or not all(map(_is_size, block_layers)):
        raise ValueError(f"`block_layers` must be a sequence of ints >= 1. Received: block_layers={block_layers!r}")
    implied = weighted * sum(block_layers) + others(len(block_layers))
    check_depth(depth=implied)
    if depth not in (None, implied):
        raise ValueError(
            f"`depth` must be {implied}, or None, with block_layers={block_layers!r} in a {family}. "
            f"Received: depth={depth!r}"
        )
    return implied, tuple(block_layers)


def maker(layer_class: type[keras.layers.Layer], *, kernel_initializer, **shared) -> Callable[..., keras.layers.Layer]:
    """Returns `layer_class` with the arguments that all of a net's layers share.

    Each layer gets an initializer of its own: an object without a seed draws the same numbers wherever it is used, so
    that layers which share one would start equal.

    Args:
        layer_class: the layer's class.
        kernel_initializer: what Keras takes for it.
        **shared: further arguments of the class.
    """

    def make(*arguments, **own):
        initializer = kernel_initializer
        if isinstance(initializer, keras.initializers.Initializer):
            initializer = initializer.clone()
        return layer_class(*arguments, kernel_initializer=initializer, **shared, **own)

    return make


def _is_int(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)  # Keras refuses NumPy's integers, too


def _is_size(value) -> bool:
    return _is_int(value) and value >= 1
