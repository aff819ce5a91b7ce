import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, models
from keras_langevin.models import Highway


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("shape", [(3, 4), (2, 5, 4), (2, 3, 5, 4)])
def test_layer_is_its_formula(shape):
    layer = Highway(4, gate_bias=-0.5)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    y = ops.convert_to_numpy(layer(x))
    kernel, bias, gate_kernel, gate_bias = layer.get_weights()
    gate = sigmoid(x @ gate_kernel + gate_bias)
    np.testing.assert_allclose(y, gate * np.maximum(x @ kernel + bias, 0) + (1 - gate) * x, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(gate_bias, np.full(4, -0.5, "float32"))


def test_a_low_gate_lets_the_input_through():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    np.testing.assert_allclose(ops.convert_to_numpy(Highway(4, gate_bias=-30)(x)), x, atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "chosen"),
    [
        ("highway_3", ["highway_3/transform", "highway_3/gate"]),
        ("highway_3/gate", ["highway_3/gate"]),
        ("gate", [f"highway_{index}/gate" for index in range(1, 5)]),
        (0.3, ["dense", "highway_1/transform", "highway_1/gate"]),
    ],
)
def test_layer_selection_finds_both_kernels(layers, chosen):
    model = models.highway(4, input_shape=(6,), num_classes=3, width=5)
    optimizer = LSGD(1e-3, sigma=1e-3, layers=layers)
    optimizer.build(model.trainable_variables)
    assert list(optimizer.noisy_layers) == chosen


def test_depth_is_the_number_of_highway_layers():
    model = models.build("highway-80", (28, 28, 1), 10, kernel_initializer="zeros")
    assert sum(isinstance(layer, Highway) for layer in model.layers) == 80
    assert model.get_layer("highway_80").gate_bias == -3.0


def test_layer_comes_back_from_its_configuration():
    layer = Highway(
        3, activation="tanh", gate_bias=-1, kernel_initializer="he_normal", kernel_regularizer="l2", name="h"
    )
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert isinstance(again, Highway)
    assert again.get_config() == layer.get_config()
    assert (again.transform.activation, again.gate_bias) == (keras.activations.tanh, -1.0)


def test_layer_computes_in_its_dtype():
    layer = Highway(4, dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(layer(np.ones((2, 4), "float32")).dtype) == "bfloat16"
    assert {variable.dtype for variable in layer.trainable_variables} == {"float32"}


def test_an_input_of_another_width_is_an_error():
    with pytest.raises(ValueError, match=r"last axis must be 4. Received: input_shape=\(2, 5\). Put a `Dense\(4\)`"):
        Highway(4)(np.ones((2, 5), "float32"))


def test_units_must_be_an_int():
    with pytest.raises(ValueError, match=r"`units` must be an int >= 1. Received: units=0"):
        Highway(0)
