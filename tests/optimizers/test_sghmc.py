"""SGHMC: its update, its law, and what its constructor refuses. test_contract.py has the rest."""

import keras
import numpy as np
import pytest
from scipy import linalg

from keras_langevin import LSGD, SGHMC
from tests.optimizers.cases import MODES, make_gradients, make_step, make_variables, normals, train_together, values
from tests.optimizers.laws import assert_samples_normal, law_of_underdamped_steps, run_underdamped

SIGMA, RATE, SEED = 0.5, 0.02, 2**40 + 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("friction", [0.1, 0.6])
def test_update_is_the_formula(friction, mode):
    """Weights and momentum after each of five updates of two noisy variables, one large, and one without noise."""
    shapes = ((3, 4), (70_000, 2), (5,))
    variables = make_variables(*shapes, seed=None)
    gradients = make_gradients(variables, 5)
    optimizer = SGHMC(RATE, friction, sigma=SIGMA, seed=SEED, layers=[0, 1])
    step = make_step(optimizer, variables, mode)
    theta, momentum = ([np.zeros(shape) for shape in shapes] for _ in range(2))
    for update, gradient in enumerate(gradients):
        step(gradient)
        z = normals(SEED, update, shapes)
        for i, (weights, buffer) in enumerate(zip(values(variables), values(optimizer.momentums), strict=True)):
            noise = SIGMA * np.sqrt(RATE * friction) * z[i] * (i < 2)
            momentum[i] = (1 - friction) * momentum[i] - RATE * gradient[i] + noise
            theta[i] = theta[i] + momentum[i]
            np.testing.assert_allclose(buffer, momentum[i], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(weights, theta[i], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_with_all_friction_it_is_langevin_sgd(mode):
    optimizers = SGHMC(RATE, 1.0, sigma=SIGMA, seed=1), LSGD(RATE, sigma=SIGMA, seed=1)
    for ours, theirs in zip(*train_together(optimizers, mode), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_config_has_friction_and_no_momentum():
    config = SGHMC(RATE, friction=0.25, sigma=0.5, clipnorm=2.0).get_config()
    assert (config["friction"], config["sigma"], config["clipnorm"]) == (0.25, 0.5, 2.0)
    assert not {"momentum", "nesterov"} & set(config)
    assert keras.optimizers.deserialize(keras.optimizers.serialize(SGHMC(friction=0.25))).momentum == 0.75


@pytest.mark.parametrize("friction", [0, -0.1, 1.5, None, True, "0.1", float("nan")])
def test_refuses_a_friction_out_of_range(friction):
    with pytest.raises(ValueError, match=r"float in \(0, 1\]\. Received: friction=.*momentum of 0\.9"):
        SGHMC(friction=friction)


@pytest.mark.parametrize("argument", [{"momentum": 0.9}, {"nesterov": True}])
def test_refuses_momentum(argument):
    with pytest.raises(ValueError, match=r"takes `friction`.*Received: (momentum|nesterov)=.*Pass `friction` alone"):
        SGHMC(**argument)


# --- the law ----------------------------------------------------------------------------------------------------------

COVARIANCE = np.array([[1.0, 0.6, -0.3], [0.6, 1.5, 0.2], [-0.3, 0.2, 0.8]])  # Σ
PRECISION = np.linalg.inv(COVARIANCE)
CHAINS = 10_000


@pytest.mark.parametrize("friction", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("rate", [0.05, 0.01])
def test_law_of_the_docstring(rate, friction):
    """By the discrete Lyapunov equation, in each eigenvector of Σ⁻¹: (σ²/2)Σ / (1 − γa/(2(2 − α))) for the weights, and
    (σ²/2)γ/(1 − α/2) over the same for the momentum."""
    law = law_of_underdamped_steps(PRECISION, rate, SIGMA, friction)
    curvatures, vectors = np.linalg.eigh(PRECISION)
    for curvature, vector in zip(curvatures, vectors.T, strict=True):
        widened = 1 - rate * curvature / (2 * (2 - friction))
        weights, momentum = (vector @ law[i : i + 3, i : i + 3] @ vector for i in (0, 3))
        np.testing.assert_allclose(weights, SIGMA**2 / (2 * curvature) / widened, rtol=1e-8)
        np.testing.assert_allclose(momentum, SIGMA**2 / 2 * rate / (1 - friction / 2) / widened, rtol=1e-8)


@pytest.mark.parametrize(("rate", "friction"), [(0.05, 0.05), (0.05, 0.3)])
def test_weights_and_momentum_have_the_law_of_their_steps(rate, friction):
    """Includes the covariances of weights and momentum. At this step the weights' is (σ²/2)Σ within 7%."""
    law = law_of_underdamped_steps(PRECISION, rate, SIGMA, friction)
    samples = run_underdamped(SGHMC(rate, friction, sigma=SIGMA, seed=1), PRECISION, CHAINS, friction)
    assert_samples_normal(samples, law)
    ratios = linalg.eigvalsh(law[:3, :3], SIGMA**2 / 2 * COVARIANCE)
    np.testing.assert_allclose(ratios, 1, atol=0.07)
