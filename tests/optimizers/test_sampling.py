"""The distribution that a long run reaches.

V = ½ θᵀΣ⁻¹θ in three dimensions, so that the invariant law exp(−2V/σ²) is N(0, (σ²/2)Σ). Each row of one variable is a
chain of its own; after the burn-in the last states of all chains are independent samples, and the bounds are exact.
"""

import numpy as np
import pytest
from scipy import linalg, stats

from keras_langevin import LSGD, LAdam
from tests.optimizers.cases import MODES, make_step, make_variables, values

COVARIANCE = np.array([[1.0, 0.6, -0.3], [0.6, 1.5, 0.2], [-0.3, 0.2, 0.8]])  # Σ
PRECISION = np.linalg.inv(COVARIANCE)
SIGMA = 1.2
CHAINS = 10_000
FALSE_ALARMS = 1e-6
COMPILED = list(MODES)[-1]


def assert_samples_the_law(samples, covariance):
    """Mean and covariance against N(0, covariance), whitened: the nine statistics exceed their bounds by chance in
    fewer than `9 · FALSE_ALARMS` of all seeds."""
    count = len(samples)
    white = linalg.solve_triangular(np.linalg.cholesky(covariance), samples.T, lower=True)
    bound = stats.norm.isf(FALSE_ALARMS / 2) / np.sqrt(count)
    assert np.abs(white.mean(axis=1)).max() < bound, "mean"
    low, high = stats.chi2.ppf([FALSE_ALARMS / 2, 1 - FALSE_ALARMS / 2], df=count)
    # A step of finite size widens the law: by up to `BIAS`, see `test_the_steps_are_small_enough`.
    variances = (white**2).sum(axis=1)
    assert low < variances.min(), "variance"
    assert variances.max() < high * (1 + BIAS), "variance"
    correlations = white @ white.T / count - np.diag(variances / count)
    assert np.abs(correlations).max() < bound + BIAS, "covariance"


BIAS = 0.02


def stationary_covariance(rate, momentum=0.0):
    """Of θ ← θ − rate·m + σ√rate·Z with m ← momentum·m + (1 − momentum)·Σ⁻¹θ, exactly; `rate` is γP, of shape (3,)."""
    rate = np.diag(np.broadcast_to(rate, 3))
    identity = np.eye(3)
    # (θ, m) ← transition (θ, m) + noise on θ
    gradient = (1 - momentum) * PRECISION
    transition = np.block([[identity - rate @ gradient, -momentum * rate], [gradient, momentum * identity]])
    noise = linalg.block_diag(SIGMA**2 * rate, np.zeros((3, 3)))
    return linalg.solve_discrete_lyapunov(transition, noise)[:3, :3]


SGD_RATE = 0.01
# L-Adam: gradients of these sizes come first, and amsgrad keeps their maximum: P settles at 1 / size.
SIZES = np.array([8.0, 10.0, 12.0])
ADAM_RATE = 0.006


@pytest.mark.parametrize(("rate", "momentum"), [(SGD_RATE, 0.0), (ADAM_RATE / SIZES, 0.9)], ids=["LSGD", "LAdam"])
def test_the_steps_are_small_enough(rate, momentum):
    """The chain's own law, by the discrete Lyapunov equation, is (σ²/2)Σ within `BIAS` in every direction."""
    ratios = linalg.eigvalsh(stationary_covariance(rate, momentum), SIGMA**2 / 2 * COVARIANCE)
    np.testing.assert_allclose(ratios, 1, atol=BIAS)


def test_the_bounds_catch_a_wrong_sigma():
    """Samples of the law with σ 5% too large or too small, or with one σ² for σ, do not pass."""
    z = np.random.default_rng(0).normal(size=(CHAINS, 3)) @ np.linalg.cholesky(COVARIANCE).T
    target = SIGMA**2 / 2 * COVARIANCE
    assert_samples_the_law(SIGMA / np.sqrt(2) * z, target)
    for wrong in (1.05 * SIGMA, 0.95 * SIGMA, SIGMA**2):
        with pytest.raises(AssertionError, match="variance"):
            assert_samples_the_law(wrong / np.sqrt(2) * z, target)


@pytest.mark.parametrize("noise", ["normal", "rademacher"])
def test_langevin_sgd_samples_the_law(noise):
    """With either law of the noise: a sum of many small ±1 is normal."""
    (theta,) = make_variables((CHAINS, 3), seed=None)
    step = make_step(LSGD(SGD_RATE, sigma=SIGMA, seed=1, noise=noise), [theta], COMPILED)
    burn_in = int(5 / (SGD_RATE * np.linalg.eigvalsh(PRECISION).min()))
    for _ in range(burn_in):
        step([values([theta])[0] @ PRECISION.astype("float32")])
    assert_samples_the_law(values([theta])[0], SIGMA**2 / 2 * COVARIANCE)


def test_langevin_adam_with_settled_preconditioner_samples_the_law():
    (theta,) = make_variables((CHAINS, 3), seed=None)
    optimizer = LAdam(ADAM_RATE, beta_2=0.9, amsgrad=True, epsilon=1e-12, sigma=SIGMA, seed=2)
    step = make_step(optimizer, [theta], COMPILED)
    for update in range(200):
        step([np.broadcast_to((-1.0) ** update * SIZES, (CHAINS, 3)).astype("float32")])
    settled = values(optimizer._velocity_hats)[0]
    np.testing.assert_allclose(settled, np.broadcast_to(SIZES**2, (CHAINS, 3)), rtol=1e-5)
    slowest = linalg.eigvalsh(PRECISION, np.diag(SIZES / ADAM_RATE)).min()
    for _ in range(int(5 / slowest)):
        step([values([theta])[0] @ PRECISION.astype("float32")])
    assert np.mean(values(optimizer._velocity_hats)[0] > 1.0001 * settled) < 1e-3, "P did not stay settled"
    assert_samples_the_law(values([theta])[0], SIGMA**2 / 2 * COVARIANCE)
