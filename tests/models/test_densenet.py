import pytest

from keras_langevin import models

SHAPE = (8, 8, 3)


def test_the_small_net_of_the_papers_code():
    model = models.densenet(
        None, SHAPE, 10, kernel_initializer="zeros", growth_rate=5, block_layers=[6, 6, 6], initial_filters=16
    )
    assert model.name == "densenet-22"
    named = models.build("narrow-densenet-22", SHAPE, 10, kernel_initializer="zeros")
    assert [v.shape for v in named.variables] == [v.shape for v in model.variables]
    assert model.get_layer("block1_layer6_concat").output.shape == (None, 8, 8, 16 + 6 * 5)
    assert model.get_layer("block3_layer6_concat").output.shape == (None, 2, 2, 16 + 18 * 5)


def test_bottleneck_and_compression():
    model = models.densenet(10, SHAPE, 10, kernel_initializer="zeros", growth_rate=4, bottleneck=True, compression=0.5)
    shapes = {layer.name: layer.output.shape[1:] for layer in model.layers}
    assert shapes["stem_conv"] == (8, 8, 8)
    assert shapes["block1_layer1_bottleneck"] == (8, 8, 16)
    assert shapes["block1_layer1_concat"] == (8, 8, 12)
    assert shapes["transition1_pool"] == (4, 4, 6)


@pytest.mark.parametrize(("options", "convolutions"), [({}, 39), ({"bottleneck": True}, 39)])
def test_depth_counts_convolutions_and_logits(options, convolutions):
    model = models.build("densenet-40", SHAPE, 10, kernel_initializer="zeros", **options)
    assert sum(layer.name.endswith(("conv", "bottleneck")) for layer in model.layers) == convolutions


@pytest.mark.parametrize(
    ("depth", "options", "message"),
    [
        (41, {}, "`depth` of a densenet must be an int 3n + 4 with n >= 1. Received: depth=41. The nearest is 40."),
        (43, {"bottleneck": True}, "densenet with a bottleneck must be an int 6n + 4"),
        (40, {"block_layers": (6, 6, 6)}, "`depth` must be 22, or None"),
        (40, {"growth_rate": 0}, "`growth_rate` must be an int >= 1. Received: growth_rate=0"),
        (40, {"initial_filters": 0}, "`initial_filters` must be an int >= 1. Received: initial_filters=0"),
        (40, {"compression": 0}, "`compression` must be a float in (0, 1]. Received: compression=0"),
    ],
)
def test_wrong_arguments_are_errors(depth, options, message):
    with pytest.raises(ValueError) as error:
        models.densenet(depth, SHAPE, 10, **options)
    assert message in str(error.value)
