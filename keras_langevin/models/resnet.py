"""Residual nets for small images, and the same nets without their shortcuts."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_langevin.models import arguments
from keras_langevin.models.arguments import check, check_image_shape, maker, normalized, stages


def resnet(
    depth: int | None,
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    block_layers: Sequence[int] | None = None,
    filters: int = 16,
    residual: bool = True,
    shortcut: str = "identity",
    activation: arguments.Activation = "relu",
    kernel_initializer: arguments.Initializer = "he_normal",
    kernel_regularizer: arguments.Regularizer = None,
    family: str | None = None,
) -> keras.Model:
    """A CIFAR ResNet `resnet-{depth}`: stages of residual blocks, each at half the resolution with twice the channels.

    A block is `y = activation(x + F(x))`, where F is convolution, normalization, activation, convolution,
    normalization; `depth = 2 · Σ block_layers + 2`.

    Args:
        depth: int, 6n + 2 for three stages of n blocks (20, 32, 44, 56, 110), or `None` with `block_layers`.
        input_shape: tuple `(height, width, channels)`, height and width at least `2 ** (stages - 1)`.
        num_classes: int >= 2, the number of logits.
        block_layers: sequence of ints >= 1, the blocks in each stage. Defaults to `None`: three equal stages.
        filters: int >= 1, the channels of the first stage. Defaults to `16`.
        residual: bool; `False` gives He et al.'s plain net `plain-{depth}`, the paper's VGG. Defaults to `True`.
        shortcut: str, around a block that changes the shape: `"identity"` (every other pixel, padded with channels of
            zeros; option A) or `"projection"` (a normalized 1 × 1 convolution; option B). Defaults to `"identity"`.
        activation, kernel_initializer, kernel_regularizer: of all layers. Default to `"relu"`, `"he_normal"`, `None`.
        family: str, the model's name before its depth. Defaults to `None`: `"resnet"` or `"plain"`.

    Example: ResNet-32 as in the paper's code.

    >>> from keras_langevin import models
    >>> models.resnet(None, (32, 32, 3), 10, block_layers=(5, 5, 5)).name
    'resnet-32'

    References:
        He, Zhang, Ren and Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016, section 4.2 and table 6.
    """
    family = family or ("resnet" if residual else "plain")
    depth, block_layers = stages(family, depth, block_layers, weighted=2, others=lambda stages: 2)
    check(filters=filters, num_classes=num_classes)
    name = f"{family}-{depth}"
    check_image_shape(input_shape, name, least=2 ** (len(block_layers) - 1))
    if shortcut not in ("identity", "projection"):
        raise ValueError(f"`shortcut` must be 'identity' or 'projection'. Received: shortcut={shortcut!r}. Choose one.")
    convolution = maker(keras.layers.Conv2D, kernel_initializer, kernel_regularizer, padding="same", use_bias=False)

    def past(hidden, channels, strides, name):
        if strides == 1:
            return hidden
        if shortcut == "identity":
            return ops.pad(hidden[:, ::strides, ::strides], [(0, 0)] * 3 + [(0, channels - hidden.shape[-1])])
        projected = convolution(channels, 1, strides=strides, name=f"{name}_shortcut_conv")(hidden)
        return keras.layers.BatchNormalization(name=f"{name}_shortcut_norm")(projected)

    def block(inputs, channels, strides, name):
        hidden = convolution(channels, 3, strides=strides, name=f"{name}_conv1")(inputs)
        hidden = convolution(channels, 3, name=f"{name}_conv2")(normalized(hidden, name, activation, "1"))
        hidden = keras.layers.BatchNormalization(name=f"{name}_norm2")(hidden)
        if residual:
            hidden = keras.layers.Add(name=f"{name}_add")([hidden, past(inputs, channels, strides, name)])
        return keras.layers.Activation(activation, name=f"{name}_act2")(hidden)

    inputs = keras.Input(input_shape, name="input")
    hidden = normalized(convolution(filters, 3, name="stem_conv")(inputs), "stem", activation)
    for stage, num_blocks in enumerate(block_layers, start=1):
        for index in range(1, num_blocks + 1):
            strides = 2 if stage > 1 and index == 1 else 1
            hidden = block(hidden, filters * 2 ** (stage - 1), strides, f"stage{stage}_block{index}")
    hidden = keras.layers.GlobalAveragePooling2D(name="pool")(hidden)
    logits = maker(keras.layers.Dense, kernel_initializer, kernel_regularizer)(num_classes, name="logits")(hidden)
    return keras.Model(inputs, logits, name=name)
