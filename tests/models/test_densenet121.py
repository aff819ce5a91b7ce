import re

import keras
import numpy as np
import pytest

from keras_langevin import LAdam, models
from keras_langevin.optimizers.selection import group_by_layer


def test_it_is_the_one_of_keras_with_random_weights_and_logits(monkeypatch):
    received = {}
    monkeypatch.setattr(keras.applications, "DenseNet121", lambda **arguments: received.update(arguments) or "model")
    assert models.build("densenet-121", [32, 33, 3], 10) == "model"
    assert received == {
        "weights": None,
        "input_shape": (32, 33, 3),
        "classes": 10,
        "classifier_activation": None,
        "name": "densenet-121",
    }


@pytest.mark.slow
def test_it_trains_and_its_layers_run_from_input_to_output():
    model = models.build("densenet-121", (32, 32, 3), 10)
    paths = [group.path for group in group_by_layer(model.trainable_variables)]
    blocks = [path for path in paths if "block" in path and path.endswith("_conv")]
    assert len(blocks) == 2 * (6 + 12 + 24 + 16)
    assert paths[0] == "conv1_conv"
    assert paths[-1] == "predictions"
    assert blocks == sorted(blocks, key=lambda path: [int(part) for part in re.findall(r"\d+", path)])
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    model.compile(
        LAdam(1e-3, sigma=1e-3, layers=0.3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=keras.backend.backend() == "tensorflow",
        jit_compile=keras.backend.backend() == "jax",
    )
    assert np.isfinite(model.train_on_batch(x, np.arange(2)))
