"""The distribution that a long run reaches on a correlated Gaussian, from a distant start.

V = θᵀΣ⁻¹θ/2, so the invariant law exp(−2V/σ²) is N(0, (σ²/2)Σ). The samples are compared with the law of steps of that
size, which is known exactly and is close to the invariant one (`test_the_steps_are_small_enough`). The bounds follow
from the Monte Carlo error.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from scipy import linalg, stats

from keras_langevin import LSGD, SGHMC, LAdam, LRMSprop
from tests.optimizers.cases import make_step, make_variables, values
from tests.optimizers.laws import (
    COMPILED,
    assert_samples_normal,
    largest_divergence,
    law_of_steps,
    law_of_underdamped_steps,
    normal_fit_divergence,
    run_chains,
)

SIGMA = 1.2


class Target(NamedTuple):
    """N(0, (σ²/2)Σ), and the number of chains that sample it.

    Attributes:
        covariance: Σ.
        chains: int, the number of chains.
    """

    covariance: np.ndarray
    chains: int

    @property
    def precision(self):
        return np.linalg.inv(self.covariance)

    @property
    def law(self):
        return SIGMA**2 / 2 * self.covariance

    @property
    def start(self):
        """Starts close together, ten of the largest standard deviations away in each coordinate."""
        spread = np.random.default_rng(0).normal(size=(self.chains, len(self.covariance)))
        return (10 * np.sqrt(np.linalg.eigvalsh(self.law).max()) + 0.1 * spread).astype("float32")

    def gradient(self, theta):
        return theta @ self.precision.astype("float32")


def correlated(dimension):
    """Returns a covariance with eigenvalues from 0.4 to 3 in random directions."""
    rotation = stats.ortho_group.rvs(dimension, random_state=0)
    return rotation @ np.diag(np.geomspace(0.4, 3, dimension)) @ rotation.T


TARGETS = {
    3: Target(np.array([[1.0, 0.6, -0.3], [0.6, 1.5, 0.2], [-0.3, 0.2, 0.8]]), chains=10_000),
    50: Target(correlated(50), chains=3_000),
}
every_target = pytest.mark.parametrize(
    "target", [TARGETS[3], pytest.param(TARGETS[50], marks=pytest.mark.slow)], ids=["3", "50"]
)

RATE = 0.01
FRICTION = 0.2
# L-Adam first gets gradients of these sizes. amsgrad keeps their maximum, so P settles at 1 / size.
SIZES = (100.0, 150.0)
BETA_1 = 0.5


def sizes(target):
    return np.linspace(*SIZES, len(target.covariance))


def settled_adam(target):
    """Returns L-Adam with P = 1 / size as long as no gradient exceeds `SIZES`."""
    shape = target.start.shape
    optimizer = LAdam(1.0, beta_1=BETA_1, beta_2=0.9, amsgrad=True, epsilon=1e-12, sigma=0.0, seed=2)
    (theta,) = make_variables(shape, seed=None)
    step = make_step(optimizer, [theta], COMPILED)
    for update in range(200):
        step([np.broadcast_to((-1.0) ** update * sizes(target), shape).astype("float32")])
    return optimizer


class Sampler(NamedTuple):
    """An optimizer that samples.

    Attributes:
        run: Target, number of updates -> the chains' last states.
        law: Target -> the covariance of θ under its steps.
        rate: Target -> γP in the long run, a float or an array with one element per coordinate.
        bias: float, bound of the relative error of the variance in any direction due to the size of the steps.
    """

    run: Callable
    law: Callable
    rate: Callable
    bias: float = 0.02


def adam_rate(target):
    return 0.6 / sizes(target)


def run_adam(target, updates):
    optimizer = settled_adam(target)
    settled = values(optimizer._velocity_hats)[0]
    np.testing.assert_allclose(settled, np.broadcast_to(sizes(target) ** 2, settled.shape), rtol=1e-4)
    start = target.start
    variables = make_variables(start.shape, seed=None)
    fresh = LAdam(0.6, beta_1=BETA_1, beta_2=0.9, amsgrad=True, epsilon=1e-12, sigma=SIGMA, seed=2)
    fresh.build(variables)
    for to, of in zip(fresh.variables, optimizer.variables, strict=True):
        if to.name not in ("sigma", "learning_rate") and "momentum" not in to.name:
            to.assign(of)
    variables[0].assign(start)
    step = make_step(fresh, variables, COMPILED)
    for _ in range(updates):
        step([target.gradient(values(variables)[0])])
    assert np.mean(values(fresh._velocity_hats)[0] > 1.001 * settled) < 1e-3, "P did not stay settled"
    return values(variables)[0].astype("float64")


def run_with(make):
    return lambda target, updates: run_chains(make(), target.gradient, updates, target.start)


SAMPLERS = {
    "LSGD": Sampler(
        run_with(lambda: LSGD(RATE, sigma=SIGMA, seed=1)),
        lambda target: law_of_steps(target.precision, RATE, SIGMA),
        lambda target: RATE,
    ),
    "LSGD-rademacher": Sampler(  # a sum of many small ±1 is normal
        run_with(lambda: LSGD(RATE, sigma=SIGMA, seed=1, noise="rademacher")),
        lambda target: law_of_steps(target.precision, RATE, SIGMA),
        lambda target: RATE,
    ),
    "SGHMC": Sampler(
        run_with(lambda: SGHMC(RATE, FRICTION, sigma=SIGMA, seed=3)),
        lambda target: np.split(
            np.split(law_of_underdamped_steps(target.precision, RATE, SIGMA, FRICTION), 2)[0], 2, axis=1
        )[0],
        lambda target: RATE / FRICTION,
    ),
    "LAdam": Sampler(
        run_adam,
        lambda target: law_of_steps(target.precision, adam_rate(target), SIGMA, momentum=BETA_1),
        adam_rate,
        bias=0.03,  # its momentum makes that (1 + β₁)/(1 − β₁) times as large
    ),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_the_steps_are_small_enough(sampler, target):
    """The law of the finite steps is (σ²/2)Σ within the sampler's `bias` in every direction."""
    ratios = linalg.eigvalsh(SAMPLERS[sampler].law(target), target.law)
    np.testing.assert_allclose(ratios, 1, atol=SAMPLERS[sampler].bias)


