import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import models

SHAPE = (8, 8, 3)


def weighted_layers(model):
    return [layer.name for layer in model.layers if layer.trainable_weights]


@pytest.mark.parametrize(("block_layers", "filters", "depth"), [((6, 6, 6), 8, 38), ((5, 5, 5), 16, 32)])
def test_nets_of_the_papers_code(block_layers, filters, depth):
    model = models.resnet(None, SHAPE, 10, kernel_initializer="zeros", block_layers=block_layers, filters=filters)
    kernels = [
        layer for layer in model.layers if layer.name.endswith(("conv", "conv1", "conv2")) or layer.name == "logits"
    ]
    assert model.name == f"resnet-{depth}"
    assert len(kernels) == depth
    assert model.get_layer("stage3_block1_conv1").filters == 4 * filters


def test_each_stage_halves_the_image_and_doubles_the_channels():
    model = models.resnet(None, (9, 32, 1), 10, kernel_initializer="zeros", block_layers=(1, 2, 1, 1), filters=3)
    shapes = [model.get_layer(f"stage{stage}_block1_add").output.shape for stage in range(1, 5)]
    assert shapes == [(None, 9, 32, 3), (None, 5, 16, 6), (None, 3, 8, 12), (None, 2, 4, 24)]


def test_weighted_shortcuts_stay_within_their_block():
    model = models.resnet(
        None, SHAPE, 10, block_layers=(1, 1), filters=2, kernel_initializer="zeros", shortcut="projection"
    )
    block2 = ["conv1", "norm1", "conv2", "shortcut_conv", "norm2", "shortcut_norm"]
    assert weighted_layers(model) == [
        "stem_conv",
        "stem_norm",
        *(f"stage1_block1_{part}" for part in ("conv1", "norm1", "conv2", "norm2")),
        *(f"stage2_block1_{part}" for part in block2),
        "logits",
    ]


def test_shortcuts_cost_what_they_should():
    counts = {
        name: models.build(name.split()[0], SHAPE, 10, kernel_initializer="zeros", **options).count_params()
        for name, options in {"plain-20": {}, "resnet-20": {}, "resnet-20 B": {"shortcut": "projection"}}.items()
    }
    assert counts["resnet-20"] == counts["plain-20"]
    assert counts["resnet-20 B"] - counts["resnet-20"] == (16 * 32 + 4 * 32) + (32 * 64 + 4 * 64)


def test_a_plain_net_has_no_shortcut():
    names = [layer.name for layer in models.build("plain-20", SHAPE, 10, kernel_initializer="zeros").layers]
    assert not [name for name in names if "add" in name or "shortcut" in name]


def test_a_block_whose_convolutions_are_zero_passes_its_input():
    model = models.resnet(None, (4, 4, 3), 10, block_layers=(1,), filters=3)
    for layer in weighted_layers(model):
        if layer.startswith("stage1") and "conv" in layer:
            model.get_layer(layer).set_weights([np.zeros((3, 3, 3, 3), "float32")])
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    stem = np.maximum(ops.convert_to_numpy(model.get_layer("stem_norm")(model.get_layer("stem_conv")(x))), 0)
    logits = ops.convert_to_numpy(model.get_layer("logits")(stem.mean(axis=(1, 2))))
    np.testing.assert_allclose(ops.convert_to_numpy(model(x)), logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [4, 5])
def test_a_shortcut_subsamples_and_appends_zeros(size):
    """With a zero convolution the second block returns every other pixel of its input, with added channels of zeros."""
    model = models.resnet(None, (size, size, 3), 10, block_layers=(1, 1), filters=3)
    model.get_layer("stage2_block1_conv2").set_weights([np.zeros((3, 3, 6, 6), "float32")])
    outputs = [model.get_layer(f"stage{stage}_block1_act2").output for stage in (1, 2)]
    x = np.random.default_rng(0).normal(size=(2, size, size, 3)).astype("float32")
    before, after = (ops.convert_to_numpy(each) for each in keras.Model(model.inputs[0], outputs)(x))
    np.testing.assert_array_equal(after[..., :3], before[:, ::2, ::2])
    np.testing.assert_array_equal(after[..., 3:], 0)


@pytest.mark.parametrize(
    ("depth", "options", "message"),
    [
        (21, {}, "must be an int 6n + 2 with n >= 1. Received: depth=21. The nearest is 20."),
        (24, {}, "The nearest is 26."),
        (2, {}, "The nearest is 8."),
        (None, {}, "Received: depth=None. For stages of other lengths pass `block_layers`."),
        (20, {"block_layers": (5, 5, 5)}, "`depth` must be 32, or None, with block_layers=(5, 5, 5)"),
        (None, {"block_layers": (5, 0)}, "`block_layers` must be a sequence of ints >= 1. Received"),
        (None, {"block_layers": 5}, "`block_layers` must be a sequence of ints >= 1. Received"),
        (8, {"shortcut": "none"}, "`shortcut` must be 'identity' or 'projection'. Received: shortcut='none'"),
        (8, {"filters": 0}, "`filters` must be an int >= 1. Received: filters=0"),
    ],
)
def test_wrong_arguments_are_errors(depth, options, message):
    with pytest.raises(ValueError) as error:
        models.resnet(depth, SHAPE, 10, **options)
    assert message in str(error.value)
