"""BAOAB: that it is the splitting of the paper, its law, and what its constructor refuses. test_contract.py has the
rest."""

import keras
import numpy as np
import pytest

from keras_langevin import BAOAB
from tests.optimizers.cases import make_step, make_variables, normals, values
from tests.optimizers.laws import COMPILED, assert_samples_normal, law_of_splitting_steps, run_underdamped
from tests.optimizers.test_sghmc import COVARIANCE, PRECISION

SIGMA, SEED = 0.5, 2**40 + 3
CHAINS = 10_000


@pytest.mark.parametrize("friction", [0.1, 0.6])
def test_it_is_the_splitting_of_the_paper(friction):
    """Kick, drift, friction, drift, kick with step h and temperature σ²/2. The optimizer starts with a full kick, where
    the paper has a half; after a whole step the momentum p is complete."""
    h = 0.3
    rate, shape = h**2 * (1 - friction / 2), (3, 4)
    gradient_of = np.tanh
    (variable,) = make_variables(shape)
    theta = values([variable])[0].astype("float64")
    optimizer = BAOAB(rate, friction, sigma=SIGMA, seed=SEED)
    step = make_step(optimizer, [variable], COMPILED)
    p = -h / 2 * gradient_of(theta)
    for update in range(6):
        step([gradient_of(values([variable])[0]).astype("float32")])
        p = p - h / 2 * gradient_of(theta)
        theta = theta + h / 2 * p
        kept = 1 - friction
        p = kept * p + SIGMA / np.sqrt(2) * np.sqrt(1 - kept**2) * normals(SEED, update, [shape])[0]
        theta = theta + h / 2 * p
        p = p - h / 2 * gradient_of(theta)
        np.testing.assert_allclose(values([variable])[0], theta, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("friction", [0.05, 0.3, 0.95])
@pytest.mark.parametrize("rate", [0.3, 0.01])
def test_on_a_quadratic_the_step_has_no_error(rate, friction):
    """By the discrete Lyapunov equation the covariance is (σ²/2)Σ to all digits, at any step."""
    law = law_of_splitting_steps(PRECISION, rate, SIGMA, friction)
    np.testing.assert_allclose(law[:3, :3], SIGMA**2 / 2 * COVARIANCE, rtol=1e-7, atol=1e-9)


def test_weights_and_momentum_have_the_law_of_their_steps():
    """The step is so large that SGHMC's weights would be 17% too wide in one direction."""
    rate, friction = 0.3, 0.3
    law = law_of_splitting_steps(PRECISION, rate, SIGMA, friction)
    samples = run_underdamped(BAOAB(rate, friction, sigma=SIGMA, seed=1), PRECISION, CHAINS, friction)
    assert_samples_normal(samples, law)


def test_config_has_friction_and_no_momentum():
    config = BAOAB(0.02, friction=0.25, sigma=0.5, clipnorm=2.0).get_config()
    assert (config["friction"], config["sigma"], config["clipnorm"]) == (0.25, 0.5, 2.0)
    assert not {"momentum", "nesterov"} & set(config)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(BAOAB(friction=0.25)))
    assert type(again) is BAOAB and again.momentum == 0.75


def test_refuses_a_friction_of_one():
    with pytest.raises(ValueError, match=r"`friction` must be below 1.*Received: friction=1.*use `LSGD`"):
        BAOAB(friction=1)
    with pytest.raises(ValueError, match=r"float in \(0, 1\]. Received: friction=0"):
        BAOAB(friction=0)
