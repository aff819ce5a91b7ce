"""Schedules and values for sigma."""

import math

import keras
import numpy as np
import pytest

from keras_langevin import LSGD, LogSchedule, NoiseBurst, posterior_sigma


def test_log_schedule_is_the_formula():
    schedule = LogSchedule(0.5, decay=1 / 1960)
    for step in (0, 1, 1960, 10**6):
        assert float(schedule(step)) == pytest.approx(0.5 / math.sqrt(math.log(math.e + step / 1960)), rel=1e-6)
    assert float(schedule(0)) == pytest.approx(0.5, rel=1e-6)


def test_log_schedule_is_serializable():
    schedule = LogSchedule(0.5, decay=0.25, name="mine")
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert type(again) is LogSchedule
    assert again.get_config() == {"initial_value": 0.5, "decay": 0.25, "name": "mine"}


def test_log_schedule_serves_as_a_learning_rate_too():
    optimizer = LSGD(learning_rate=LogSchedule(0.5), sigma=LogSchedule(0.25))
    assert float(optimizer.learning_rate) == pytest.approx(0.5)
    assert float(optimizer.sigma) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0,), r"`initial_value` must be a finite number >= 0\. Received: initial_value=-1\.0"),
        ((math.inf,), r"`initial_value`.*Received: initial_value=inf"),
        ((math.nan,), r"`initial_value`.*Received: initial_value=nan"),
        ((1.0, -0.5), r"`decay` must be a finite number >= 0\. Received: decay=-0\.5"),
    ],
)
def test_log_schedule_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        LogSchedule(*arguments)


def test_a_burst_is_constant_noise_and_then_the_parent():
    """Like PiecewiseConstantDecay, whose boundary is the last step with the first value."""

    def trained(sigma, changed=None):
        optimizer, weight = LSGD(0.1, sigma=sigma, seed=3), keras.Variable([1.0, -2.0])
        optimizer.build([weight])
        found = []
        for step in range(6):
            if step == 3 and changed is not None:
                optimizer.sigma = changed
            optimizer.apply([keras.ops.convert_to_tensor([0.5, 0.25])])
            found.append(keras.ops.convert_to_numpy(weight).copy())
        return found

    burst = trained(NoiseBurst(0.2, updates=3))
    np.testing.assert_array_equal(burst, trained(0.2, changed=0.0))
    piecewise = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.2, 0.0])
    np.testing.assert_array_equal(burst, trained(piecewise))


def test_a_burst_is_serializable():
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(NoiseBurst(0.5, 2**40, "mine")))
    assert again.get_config() == {"sigma": 0.5, "updates": 2**40, "name": "mine"}
    assert float(again(10**6)) == 0.5


@pytest.mark.parametrize(("arguments", "name"), [((-1.0, 3), "sigma"), ((0.1, 0), "updates"), ((0.1, 1.5), "updates")])
def test_a_burst_refuses(arguments, name):
    with pytest.raises(ValueError, match=rf"`{name}` must be .* Received: {name}=.* Give "):
        NoiseBurst(*arguments)


def test_posterior_sigma_is_the_formula():
    assert posterior_sigma(50_000) == pytest.approx(np.sqrt(2 / 50_000))
    assert posterior_sigma(200, temperature=0.25) == pytest.approx(0.05)


def test_posterior_sigma_makes_the_law_the_posterior():
    """exp(−2V/σ²) with V = potential / N is exp(−potential / T)."""
    data_size, temperature, potential = 300, 0.7, 1.3
    assert 2 * (potential / data_size) / posterior_sigma(data_size, temperature) ** 2 == pytest.approx(
        potential / temperature
    )


@pytest.mark.parametrize("data_size", [0, -1, math.nan, math.inf])
def test_posterior_sigma_refuses_a_data_size(data_size):
    with pytest.raises(ValueError, match=r"`data_size`.*must be >= 1\. Received: data_size="):
        posterior_sigma(data_size)


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf])
def test_posterior_sigma_refuses_a_temperature(temperature):
    with pytest.raises(ValueError, match=r"`temperature` must be finite and > 0\. Received: temperature="):
        posterior_sigma(100, temperature)
