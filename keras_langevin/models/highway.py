"""Highway nets: gates that let the input pass through deep nets."""

from typing import Any

import keras

from keras_langevin.models.arguments import Activation, Initializer, Regularizer, check, maker


@keras.saving.register_keras_serializable(package="keras_langevin")
class Highway(keras.layers.Layer):
    """A gated average of a dense layer and its input: `y = T(x) · D(x) + (1 − T(x)) · x`.

    `D(x) = activation(x · transform/kernel + transform/bias)`, `T(x) = sigmoid(x · gate/kernel + gate/bias)`. A
    Langevin optimizer selects both kernels by `highway_3`, and one of them by `highway_3/gate`.

    Args:
        units: int >= 1, the size of the input's last axis and of the output's.
        activation: D's activation. Defaults to `"relu"`.
        gate_bias: float, the gate's initial bias; below 0, the input passes through at first. Defaults to `-3.0`.
        kernel_initializer, kernel_regularizer: of both kernels. Default to `"glorot_uniform"` and `None`.
        **kwargs: arguments of every layer (`name`, `dtype`, `trainable`).

    Example:

    >>> import keras
    >>> from keras_langevin.models import Highway
    >>> Highway(4, name="highway_1")(keras.ops.ones((2, 5, 4))).shape == (2, 5, 4)
    True

    References:
        Srivastava, Greff and Schmidhuber, *Highway Networks*, arXiv:1505.00387, equation 3.
    """

    def __init__(
        self,
        units: int,
        activation: Activation = "relu",
        gate_bias: float = -3.0,
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check(units=units)
        self.units, self.gate_bias, self.supports_masking = units, float(gate_bias), True
        fully_connected = maker(keras.layers.Dense, kernel_initializer, kernel_regularizer, dtype=self.dtype_policy)
        self.transform = fully_connected(units, activation=activation, name="transform")
        bias = keras.initializers.Constant(self.gate_bias)
        self.gate = fully_connected(units, activation="sigmoid", bias_initializer=bias, name="gate")

    def build(self, input_shape):
        if input_shape[-1] != self.units:
            raise ValueError(
                f"The input of a highway layer must be as wide as the layer: its last axis must be {self.units}. "
                f"Received: input_shape={tuple(input_shape)}. Put a `Dense({self.units})` before it."
            )
        self.transform.build(input_shape)
        self.gate.build(input_shape)

    def call(self, inputs):
        gate = self.gate(inputs)
        return gate * self.transform(inputs) + (1 - gate) * inputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "units": self.units,
            "activation": keras.activations.serialize(self.transform.activation),
            "gate_bias": self.gate_bias,
            "kernel_initializer": keras.initializers.serialize(self.transform.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.transform.kernel_regularizer),
        }


def highway(
    depth: int,
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    width: int = 64,
    gate_bias: float = -3.0,
    activation: Activation = "relu",
    kernel_initializer: Initializer = "glorot_uniform",
    kernel_regularizer: Regularizer = None,
) -> keras.Model:
    """A dense layer and then `depth` highway layers `highway_1`, ... of the same width (arXiv:2212.14718, figure 2).

    Args:
        gate_bias: float, the gates' initial bias. Defaults to `-3.0`, as in the paper's code.
        depth, input_shape, num_classes, width, activation, kernel_initializer, kernel_regularizer: as in `dense`.

    Example:

    >>> from keras_langevin import models
    >>> models.highway(10, input_shape=(28, 28), num_classes=10).count_params()
    134090
    """
    check(depth=depth, width=width, num_classes=num_classes, input_shape=input_shape)
    fully_connected = maker(keras.layers.Dense, kernel_initializer, kernel_regularizer)
    gated = maker(Highway, kernel_initializer, kernel_regularizer, activation=activation, gate_bias=gate_bias)
    inputs = keras.Input(input_shape, name="input")
    hidden = keras.layers.Flatten(name="flatten")(inputs)
    hidden = fully_connected(width, activation=activation, name="dense")(hidden)
    for index in range(1, depth + 1):
        hidden = gated(width, name=f"highway_{index}")(hidden)
    logits = fully_connected(num_classes, name="logits")(hidden)
    return keras.Model(inputs, logits, name=f"highway-{depth}")
