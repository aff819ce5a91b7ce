"""Dense nets: the paper's testbed for depth."""

import keras

from keras_langevin.models.arguments import check_at_least, check_shape, maker


def dense(
    depth: int,
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    activation="relu",
    kernel_initializer="glorot_uniform",
    kernel_regularizer=None,
) -> keras.Model:
    """A multilayer perceptron with `depth` hidden layers of equal width.

    Args:
        depth: int >= 1, the number of hidden layers.
        input_shape: tuple of ints, the shape of one example; it is flattened.
        num_classes: int >= 2, the number of logits.
        width: int >= 1, units in each hidden layer. Defaults to `64`.
        activation: the hidden layers' activation. Defaults to `"relu"`.
        kernel_initializer: initializer of all kernels. Defaults to Keras's own, `"glorot_uniform"`, as in the paper.
        kernel_regularizer: regularizer of all kernels. Defaults to `None`.

    Returns:
        A Functional model named `dense-{depth}` with layers `dense_1`, ..., `logits`: logits out, of shape
        `(batch, num_classes)`.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> from keras_langevin import models
    >>> models.dense(3, input_shape=(8, 8), num_classes=10).count_params()
    13130

    References:
        P. Bras, arXiv:2212.14718, figure 1.
    """
    check_at_least(1, depth=depth, width=width)
    check_at_least(2, num_classes=num_classes)
    check_shape(input_shape)
    shared = {"kernel_initializer": kernel_initializer, "kernel_regularizer": kernel_regularizer}
    inputs = keras.Input(input_shape, name="input")
    logits = dense_layers(inputs, depth, num_classes, width=width, activation=activation, **shared)
    return keras.Model(inputs, logits, name=f"dense-{depth}")


def dense_layers(inputs, depth: int, num_classes: int, *, width: int, activation, **shared):
    """Flattens, and passes on through `depth` hidden layers to the logits.

    Args:
        inputs: Keras tensor.
        depth, num_classes, width, activation: as `dense` takes them.
        **shared: further arguments of all the layers, as `maker` takes them.

    Returns:
        Keras tensor of shape `(batch, num_classes)`.
    """
    fully_connected = maker(keras.layers.Dense, **shared)
    hidden = keras.layers.Flatten(name="flatten")(inputs)
    for index in range(1, depth + 1):
        hidden = fully_connected(width, activation=activation, name=f"dense_{index}")(hidden)
    return fully_connected(num_classes, name="logits")(hidden)
