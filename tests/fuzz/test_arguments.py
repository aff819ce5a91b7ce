"""Arguments of optimizers and schedules: every value works as documented, or raises a documented error."""

import json
import math

import keras
import numpy as np
from hypothesis import strategies as st

from keras_langevin import LogSchedule, posterior_sigma
from tests.fuzz.many import ANYTHING, check, fuzzed, refused
from tests.optimizers.cases import CASES

NUMBERS = st.one_of(
    st.floats(),
    st.floats(0, 1e3),
    st.integers(-5, 5),
    st.integers(0, 2**40),
    st.floats(0, 10).map(np.float32),
    ANYTHING,
)
optimizers = st.sampled_from(CASES)


LARGEST = float(np.finfo("float32").max)


def is_number(value, low=0.0):
    """Whether a value is a number that float32 can hold."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and low <= value <= LARGEST


@fuzzed
def test_sigma(cases):
    seen = {True: 0, False: 0}

    def agrees(case, sigma):
        try:
            optimizer = case.make(sigma=sigma)
        except ValueError as error:
            assert refused(error) and not is_number(sigma)
        else:
            assert is_number(sigma)
            with np.errstate(over="ignore"):
                assert float(keras.ops.convert_to_numpy(optimizer.sigma)) == float(np.float32(sigma))
        seen[is_number(sigma)] += 1

    check(cases, agrees, optimizers, NUMBERS)
    assert min(seen.values()) > cases // 10, seen


@fuzzed
def test_seed(cases):
    def agrees(seed):
        is_seed = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**64
        try:
            optimizer = CASES[0].make(seed=seed)
        except ValueError as error:
            assert refused(error) and not is_seed and seed is not None
        else:
            assert optimizer.seed == seed if seed is not None else 0 <= optimizer.seed < 2**63

    check(cases, agrees, st.one_of(st.integers(0, 2**64 - 1), st.integers(-10, 10), ANYTHING))


@fuzzed
def test_configurations_survive_json(cases):
    """With random valid arguments, an optimizer equals the one made from its configuration as JSON."""
    layers = st.one_of(
        st.none(), st.floats(0, 1), st.integers(0, 9), st.lists(st.one_of(st.integers(-3, 3), st.text(min_size=1)))
    )
    sigma = st.one_of(st.floats(0, 1e3), st.builds(LogSchedule, st.floats(0, 10), st.floats(0, 10)))

    def agrees(case, sigma, layers, seed, noise, learning_rate, use_ema):
        optimizer = case.make(
            sigma=sigma, layers=layers, seed=seed, noise=noise, learning_rate=learning_rate, use_ema=use_ema
        )
        config = json.loads(json.dumps(keras.optimizers.serialize(optimizer)))
        again = keras.optimizers.deserialize(config)
        assert type(again) is type(optimizer)
        assert again.get_config() == optimizer.get_config()
        assert (again.seed, again.noise, again.layers) == (seed, noise, layers)

    rates = st.floats(1e-6, 10)
    noise = st.sampled_from(["normal", "rademacher"])
    check(
        max(100, cases // 10), agrees, optimizers, sigma, layers, st.integers(0, 2**64 - 1), noise, rates, st.booleans()
    )


@fuzzed
def test_log_schedule(cases):
    def agrees(initial_value, decay, step):
        good = is_number(initial_value) and is_number(decay)
        try:
            schedule = LogSchedule(initial_value, decay)
        except ValueError as error:
            assert refused(error) and not good
            return
        assert good
        value = float(keras.ops.convert_to_numpy(schedule(step)))
        log = np.logaddexp(1, math.log(step) + math.log(decay)) if step and decay else 1.0
        expected = float(initial_value) / math.sqrt(log)
        if expected > np.finfo("float32").max:
            expected = math.inf
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-37)

    moderate = st.one_of(st.floats(0, 1e6), st.floats(), st.integers(-2, 10**6), ANYTHING)
    check(cases, agrees, moderate, moderate, st.integers(0, 10**7))


@fuzzed
def test_posterior_sigma(cases):
    def agrees(data_size, temperature):
        try:
            sigma = posterior_sigma(data_size, temperature)
        except ValueError as error:
            assert refused(error)
            assert not (is_number(data_size, 1) and is_number(temperature) and temperature > 0)
        else:
            assert sigma == math.sqrt(2 * temperature / data_size)

    check(cases, agrees, st.one_of(st.integers(-2, 10**9), ANYTHING), st.one_of(st.floats(1e-6, 1e6), ANYTHING))
