"""`describe(model)`: what `layers` chose."""

import keras
import numpy as np
import pytest

from keras_langevin import LAdam, describe


def make_model(*, built=True):
    layers = [keras.layers.Dense(8, name="first"), keras.layers.Dense(2, name="last")]
    return keras.Sequential([keras.Input((4,)), *layers] if built else layers, name="net")


def test_rows():
    model = make_model()
    model.compile(optimizer=LAdam(layers=0.5))
    rows = describe(model)
    assert [(row.path, row.parameters, row.noisy) for row in rows] == [("net/first", 40, True), ("net/last", 18, False)]
    assert [row.share for row in rows] == pytest.approx([40 / 58, 18 / 58])


def test_table():
    model = make_model()
    assert repr(describe(model, LAdam(layers=["last"]))).splitlines() == [
        "layer        parameters  noisy   share",
        "net/first            40  no      69.0%",
        "net/last             18  yes     31.0%",
        "1 of 2 layers are noisy, 31.0% of 58 parameters",
    ]


def test_agrees_with_the_optimizer_that_trained():
    model = make_model()
    model.compile(optimizer=LAdam(layers=1), loss="mse")
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    assert tuple(row.path for row in describe(model) if row.noisy) == model.optimizer.noisy_layers


def test_looks_inside_a_loss_scale_optimizer():
    optimizer = keras.optimizers.LossScaleOptimizer(LAdam(layers=1))
    assert [row.noisy for row in describe(make_model(), optimizer)] == [True, False]


def test_an_optimizer_without_noise_has_no_noisy_layer():
    assert [row.noisy for row in describe(make_model(), keras.optimizers.Adam())] == [False, False]


def test_frozen_layers_are_not_rows():
    model = make_model()
    model.layers[0].trainable = False
    assert [row.path for row in describe(model, LAdam())] == ["net/last"]


def test_a_model_that_is_not_compiled_needs_an_optimizer():
    with pytest.raises(ValueError, match=r"not compiled\. Compile it, or pass `describe\(model, optimizer\)`"):
        describe(make_model())


def test_a_model_without_weights_is_refused():
    with pytest.raises(ValueError, match=r"Received a model without weights: build it first"):
        describe(make_model(built=False), LAdam())


def test_a_frozen_model_is_refused_with_the_reason():
    model = make_model()
    model.trainable = False
    with pytest.raises(ValueError, match=r"Received a model whose \d+ weights are all frozen: set `trainable = True`"):
        describe(model, LAdam())


def test_wrong_layers_are_an_error_here_too():
    with pytest.raises(ValueError, match="The layers are: net/first, net/last"):
        describe(make_model(), LAdam(layers="middle"))
