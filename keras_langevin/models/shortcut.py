"""The shortcut without parameters, where a residual net changes its shape."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_langevin")
class PaddedShortcut(keras.layers.Layer):
    """Takes every `strides`-th pixel and appends channels of zeros.

    `y[:, i, j] = (x[:, i · strides, j · strides], 0, ..., 0)`

    Args:
        filters: int, the number of channels of the output, at least that of the input.
        strides: int >= 1, in both directions. Defaults to `1`.
        **kwargs: what every layer takes (`name`, `dtype`, `trainable`).

    Raises:
        ValueError: the input has more than `filters` channels.

    Example:

    >>> import keras
    >>> from keras_langevin.models.shortcut import PaddedShortcut
    >>> tuple(PaddedShortcut(6, strides=2)(keras.ops.ones((1, 5, 8, 3))).shape)
    (1, 3, 4, 6)

    References:
        He, Zhang, Ren and Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016, section 3.3, option A.
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.strides = filters, strides

    def build(self, input_shape):
        if input_shape[-1] > self.filters:
            raise ValueError(
                f"A shortcut that appends channels must be given at most `filters` of them, {self.filters}. "
                f"Received: input_shape={tuple(input_shape)}. Use a projection (a 1 × 1 convolution) instead."
            )

    def call(self, inputs):
        subsampled = inputs[:, :: self.strides, :: self.strides]
        return ops.pad(subsampled, [(0, 0), (0, 0), (0, 0), (0, self.filters - inputs.shape[-1])])

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, -(-height // self.strides), -(-width // self.strides), self.filters)

    def get_config(self):
        return super().get_config() | {"filters": self.filters, "strides": self.strides}
