"""SGNHT: its update, its law with noisy gradients, and what its constructor refuses. test_contract.py has the rest,
with the thermostat at rest."""

import keras
import numpy as np
import pytest
from scipy import linalg, optimize

from keras_langevin import SGHMC, SGNHT
from keras_langevin.optimizers import gate_layers, reference
from tests.optimizers.cases import MODES, make_gradients, make_step, make_variables, normals, train_together, values
from tests.optimizers.laws import COMPILED, assert_samples_normal, run_underdamped
from tests.optimizers.test_sghmc import COVARIANCE, PRECISION

SIGMA, RATE, SEED = 0.5, 0.02, 2**40 + 3
CHAINS = 10_000


@pytest.mark.parametrize("mode", MODES)
def test_update_is_the_formula(mode):
    """Weights, momentum and friction after each of five updates of two noisy variables and one without noise."""
    shapes, friction, thermal_rate = ((3, 4), (70_000, 2), (5,)), 0.1, 0.05
    variables = make_variables(*shapes, seed=None)
    gradients = make_gradients(variables, 5)
    optimizer = SGNHT(RATE, friction, thermal_rate, sigma=SIGMA, seed=SEED, layers=[0, 1])
    step = make_step(optimizer, variables, mode)
    theta, states = [np.zeros(shape) for shape in shapes], [{} for _ in shapes]
    for update, gradient in enumerate(gradients):
        step(gradient)
        z = normals(SEED, update, shapes)
        thermostats = values(optimizer._thermostats)
        for i, (weights, buffer) in enumerate(zip(values(variables), values(optimizer.momentums), strict=True)):
            theta[i], _, states[i] = reference.sgnht(
                theta[i], gradient[i], SIGMA * np.sqrt(RATE) * z[i] * (i < 2), update + 1, **states[i],
                learning_rate=RATE, friction=friction, thermal_rate=thermal_rate, sigma=SIGMA * (i < 2),
            )  # fmt: skip
            np.testing.assert_allclose(thermostats[i], states[i]["alpha"], rtol=1e-4)
            np.testing.assert_allclose(buffer, states[i]["m"], rtol=1e-3, atol=1e-5)
            np.testing.assert_allclose(weights, theta[i], rtol=1e-3, atol=1e-5)
    assert states[0]["alpha"] != friction == pytest.approx(float(thermostats[2]))


def test_with_a_thermostat_that_rests_it_is_sghmc():
    optimizers = SGNHT(RATE, 0.3, 0.0, sigma=SIGMA, seed=1), SGHMC(RATE, 0.3, sigma=SIGMA, seed=1)
    for ours, theirs in zip(*train_together(optimizers, COMPILED), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_noise_it_is_momentum_sgd():
    """With sigma=0, and in layers with a closed gate."""
    optimizers = (
        SGNHT(RATE, 0.25, 0.05, sigma=0.0, seed=1),
        SGNHT(RATE, 0.25, 0.05, sigma=SIGMA, seed=1, layers=1),
        keras.optimizers.SGD(RATE, momentum=0.75),
    )
    gate_layers(optimizers[1])
    silent, gated, plain = train_together(optimizers, COMPILED, updates=4)
    for ours, theirs in zip(silent, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    np.testing.assert_allclose(gated[1], plain[1], rtol=1e-6)
    assert not np.allclose(gated[0], plain[0], rtol=1e-2)


def law_of_thermostat(rate, friction, gradient_noise) -> tuple[np.ndarray, float]:
    """Returns the covariance of (θ, m) and α for very many chains with one thermostat, which then stands still. The
    gradient has noise of that standard deviation."""
    identity = np.eye(3)

    def law(alpha):
        kept = (1 - alpha) * identity
        transition = np.block([[identity - rate * PRECISION, kept], [-rate * PRECISION, kept]])
        size = friction * rate * SIGMA**2 + (rate * gradient_noise) ** 2
        return linalg.solve_discrete_lyapunov(transition, size * np.kron(np.ones((2, 2)), identity))

    def excess(alpha):
        return np.trace(law(alpha)[3:, 3:]) / 3 * (1 - alpha / 2) / (rate * SIGMA**2 / 2) - 1

    alpha = optimize.brentq(excess, 0.01, 0.95)
    return law(alpha), alpha


@pytest.mark.parametrize("gradient_noise", [0.0, 1.5])
def test_the_law_with_noisy_gradients(gradient_noise):
    """The weights' variances are those of (σ²/2)Σ within 3%; SGHMC's would be 1.9 times too large with the noise."""
    rate, friction = 0.01, 0.1
    law, alpha = law_of_thermostat(rate, friction, gradient_noise)
    optimizer = SGNHT(rate, friction, 0.02, sigma=SIGMA, seed=1)
    samples = run_underdamped(optimizer, PRECISION, CHAINS, alpha, gradient_noise)
    assert float(values(optimizer._thermostats)[0]) == pytest.approx(alpha, rel=0.02)
    assert_samples_normal(samples, law, bias=0.01)  # the friction still moves a little
    ratios = linalg.eigvalsh(law[:3, :3], SIGMA**2 / 2 * COVARIANCE)
    np.testing.assert_allclose(ratios, 1, atol=0.03)
    assert (alpha > 1.5 * friction) == (gradient_noise > 0)


def test_config():
    config = SGNHT(RATE, friction=0.25, thermal_rate=0.5, sigma=0.5).get_config()
    assert (config["friction"], config["thermal_rate"], config["sigma"]) == (0.25, 0.5, 0.5)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(SGNHT(friction=0.25, thermal_rate=0.5)))
    assert type(again) is SGNHT and (again.momentum, again.thermal_rate) == (0.75, 0.5)


@pytest.mark.parametrize("rate", [-0.1, 1.0, None, True, "0.1", float("nan")])
def test_refuses_a_thermal_rate_out_of_range(rate):
    with pytest.raises(ValueError, match=r"float in \[0, 1\)\. Received: thermal_rate=.*0\.01"):
        SGNHT(thermal_rate=rate)


def test_refuses_a_friction_of_one():
    with pytest.raises(ValueError, match=r"`friction` must be below 1.*Received: friction=1"):
        SGNHT(friction=1)
