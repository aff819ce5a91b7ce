"""The prior's scale and its errors."""

import keras
import numpy as np
import pytest
from scipy import stats

from keras_langevin import GaussianPrior


def test_it_is_the_log_density_over_the_size_of_the_data():
    theta = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    prior = GaussianPrior(stddev=0.7, data_size=50)
    log_density = stats.norm.logpdf(theta, scale=0.7).sum() - stats.norm.logpdf(np.zeros(12), scale=0.7).sum()
    assert float(keras.ops.convert_to_numpy(prior(theta))) == pytest.approx(-log_density / 50, rel=1e-5)


@pytest.mark.parametrize("center", [0.5, [[0.5, -1.0], [2.0, 0.0]]])
def test_a_center_is_its_mean_and_is_saved(center):
    theta = np.random.default_rng(0).normal(size=(2, 2)).astype("float32")
    prior = GaussianPrior(stddev=0.7, data_size=50, center=center)
    log_density = (stats.norm.logpdf(theta, center, 0.7) - stats.norm.logpdf(0, 0, 0.7)).sum()
    assert float(keras.ops.convert_to_numpy(prior(theta))) == pytest.approx(-log_density / 50, rel=1e-5)
    again = keras.regularizers.deserialize(keras.regularizers.serialize(prior))
    np.testing.assert_array_equal(again.center, center)


@pytest.mark.parametrize("center", ["0", None, True, float("nan"), [0.0, float("inf")], [[1.0], [1.0, 2.0]]])
def test_bad_center(center):
    with pytest.raises(ValueError, match=r"`center`.* finite float, or an array.*Received: center="):
        GaussianPrior(1.0, 10, center=center)


def test_it_is_saved_with_the_model(tmp_path):
    prior = GaussianPrior(stddev=2, data_size=100)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_regularizer=prior)])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").layers[-1].kernel_regularizer
    assert type(again) is GaussianPrior and again.get_config() == {"stddev": 2.0, "data_size": 100, "center": 0.0}


@pytest.mark.parametrize("stddev", [0, -1.0, float("inf"), float("nan"), "1", True])
def test_bad_stddev(stddev):
    with pytest.raises(ValueError, match=r"`stddev`.* finite float > 0. Received: stddev="):
        GaussianPrior(stddev, data_size=10)


@pytest.mark.parametrize("data_size", [0, 0.5, float("inf"), None, True])
def test_bad_data_size(data_size):
    with pytest.raises(ValueError, match=r"`data_size`.* number >= 1. Received: data_size="):
        GaussianPrior(1.0, data_size=data_size)
