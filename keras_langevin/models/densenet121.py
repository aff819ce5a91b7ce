"""DenseNet-121, the ImageNet net, from Keras's applications."""

import keras

from keras_langevin.models.arguments import check_at_least, check_image_shape


def densenet121(input_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """DenseNet-121 with random weights and without its softmax.

    Args:
        input_shape: tuple `(height, width, channels)`, height and width at least 32.
        num_classes: int >= 2, the number of logits.

    Returns:
        The Functional model of `keras.applications` under the name `densenet-121`: logits out, of shape
        `(batch, num_classes)`, from its layer `predictions`.

    Raises:
        ValueError: the images have another shape or are too small.

    Example:

    >>> from keras_langevin import models
    >>> models.densenet121(input_shape=(28, 28, 1), num_classes=10)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: `input_shape` of densenet-121 must be (height, width, channels), height and width at least 32. ...

    References:
        Huang, Liu, van der Maaten and Weinberger, *Densely Connected Convolutional Networks*, CVPR 2017, table 1.
    """
    check_at_least(2, num_classes=num_classes)
    check_image_shape(input_shape, "densenet-121", least=32)
    return keras.applications.DenseNet121(
        weights=None,
        input_shape=tuple(input_shape),
        classes=num_classes,
        classifier_activation=None,
        name="densenet-121",
    )
