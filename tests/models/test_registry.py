import keras
import numpy as np
import pytest

from keras_langevin import models


def test_build_takes_family_depth_and_options():
    model = models.build("dense-2", (4,), 3, width=7)
    assert model.get_layer("dense_2").units == 7


@pytest.mark.parametrize(("family", "depth"), [(family, depth) for family, (_, depth) in models.FAMILIES.items()])
def test_every_family_has_a_depth_that_it_can_be_tried_with(family, depth):
    name = f"{family}-{depth}"
    with pytest.raises(ValueError, match=f"Try: '{name}'"):
        models.build(family, (8, 8, 1), 3)
    assert models.build(name, (8, 8, 1), 3, kernel_initializer="zeros").name == name


def test_a_gain_multiplies_the_initial_kernels_and_nothing_else():
    found = []
    for name in ("highway-3", "gain-1.12-highway-3"):
        keras.utils.set_random_seed(0)
        found.append(models.build(name, (8,), 3))
    plain, larger = found
    for weight, other in zip(plain.weights, larger.weights, strict=True):
        factor = 1.12 if weight.path.endswith("/kernel") else 1.0
        expected = factor * keras.ops.convert_to_numpy(weight)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(other), expected, rtol=1e-6)


def test_grown_kernels_have_that_norm_and_lie_in_another_direction():
    found = []
    for name in ("dense-2", "grown-1.5-dense-2"):
        keras.utils.set_random_seed(0)
        found.append(models.build(name, (64,), 3))
    plain, larger = ([keras.ops.convert_to_numpy(weight).ravel() for weight in model.weights] for model in found)
    for weight, other in zip(plain[:4:2], larger[:4:2], strict=True):  # 64 × 64 kernels
        assert np.linalg.norm(other) / np.linalg.norm(weight) == pytest.approx(1.5, rel=0.03)
        cosine = weight @ other / np.linalg.norm(other) / np.linalg.norm(weight)
        assert cosine == pytest.approx(1 / 1.5, abs=0.03)
    assert not any(bias.any() for bias in larger[1::2])


def test_lsuv_gives_every_layer_outputs_of_unit_variance_and_orthogonal_kernels():
    images = np.random.default_rng(0).random((512, 8, 8, 1), "float32")
    model = models.build("lsuv-conv-dense-3", (8, 8, 1), 3, images=images, activation=None)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            outputs = keras.Model(model.inputs[0], layer.output)(images)
            assert float(keras.ops.std(outputs)) == pytest.approx(1, rel=1e-3)
    kernel = keras.ops.convert_to_numpy(model.get_layer("dense_2").kernel)
    np.testing.assert_allclose(kernel.T @ kernel, (kernel**2).sum() / 64 * np.eye(64), atol=1e-4)


@pytest.mark.parametrize(("name", "images"), [("lsuv-dense-3", None), ("lsuv-highway-3", np.ones((2, 8, 8, 1)))])
def test_lsuv_says_what_it_needs(name, images):
    with pytest.raises(ValueError, match=r"`lsuv-` must stand before .* Received: .* Take 'lsuv-dense-30'"):
        models.build(name, (8, 8, 1), 3, images=images)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gain-1.1-dens-30", "Did you mean 'dense-30'"),
        ("dens-30", "Did you mean 'dense-30'"),
        ("dense", "Try: 'dense-30'"),
        ("dense-0", "int >= 1"),
        ("dense-x", "int >= 1"),
        ("transformer-3", "There are: dense-DEPTH"),
        ("dens-30", "resnet-DEPTH, plain-DEPTH"),
        ("conv-dense", "Try: 'conv-dense-20'"),
        ("conv_dense-20", "Did you mean 'conv-dense-20'"),
        ("ResNet-20", "Did you mean 'resnet-20'"),
        ("resnet20", "Did you mean 'resnet-20'"),
        ("vgg", "There are: dense-DEPTH"),
        ("resnet-21", "The nearest is 20"),
        ("densenet-41", "The nearest is 40"),
        ("densenet-x", "int >= 1, at most 5000, as in 'densenet-40'"),
        *((f"{family}-1000000000", "int >= 1, at most 5000") for family in models.FAMILIES),
        ("dense-5001", "at most 5000"),
        (f"dense-{'9' * 5000}", "at most 5000"),
        (f"gain-{'9' * 400}-dense-3", "factor of `gain-` must be at least 0 and at most"),
        ("grown-0.9-dense-3", "factor of `grown-` must be at least 1"),
    ],
)
def test_a_wrong_name_says_what_there_is(name, message):
    with pytest.raises(ValueError, match=r"Received|Unknown model") as error:
        models.build(name, (8, 8, 1), 3)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "input_shape", "least"),
    [
        ("conv-dense-2", (64,), 4),
        ("conv-dense-2", (3, 8, 1), 4),
        ("resnet-8", (64,), 4),
        ("resnet-8", (8, 8), 4),
        ("plain-8", (3, 3, 1), 4),
        ("densenet-7", (None, None, 3), 4),
        ("densenet-7", (8, 3, 3), 4),
        ("densenet-121", (28, 28, 1), 32),
        ("densenet-121", (784,), 32),
    ],
)
def test_a_shape_that_an_image_model_cannot_take_is_an_error(name, input_shape, least):
    with pytest.raises(ValueError) as error:
        models.build(name, input_shape, 10)
    message = str(error.value)
    assert f"`input_shape` of {name} must be (height, width, channels), height and width at least {least}" in message
    assert f"Received: input_shape={input_shape}" in message


@pytest.mark.parametrize("build", [models.dense, models.highway, models.conv_dense, models.resnet, models.densenet])
def test_a_huge_depth_is_an_error_at_once(build):
    with pytest.raises(ValueError, match=r"`depth` must be .* at most 5000\. Received: depth=1000000000"):
        build(10**9, (32, 32, 3), 10)


def test_huge_stages_are_an_error_at_once():
    with pytest.raises(ValueError, match=r"`depth` must be .* at most 5000\. Received"):
        models.resnet(None, (32, 32, 3), 10, block_layers=(1, 10**9))
    with pytest.raises(ValueError, match=r"`conv_depth` must be .* at most 5000\. Received"):
        models.conv_dense(3, (32, 32, 3), 10, conv_depth=10**9)


def test_channels_first_is_an_error():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"channels last. Received: .*'channels_first'. Call"):
            models.build("resnet-8", (8, 8, 8), 10)
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize("name", [5, None, ["dense-3"], b"dense-3"])
def test_a_name_is_a_str(name):
    with pytest.raises(ValueError, match=r"A model's name must be a str.*Received"):
        models.build(name, (4,), 3)
