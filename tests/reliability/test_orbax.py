"""Orbax checkpoints of Keras's callback hold the whole state, and training resumes from them."""

import keras
import numpy as np
import pytest

from tests.optimizers.cases import values
from tests.reliability.nets import assert_equal_weights, fit, make_model, make_optimizer

pytestmark = pytest.mark.skipif(not hasattr(keras.callbacks, "OrbaxCheckpoint"), reason="this Keras has no orbax")


def written(folder):
    """Trains a model for an epoch and writes its state."""
    model = make_model()
    callback = keras.callbacks.OrbaxCheckpoint(str(folder), save_freq="epoch", save_on_background=False)
    fit(model, epochs=1, callbacks=[callback])
    return model


def test_load_weights_takes_the_weights_alone(tmp_path):
    """As Keras documents; seed, sigma and slots stay those of the model."""
    model = written(tmp_path / "orbax")
    restored = fit(make_model(make_optimizer(sigma=0.5, seed=9)), epochs=2)
    restored.load_weights(str(tmp_path / "orbax"))
    assert_equal_weights(restored, model)
    assert (restored.optimizer.seed, int(restored.optimizer.iterations)) == (9, 8)


def test_a_whole_model_is_loaded(tmp_path):
    model = written(tmp_path / "orbax")
    loaded = keras.saving.load_model(str(tmp_path / "orbax"))
    assert type(loaded.optimizer) is type(model.optimizer)
    for ours, theirs in zip(values(loaded.optimizer.variables), values(model.optimizer.variables), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for each in (model, loaded):
        fit(each, epochs=2, initial_epoch=1)
    assert_equal_weights(loaded, model)