@every_target
def test_the_bounds_catch_a_wrong_sigma(target):
    """Samples with σ 5% (in 50 dimensions 7%) too large or too small, or with σ² instead of σ, do not pass."""
    z = np.random.default_rng(0).normal(size=target.start.shape) @ np.linalg.cholesky(target.covariance).T
    assert_samples_normal(SIGMA / np.sqrt(2) * z, target.law)
    largest = largest_divergence(*z.shape)
    assert normal_fit_divergence(SIGMA / np.sqrt(2) * z, target.law) < largest
    error = 0.05 if len(target.covariance) == 3 else 0.07
    for wrong in ((1 + error) * SIGMA, (1 - error) * SIGMA, SIGMA**2):
        with pytest.raises(AssertionError, match="variance"):
            assert_samples_normal(wrong / np.sqrt(2) * z, target.law)
        assert normal_fit_divergence(wrong / np.sqrt(2) * z, target.law) > largest


# Slow, because other tests cover them: test_noise.py checks ±1 exactly, test_contract.py P exactly (a settled P takes
# 5,000 steps), and test_gamma_correction.py compares L-Adam's law with quadrature.
LONG = ("LSGD-rademacher", "LAdam")


@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.slow] * (each in LONG)) for each in SAMPLERS])
@every_target
def test_samples_the_law(name, target):
    """Checks mean, covariance, and the divergence of the Gaussian fit, which falls by more than 100 from the start."""
    sampler = SAMPLERS[name]
    covariance = sampler.law(target)
    dimension = len(covariance)
    # of the start, 10√d standard deviations away, less than a hundredth of a standard deviation is then left
    slowest = linalg.eigvalsh(target.precision, np.diag(1 / np.broadcast_to(sampler.rate(target), dimension))).min()
    samples = sampler.run(target, int(10 / slowest))
    assert_samples_normal(samples, covariance)
    far, near = normal_fit_divergence(target.start, target.law), normal_fit_divergence(samples, target.law)
    bias = normal_fit_divergence_of_law(covariance, target.law)
    largest = largest_divergence(*samples.shape)
    print(f"\n{name}, {dimension} dimensions: KL {far:.1f} -> {near:.4f} (bound {largest:.4f} + {bias:.4f})")
    assert far - near > 100
    assert normal_fit_divergence(samples, covariance) < largest
    assert bias < 0.01 * dimension


def normal_fit_divergence_of_law(covariance, law):
    ratios = linalg.eigvalsh(covariance, law)
    return (ratios - 1 - np.log(ratios)).sum() / 2


@pytest.mark.slow  # test_gamma_correction.py has faster ones
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_preconditioned_with_gamma_samples_the_law(target):
    """L-RMSprop on the same Gaussian: its P follows the gradient, so only with Γ is the law the invariant one. Then the
    variance is off by at most 4% at this step in any direction; without Γ by more than 40% in some."""
    rate, biases = 0.01, {}
    for on in (True, False):
        optimizer = LRMSprop(rate, rho=0.5, epsilon=1.0, sigma=SIGMA, seed=4, gamma_correction=on)
        # P is 1/√(g² + 1): at least 0.7 where the chains end up, and small only far away
        slowest = rate * 0.5 * np.linalg.eigvalsh(target.precision).min()
        samples = run_chains(optimizer, target.gradient, int(10 / slowest), target.start)
        if on:
            assert_samples_normal(samples, target.law, bias=0.04)
        biases[on] = np.abs(linalg.eigvalsh(np.cov(samples.T), target.law) - 1).max()
    print(f"\n{len(target.covariance)} dimensions: largest relative error of a variance {biases}")
    assert biases[False] > 0.4 > biases[True]  # in 50 dimensions 0.27 is Monte Carlo error
