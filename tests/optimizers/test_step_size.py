"""What a finite step does: a bias that is linear in γ, and a crossing from mode to mode where steps come in cycles."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, SGHMC
from tests.optimizers.laws import run_chains

SIGMA, CURVATURE = 1.0, 2.0
FRICTION = 0.5
CHAINS = 100_000

# 1/variance of θ on V = aθ²/2 is (2a/σ²)(1 − share·aγ), exactly.
SHARES = {
    "LSGD": (lambda rate: LSGD(rate, sigma=SIGMA, seed=1), 1 / 2),
    "SGHMC": (lambda rate: SGHMC(rate, FRICTION, sigma=SIGMA, seed=1), 1 / (2 * (2 - FRICTION))),
}


@pytest.mark.parametrize("name", SHARES)
def test_bias_is_linear_in_the_step(name):
    """Regression of the inverse variance on γ: intercept and slope within four standard errors of the exact ones, which
    leaves the slope known within a tenth. (A variance of n independent samples is known to √(2/n).)"""
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
    assert 4 * errors[1] < 0.1 * abs(true[1])


# --- two modes --------------------------------------------------------------------------------------------------------
# exp(−2V/σ²) with σ² = 2 is an even mixture of N(−5, 1) and N(5, 1) in the first coordinate, and N(0, 1) in the second:
# between the modes the density is 2·e⁻¹²·⁵ of theirs. All chains start in the left mode.


def two_modes(theta):
    """The gradient of V."""
    gradient = theta.copy()
    gradient[:, 0] -= 5 * np.tanh(5 * theta[:, 0])
    return gradient


class CyclicCosine(keras.optimizers.schedules.LearningRateSchedule):
    """(peak − floor)/2·(cos(π·(t mod period)/period) + 1) + floor: Zhang et al. 2020, equation (1)."""

    def __init__(self, peak, floor, period):
        super().__init__()
        self.peak, self.floor, self.period = peak, floor, period

    def __call__(self, step):
        place = ops.cast(step % self.period, "float32") / self.period
        return self.floor + (self.peak - self.floor) / 2 * (ops.cos(math.pi * place) + 1)

    def get_config(self):
        return {"peak": self.peak, "floor": self.floor, "period": self.period}


def test_a_cycle_of_steps_finds_both_modes():
    """Five cycles of 200 steps from 1.7 to 0.02, against 1000 steps of 0.02, of 2,000 chains each, all from one start.

    With small steps alone no more than two in 2,000 chains leave the mode that they started in. At the ends of the
    cycles four of five chains have been in both; after the last, half of all are in each within four standard errors,
    and within a mode the variance is the law's, to its Monte-Carlo error and to 5% for the size of the steps.
    """
    start = np.tile(np.float32([-5, 0]), (2_000, 1))
    period, floor, count, cycles = 200, 0.02, len(start), 5
    small = run_chains(LSGD(floor, sigma=math.sqrt(2), seed=1), two_modes, cycles * period, start)
    assert np.sum(small[:, 0] > 0) <= 2
    optimizer = LSGD(CyclicCosine(1.7, floor, period), sigma=math.sqrt(2), seed=1)
    ends = run_chains(optimizer, two_modes, cycles * period, start, record=period)
    right = ends[:, :, 0] > 0
    print(f"\nshare of the chains on the right after each cycle: {right.mean(axis=1)}, of those in both {both(right)}")
    assert both(right) > 0.8
    assert abs(right[-1].mean() - 0.5) < 4 * math.sqrt(0.25 / count)
    for inside in (np.abs(ends[-1][:, 0]) - 5, ends[-1][:, 1]):
        assert abs(np.mean(inside**2) - 1) < 4 * math.sqrt(2 / count) + 0.05


def both(right) -> float:
    """The share of chains that are on either side at the end of some cycle; of a bool array `(cycles, num_chains)`."""
    return np.mean(right.any(axis=0) & ~right.all(axis=0))
