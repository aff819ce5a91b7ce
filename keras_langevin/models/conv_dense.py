"""Convolutions before a deep dense net."""

import keras

from keras_langevin.models.arguments import check_at_least, check_image_shape, maker
from keras_langevin.models.dense import dense_layers


def conv_dense(
    depth: int,
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    conv_depth: int = 2,
    filters: int = 32,
    kernel_size: int = 4,
    width: int = 64,
    activation="relu",
    kernel_initializer="glorot_uniform",
    kernel_regularizer=None,
) -> keras.Model:
    """`conv_depth` convolutions, each with a max-pooling that halves the image, and then `depth` dense layers.

    The convolutions keep the image's size (`padding="same"`), so that 8 × 8 digits are large enough; the paper's code
    pads nothing, which needs 13 × 13.

    Args:
        depth: int >= 1, the number of hidden dense layers.
        input_shape: tuple `(height, width, channels)`, height and width at least `2 ** conv_depth`.
        num_classes: int >= 2, the number of logits.
        conv_depth: int >= 1, the number of convolutions. Defaults to `2`.
        filters: int >= 1, the channels of each convolution. Defaults to `32`.
        kernel_size: int >= 1, in pixels. Defaults to `4`.
        width: int >= 1, units in each hidden dense layer. Defaults to `64`.
        activation: of the convolutions and the hidden dense layers. Defaults to `"relu"`.
        kernel_initializer: initializer of all kernels. Defaults to Keras's own, `"glorot_uniform"`, as in the paper.
        kernel_regularizer: regularizer of all kernels. Defaults to `None`.

    Returns:
        A Functional model named `conv-dense-{depth}` with layers `conv_1`, ..., `dense_1`, ..., `logits`: logits out,
        of shape `(batch, num_classes)`.

    Raises:
        ValueError: an argument is out of its range, or the images have another shape or are too small.

    Example:

    >>> from keras_langevin import models
    >>> models.conv_dense(20, input_shape=(28, 28, 1), num_classes=10).count_params()
    197066

    References:
        P. Bras, arXiv:2212.14718.
    """
    check_at_least(1, depth=depth, conv_depth=conv_depth, filters=filters, kernel_size=kernel_size, width=width)
    check_at_least(2, num_classes=num_classes)
    name = f"conv-dense-{depth}"
    check_image_shape(input_shape, name, least=2**conv_depth)
    shared = {"kernel_initializer": kernel_initializer, "kernel_regularizer": kernel_regularizer}
    convolution = maker(keras.layers.Conv2D, padding="same", activation=activation, **shared)
    inputs = keras.Input(input_shape, name="input")
    hidden = inputs
    for index in range(1, conv_depth + 1):
        hidden = convolution(filters, kernel_size, name=f"conv_{index}")(hidden)
        hidden = keras.layers.MaxPooling2D(2, name=f"pool_{index}")(hidden)
    logits = dense_layers(hidden, depth, num_classes, width=width, activation=activation, **shared)
    return keras.Model(inputs, logits, name=name)
