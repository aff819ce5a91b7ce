"""Densely connected nets, for small images and for ImageNet."""

from collections.abc import Sequence

import keras

from keras_langevin.models import arguments
from keras_langevin.models.arguments import check, check_image_shape, maker, normalized, stages


def densenet(
    depth: int | None,
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    growth_rate: int = 12,
    bottleneck: bool = False,
    compression: float = 1.0,
    block_layers: Sequence[int] | None = None,
    initial_filters: int | None = None,
    activation: arguments.Activation = "relu",
    kernel_initializer: arguments.Initializer = "he_normal",
    kernel_regularizer: arguments.Regularizer = None,
    family: str = "densenet",
) -> keras.Model:
    """A CIFAR DenseNet `densenet-{depth}`: every layer of a block sees the outputs of all layers before it.

    A layer is `y = [x, F(x)]`, where F is normalization, activation and a 3 × 3 convolution to `growth_rate` channels.
    A bottleneck adds normalization, activation and a 1 × 1 convolution to `4 · growth_rate` channels before it. Between
    blocks, a 1 × 1 convolution keeps a share `compression` of the channels, and pooling halves the resolution.

    Args:
        depth: int, 3n + 4 for three blocks of n layers, 6n + 4 with a bottleneck; or `None` with `block_layers`.
        input_shape: tuple `(height, width, channels)`, height and width at least `2 ** (blocks - 1)`.
        growth_rate: int >= 1, the channels that each layer adds. Defaults to `12`.
        bottleneck, compression: the B of DenseNet-BC, and the C, a float in (0, 1]. Default to `False` and `1.0`.
        block_layers: sequence of ints >= 1, the layers in each block. Defaults to `None`: three equal blocks.
        initial_filters: int >= 1, the first convolution's channels. Defaults to `None`: 16, or `2 · growth_rate` in a
            BC.
        num_classes, activation, kernel_initializer, kernel_regularizer: as in `resnet`.
        family: str, the model's name before its depth. Defaults to `"densenet"`.

    Example: the small net of the paper's code.

    >>> from keras_langevin import models
    >>> models.densenet(None, (32, 32, 3), 10, growth_rate=5, block_layers=(6, 6, 6), initial_filters=16).name
    'densenet-22'

    References:
        Huang et al., *Densely Connected Convolutional Networks*, CVPR 2017, section 3 and table 2.
    """
    described = "densenet with a bottleneck" if bottleneck else "densenet"
    depth, block_layers = stages(
        described, depth, block_layers, weighted=2 if bottleneck else 1, others=lambda blocks: blocks + 1
    )
    if initial_filters is None:
        initial_filters = 2 * growth_rate if bottleneck and compression < 1 else 16
    check(growth_rate=growth_rate, initial_filters=initial_filters, num_classes=num_classes)
    if not 0 < compression <= 1:
        raise ValueError(
            f"`compression` must be a float in (0, 1]. Received: compression={compression!r}. Give 0.5, say."
        )
    name = f"{family}-{depth}"
    check_image_shape(input_shape, name, least=2 ** (len(block_layers) - 1))
    convolution = maker(keras.layers.Conv2D, kernel_initializer, kernel_regularizer, padding="same", use_bias=False)

    def layer(inputs, name):
        hidden = inputs
        if bottleneck:
            hidden = normalized(hidden, name, activation, "0")
            hidden = convolution(4 * growth_rate, 1, name=f"{name}_bottleneck")(hidden)
        hidden = convolution(growth_rate, 3, name=f"{name}_conv")(normalized(hidden, name, activation))
        return keras.layers.Concatenate(name=f"{name}_concat")([inputs, hidden])

    def transition(hidden, name):
        channels = max(1, int(compression * hidden.shape[-1]))
        hidden = convolution(channels, 1, name=f"{name}_conv")(normalized(hidden, name, activation))
        return keras.layers.AveragePooling2D(2, name=f"{name}_pool")(hidden)

    inputs = keras.Input(input_shape, name="input")
    hidden = convolution(initial_filters, 3, name="stem_conv")(inputs)
    for block, num_layers in enumerate(block_layers, start=1):
        if block > 1:
            hidden = transition(hidden, f"transition{block - 1}")
        for index in range(1, num_layers + 1):
            hidden = layer(hidden, f"block{block}_layer{index}")
    hidden = keras.layers.GlobalAveragePooling2D(name="pool")(normalized(hidden, "last", activation))
    logits = maker(keras.layers.Dense, kernel_initializer, kernel_regularizer)(num_classes, name="logits")(hidden)
    return keras.Model(inputs, logits, name=name)


def densenet121(input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """`densenet-121` of `keras.applications`, with random weights and logits, for images of at least 32 × 32."""
    name = "densenet-121"
    check(num_classes=num_classes)
    check_image_shape(input_shape, name, least=32)
    options = {"weights": None, "classifier_activation": None, "name": name}
    return keras.applications.DenseNet121(input_shape=tuple(input_shape), classes=num_classes, **options)
