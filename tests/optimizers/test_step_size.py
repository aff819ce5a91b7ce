"""A finite step makes a bias that is linear in γ."""

import math

import numpy as np
import pytest

from keras_langevin import BAOAB, LSGD, SGHMC
from tests.optimizers.laws import run_chains

SIGMA, CURVATURE = 1.0, 2.0
FRICTION = 0.5
CHAINS = 100_000

# 1/variance of θ on V = aθ²/2 is (2a/σ²)(1 − share·aγ), exactly.
SHARES = {
    "LSGD": (lambda rate: LSGD(rate, sigma=SIGMA, seed=1), 1 / 2),
    "BAOAB": (lambda rate: BAOAB(rate, FRICTION, sigma=SIGMA, seed=1), 0.0),
    "SGHMC": (lambda rate: SGHMC(rate, FRICTION, sigma=SIGMA, seed=1), 1 / (2 * (2 - FRICTION))),
}


@pytest.mark.parametrize("name", SHARES)
def test_bias_is_linear_in_the_step(name):
    """Regresses the inverse variance on γ. Intercept and slope are within four standard errors of the exact ones, which
    determines the slope within a tenth. (A variance of n independent samples has the relative error √(2/n).)"""
    make, share = SHARES[name]
    rates = np.array([0.05, 0.1, 0.2, 0.3, 0.4])
    precisions = []
    for rate in rates:
        updates = math.ceil(12 / (rate * CURVATURE * (1 if name == "LSGD" else 1 / FRICTION)))
        samples = run_chains(make(rate), lambda theta: CURVATURE * theta, updates, np.zeros((CHAINS, 1), "float32"))
        precisions.append(1 / np.mean(samples**2))
    exact = 2 * CURVATURE / SIGMA**2
    design = np.stack([np.ones_like(rates), rates], axis=1)
    weights = np.array(precisions) * np.sqrt(2 / CHAINS)  # standard errors
    covariance = np.linalg.inv(design.T @ (design / weights[:, None] ** 2))
    fitted = covariance @ (design.T @ (precisions / weights**2))
    errors = np.sqrt(np.diag(covariance))
    true = np.array([exact, -exact * share * CURVATURE])
    print(
        f"\n{name}: 1/variance {fitted[0]:.3f} {fitted[1]:+.3f}·γ, exactly {true[0]:.3f} {true[1]:+.3f}·γ; ± {errors}"
    )
    np.testing.assert_array_less(np.abs(fitted - true), 4 * errors)
    assert 4 * errors[1] < 0.1 * exact * CURVATURE / 2  # of L-SGD's slope
