import keras
import numpy as np
import pytest

from keras_langevin import models


def test_dense_is_as_deep_and_wide_as_asked():
    model = models.dense(5, input_shape=(8, 8, 1), num_classes=10, width=16)
    names = [layer.name for layer in model.layers if layer.trainable_weights]
    assert names == ["dense_1", "dense_2", "dense_3", "dense_4", "dense_5", "logits"]
    assert model.count_params() == (64 * 16 + 16) + 4 * (16 * 16 + 16) + (16 * 10 + 10)
    assert model(np.zeros((3, 8, 8, 1), "float32")).shape == (3, 10)


def test_dense_returns_logits():
    model = models.dense(1, input_shape=(4,), num_classes=3)
    logits = keras.ops.convert_to_numpy(model(10 * np.ones((1, 4), "float32")))
    assert not np.allclose(logits.sum(), 1)


def test_build_takes_family_depth_and_options():
    model = models.build("dense-2", (4,), 3, width=7)
    assert model.get_layer("dense_2").units == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dens-30", "Did you mean 'dense-30'"),
        ("dense", "Try: 'dense-30'"),
        ("dense-0", "int >= 1"),
        ("dense-x", "int >= 1"),
        ("transformer-3", "There are: dense-3"),
    ],
)
def test_a_wrong_name_says_what_there_is(name, message):
    with pytest.raises(ValueError, match=r"Received|Unknown model") as error:
        models.build(name, (4,), 3)
    assert message in str(error.value)


@pytest.mark.parametrize("arguments", [{"depth": 0}, {"width": 0}, {"num_classes": 1}])
def test_a_size_out_of_range_is_an_error(arguments):
    sizes = {"depth": 1, "width": 4, "num_classes": 3} | arguments
    with pytest.raises(ValueError, match="Received"):
        models.dense(input_shape=(4,), **sizes)


def test_a_model_survives_a_file(tmp_path):
    model = models.dense(2, input_shape=(4,), num_classes=3)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
