"""Dense nets, the paper's testbed for depth, with or without convolutions before them."""

from typing import Any

import keras

from keras_langevin.models.arguments import Activation, Initializer, Regularizer, check, check_image_shape, maker


def dense(
    depth: int,
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    activation: Activation = "relu",
    kernel_initializer: Initializer = "glorot_uniform",
    kernel_regularizer: Regularizer = None,
    batch_normalization: bool = False,
    conv_depth: int = 0,
    filters: int = 32,
    kernel_size: int = 4,
    family: str = "dense",
) -> keras.Model:
    """A multilayer perceptron `dense-{depth}` with hidden layers `dense_1`, ... (arXiv:2212.14718, figure 1).

    Args:
        depth: int >= 1, the number of hidden layers.
        input_shape, num_classes: as in `build`. An example of any shape is flattened.
        width: int >= 1, units in each hidden layer. Defaults to `64`.
        activation: of the hidden layers. Defaults to `"relu"`.
        kernel_initializer, kernel_regularizer: of all kernels. Default to `"glorot_uniform"` and `None`.
        batch_normalization: bool, normalizes each hidden layer before its activation. Defaults to `False`.
        conv_depth, filters, kernel_size: as in `conv_dense`. `conv_depth` defaults to `0`: no convolutions.
        family: str, the model's name before its depth. Defaults to `"dense"`.

    Example:

    >>> from keras_langevin import models
    >>> models.dense(3, input_shape=(8, 8), num_classes=10).count_params()
    13130
    """
    check(depth=depth, width=width, num_classes=num_classes)
    name = f"{family}-{depth}"
    if conv_depth:
        check(conv_depth=conv_depth, filters=filters, kernel_size=kernel_size)
        check_image_shape(input_shape, name, least=2**conv_depth)
    else:
        check(input_shape=input_shape)
    shared = kernel_initializer, kernel_regularizer
    convolution = maker(keras.layers.Conv2D, *shared, padding="same", activation=activation)
    fully_connected = maker(keras.layers.Dense, *shared)
    hidden = inputs = keras.Input(input_shape, name="input")
    for index in range(1, conv_depth + 1):
        hidden = convolution(filters, kernel_size, name=f"conv_{index}")(hidden)
        hidden = keras.layers.MaxPooling2D(2, name=f"pool_{index}")(hidden)
    hidden = keras.layers.Flatten(name="flatten")(hidden)
    for index in range(1, depth + 1):
        if not batch_normalization:
            hidden = fully_connected(width, activation=activation, name=f"dense_{index}")(hidden)
            continue
        hidden = fully_connected(width, name=f"dense_{index}")(hidden)
        hidden = keras.layers.BatchNormalization(name=f"norm_{index}")(hidden)
        hidden = keras.layers.Activation(activation, name=f"activation_{index}")(hidden)
    logits = fully_connected(num_classes, name="logits")(hidden)
    return keras.Model(inputs, logits, name=name)


def conv_dense(
    depth: int, input_shape: tuple[int, int, int], num_classes: int, *, conv_depth: int = 2, **options: Any
) -> keras.Model:
    """`conv-dense-{depth}`: convolutions `conv_1`, ..., each with a max-pooling that halves the image, then `dense`.

    The convolutions keep the image's size; the paper's code pads nothing.

    Args:
        depth, num_classes: as in `dense`; `depth` counts the hidden dense layers.
        input_shape: tuple `(height, width, channels)`, height and width at least `2 ** conv_depth`.
        conv_depth: int >= 1, the number of convolutions. Defaults to `2`.
        **options: as in `dense`, and `filters` and `kernel_size` of the convolutions, which default to `32` and `4`.

    Example:

    >>> from keras_langevin import models
    >>> models.conv_dense(20, input_shape=(28, 28, 1), num_classes=10).count_params()
    197066
    """
    check(conv_depth=conv_depth)
    return dense(depth, input_shape, num_classes, conv_depth=conv_depth, family="conv-dense", **options)
