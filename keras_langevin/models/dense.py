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
    batch_normalization: bool = False,
    name: str | None = None,
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
        batch_normalization: bool, whether each hidden layer is normalized before its activation, by a layer
            `norm_{index}`. Defaults to `False`, as in the paper.
        name: str, the model's name. Defaults to `dense-{depth}`.

    Returns:
        A Functional model with layers `dense_1`, ..., `logits`: logits out, of shape
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
    options = {"width": width, "activation": activation, "batch_normalization": batch_normalization}
    logits = dense_layers(inputs, depth, num_classes, **options, **shared)
    return keras.Model(inputs, logits, name=name or f"dense-{depth}")


def he_dense(depth: int, input_shape: tuple[int, ...], num_classes: int, **options) -> keras.Model:
    """`dense` with the initial weights of He et al. (arXiv:1502.01852), which keep a signal's size through ReLUs."""
    return dense(
        depth, input_shape, num_classes, **{"kernel_initializer": "he_normal", "name": f"he-dense-{depth}"} | options
    )


def bn_dense(depth: int, input_shape: tuple[int, ...], num_classes: int, **options) -> keras.Model:
    """`dense` with batch normalization (Ioffe and Szegedy, arXiv:1502.03167)."""
    return dense(
        depth, input_shape, num_classes, **{"batch_normalization": True, "name": f"bn-dense-{depth}"} | options
    )


def dense_layers(
    inputs, depth: int, num_classes: int, *, width: int, activation, batch_normalization: bool = False, **shared
):
    """Flattens, and passes on through `depth` hidden layers to the logits.

    Args:
        inputs: Keras tensor.
        depth, num_classes, width, activation, batch_normalization: as `dense` takes them.
        **shared: further arguments of all the layers, as `maker` takes them.

    Returns:
        Keras tensor of shape `(batch, num_classes)`.
    """
    fully_connected = maker(keras.layers.Dense, **shared)
    hidden = keras.layers.Flatten(name="flatten")(inputs)
    for index in range(1, depth + 1):
        if not batch_normalization:
            hidden = fully_connected(width, activation=activation, name=f"dense_{index}")(hidden)
            continue
        hidden = fully_connected(width, name=f"dense_{index}")(hidden)
        hidden = keras.layers.BatchNormalization(name=f"norm_{index}")(hidden)
        hidden = keras.layers.Activation(activation, name=f"activation_{index}")(hidden)
    return fully_connected(num_classes, name="logits")(hidden)
