import keras
import numpy as np
import pytest

from keras_langevin import models


def weighted_layers(model):
    return [layer.name for layer in model.layers if layer.trainable_weights]


def test_dense_is_as_deep_and_wide_as_asked():
    model = models.dense(5, input_shape=(8, 8, 1), num_classes=10, width=16)
    assert weighted_layers(model) == ["dense_1", "dense_2", "dense_3", "dense_4", "dense_5", "logits"]
    assert model.count_params() == (64 * 16 + 16) + 4 * (16 * 16 + 16) + (16 * 10 + 10)


def test_conv_dense_has_convolutions_before_its_dense_layers():
    model = models.conv_dense(
        2, input_shape=(28, 28, 1), num_classes=10, conv_depth=3, filters=5, kernel_initializer="zeros"
    )
    assert weighted_layers(model) == ["conv_1", "conv_2", "conv_3", "dense_1", "dense_2", "logits"]
    assert model.get_layer("conv_2").kernel_size == (4, 4)
    assert model.get_layer("flatten").output.shape == (None, 3 * 3 * 5)


@pytest.mark.parametrize(
    "sizes",
    [{"depth": 0}, {"width": 0}, {"num_classes": 1}, {"depth": 2.0}, {"depth": True}, {"num_classes": np.int64(3)}],
)
def test_a_size_out_of_range_is_an_error(sizes):
    sizes = {"depth": 1, "width": 4, "num_classes": 3} | sizes
    with pytest.raises(ValueError, match=r"must be an int >= \d(, at most 5000)?. Received"):
        models.dense(input_shape=(4,), **sizes)


@pytest.mark.parametrize("input_shape", [784, (), (0,), (None, 3), ("28", 28)])
def test_a_shape_that_cannot_be_flattened_is_an_error(input_shape):
    with pytest.raises(ValueError, match=r"`input_shape` must be a tuple of ints >= 1.* Received"):
        models.dense(1, input_shape=input_shape, num_classes=3)


def test_layers_that_share_an_initializer_object_start_differently():
    model = models.dense(2, (4,), 3, width=4, kernel_initializer=keras.initializers.RandomNormal())
    first, second = (keras.ops.convert_to_numpy(model.get_layer(f"dense_{index}").kernel) for index in (1, 2))
    assert np.abs(first - second).max() > 0
