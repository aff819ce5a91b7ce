"""Dense nets: the paper's testbed for depth."""

import keras


def dense(
    depth: int,
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    activation="relu",
    kernel_initializer="glorot_uniform",
) -> keras.Model:
    """A multilayer perceptron with `depth` hidden layers of equal width.

    Args:
        depth: int >= 1, the number of hidden layers.
        input_shape: tuple of ints, the shape of one example; it is flattened.
        num_classes: int >= 2, the number of logits.
        width: int >= 1, units in each hidden layer. Defaults to `64`.
        activation: the hidden layers' activation. Defaults to `"relu"`.
        kernel_initializer: initializer of all kernels. Defaults to Keras's own, `"glorot_uniform"`, as in the paper.

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
    for argument, value, least in (("depth", depth, 1), ("width", width, 1), ("num_classes", num_classes, 2)):
        if value < least:
            raise ValueError(f"`{argument}` must be an int >= {least}. Received: {argument}={value}")
    inputs = keras.Input(input_shape, name="input")
    hidden = keras.layers.Flatten(name="flatten")(inputs)
    for index in range(1, depth + 1):
        layer = keras.layers.Dense(
            width, activation=activation, kernel_initializer=kernel_initializer, name=f"dense_{index}"
        )
        hidden = layer(hidden)
    logits = keras.layers.Dense(num_classes, kernel_initializer=kernel_initializer, name="logits")(hidden)
    return keras.Model(inputs, logits, name=f"dense-{depth}")
