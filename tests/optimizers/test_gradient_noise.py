"""A smaller σ that corrects for the noise of the batches: where it gives the right law, and where it does not.

docs/sampling-theory.md has the derivation and the figures that these tests check.

V is the mean over N examples x of Σ hᵢ(θᵢ − xᵢ)²/2, where x has the variances 1/hᵢ: θ is the mean of a normal law. The
noise of its batches is constant and known. All laws are exact for steps of finite size.
"""

import numpy as np
import pytest
from scipy import linalg, optimize

from keras_langevin import LSGD, SGHMC, SGNHT, posterior_sigma
from tests.optimizers.cases import make_step, make_variables, values
from tests.optimizers.laws import COMPILED, assert_samples_normal

N, BATCH = 20, 2
SIGMA = posterior_sigma(N)
SHARE = 0.4  # γV/(ασ²), averaged over the directions
CHAINS = 1_500
MAKE = {"LSGD": LSGD, "SGHMC": lambda rate, **arguments: SGHMC(rate, 0.3, **arguments)}
FRICTION = {"LSGD": 1.0, "SGHMC": 0.3}

every_dimension = pytest.mark.parametrize("d", [3, 10])


def curvatures(d: int) -> np.ndarray:
    return np.geomspace(0.3, 3, d)


def examples(d: int) -> np.ndarray:
    """Returns x with mean 0 and covariance diag(1/h), both exact."""
    drawn = np.random.default_rng(0).normal(size=(N, d))
    drawn -= drawn.mean(0)
    return np.linalg.solve(np.linalg.cholesky(np.cov(drawn.T, bias=True)), drawn.T).T / np.sqrt(curvatures(d))


def rate_of(d: int, friction: float = 1.0) -> float:
    """Returns the learning rate at which the noise of the batches is `SHARE` of the injected noise."""
    return SHARE * friction * SIGMA**2 * BATCH / curvatures(d).mean()


def corrected(variance: float, rate: float, friction: float = 1.0) -> float:
    """Returns σ' = √(σ² − γV/α)."""
    return np.sqrt(SIGMA**2 - rate * variance / friction)


def covariances(h, rate, sigma, friction=1.0, gradient_noise=0.0, thermostat=None) -> np.ndarray:
    """Returns the covariance of (θ, m) in each direction by the discrete Lyapunov equation, of shape `(d, 2, 2)`.

    Args:
        gradient_noise: V, a float or one per direction.
        thermostat: float, the momentum's friction if it differs from the noise's.
    """
    found, kept = [], 1 - (friction if thermostat is None else thermostat)
    for curvature, variance in zip(h, np.broadcast_to(gradient_noise, len(h)), strict=True):
        transition = np.array([[1 - rate * curvature, kept], [-rate * curvature, kept]])
        noise = friction * rate * sigma**2 + rate**2 * variance
        found.append(linalg.solve_discrete_lyapunov(transition, np.full((2, 2), noise)))
    return np.array(found)


def variances(*arguments, **options) -> np.ndarray:
    """Returns the variances of θ alone."""
    return covariances(*arguments, **options)[:, 0, 0]


def shuffled_variances(h, rate, sigma) -> np.ndarray:
    """Returns the variances at the ends of epochs, without momentum: the noises of an epoch's batches sum to zero."""
    batches = N // BATCH
    kept = (1 - rate * h[:, None]) ** np.arange(batches)
    of_one = h / BATCH * (N - BATCH) / (N - 1)
    of_epoch = rate**2 * of_one * batches / (batches - 1) * (np.sum(kept**2, 1) - np.sum(kept, 1) ** 2 / batches)
    return variances(h, rate, sigma) + of_epoch / (1 - (1 - rate * h) ** (2 * batches))


def run(optimizer, h, noise, updates: int) -> np.ndarray:
    """Returns the chains' last states; `noise(update)` is the noise of all gradients of an update."""
    (theta,) = make_variables((CHAINS, len(h)), seed=None)
    step = make_step(optimizer, [theta], COMPILED)
    for update in range(updates):
        step([(values([theta])[0] * h + noise(update)).astype("float32")])
    return values([theta])[0].astype("float64")


def independent(d: int):
    """Returns the noise of batches drawn with replacement."""
    generator, targets = np.random.default_rng(1), curvatures(d) * examples(d)
    return lambda update: -targets[generator.integers(N, size=(CHAINS, BATCH))].mean(1)


def shuffled(d: int):
    """Returns the noise of batches as `fit` draws them, in a new order each epoch."""
    generator, targets = np.random.default_rng(1), curvatures(d) * examples(d)
    orders = np.tile(np.arange(N), (CHAINS, 1))

    def noise(update):
        first = update % (N // BATCH) * BATCH
        if first == 0:
            generator.permuted(orders, axis=1, out=orders)
        return -targets[orders[:, first : first + BATCH]].mean(1)

    return noise


def updates_of(h, rate, friction=1.0) -> int:
    """Returns the updates of whole epochs after which variances are within 0.1% of their limits."""
    per_epoch = N // BATCH
    return per_epoch * int(np.ceil(4 / min(friction / 2, rate / friction * h.min()) / per_epoch))


@every_dimension
@pytest.mark.parametrize("name", MAKE)
def test_noise_that_is_equal_in_all_directions(name, d):
    """Without the correction the variances are (1 + γV/(ασ²)) times the exact gradient's; with it they equal them."""
    h, friction = curvatures(d), FRICTION[name]
    rate = rate_of(d, friction)
    variance = h.mean() / BATCH
    generator = np.random.default_rng(2)
    noise = lambda update: np.sqrt(variance) * generator.standard_normal((CHAINS, d), "float32")  # noqa: E731
    exact = variances(h, rate, SIGMA, friction)
    smaller = corrected(variance, rate, friction)
    np.testing.assert_allclose(variances(h, rate, SIGMA, friction, variance), (1 + SHARE) * exact, rtol=1e-9)
    np.testing.assert_allclose(variances(h, rate, smaller, friction, variance), exact, rtol=1e-9)
    for sigma, law in ((SIGMA, (1 + SHARE) * exact), (smaller, exact)):
        samples = run(MAKE[name](rate, sigma=sigma, seed=1), h, noise, updates_of(h, rate, friction))
        assert_samples_normal(samples, np.diag(law))


# The variances in the softest and the stiffest direction relative to those of the exact gradient: with σ, with σ'.
INDEPENDENT = {3: ((1.08, 1.85), (0.68, 1.45)), 10: ((1.10, 1.98), (0.70, 1.58))}
SHUFFLED = {3: ((1.00, 1.19), (0.60, 0.79)), 10: ((1.00, 1.27), (0.60, 0.87))}
THERMOSTAT = {3: (0.77, 1.32), 10: (0.78, 1.41)}


@every_dimension
def test_independent_batches(d):
    """The noise of a batch has the variances hᵢ/B, ten times larger in the stiffest direction than in the softest. A
    single σ' makes the soft directions too narrow and leaves the stiff ones too wide."""
    h, rate = curvatures(d), rate_of(d)
    variance, exact = h / BATCH, variances(h, rate, SIGMA)
    sigma = corrected(variance.mean(), rate)
    law = variances(h, rate, sigma, gradient_noise=variance)
    np.testing.assert_allclose(law / exact, 1 + SHARE * (h / h.mean() - 1), rtol=1e-9)
    plain = variances(h, rate, SIGMA, gradient_noise=variance)
    np.testing.assert_allclose(plain / exact, 1 + SHARE * h / h.mean(), rtol=1e-9)
    assert [(each / exact)[[0, -1]] for each in (plain, law)] == pytest.approx(np.array(INDEPENDENT[d]), abs=0.005)
    # a σ' for each direction is right
    for direction in range(d):
        own = corrected(variance[direction], rate)
        assert variances(h, rate, own, gradient_noise=variance)[direction] == pytest.approx(exact[direction])
    samples = run(LSGD(rate, sigma=sigma, seed=1), h, independent(d), updates_of(h, rate))
    assert_samples_normal(samples, np.diag(law), bias=0.02)  # the noise of a batch of two is not normal


@every_dimension
def test_batches_of_fit(d):
    """An epoch's batches cancel, so the correction makes the soft directions too narrow by almost its full size."""
    h, rate = curvatures(d), rate_of(d)
    exact = variances(h, rate, SIGMA)
    sigma = corrected(h.mean() / BATCH, rate)
    law = shuffled_variances(h, rate, sigma)
    plain = shuffled_variances(h, rate, SIGMA)
    assert [(each / exact)[[0, -1]] for each in (plain, law)] == pytest.approx(np.array(SHUFFLED[d]), abs=0.005)
    samples = run(LSGD(rate, sigma=sigma, seed=1), h, shuffled(d), updates_of(h, rate))
    assert_samples_normal(samples, np.diag(law), bias=0.02)


@every_dimension
def test_a_thermostat_has_the_same_limit(d):
    """SGNHT finds the correction itself, but also only one number per variable."""
    h, friction = curvatures(d), 0.1
    rate, variance = rate_of(d, friction), h / BATCH

    def excess(thermostat):
        momentum = covariances(h, rate, SIGMA, friction, variance, thermostat)[:, 1, 1].mean()
        return momentum * (1 - thermostat / 2) / (rate * SIGMA**2 / 2) - 1

    thermostat = optimize.brentq(excess, friction / 2, 0.95)
    assert thermostat == pytest.approx((1 + SHARE) * friction, rel=0.01)
    law = variances(h, rate, SIGMA, friction, variance, thermostat)
    assert (law / variances(h, rate, SIGMA, friction))[[0, -1]] == pytest.approx(THERMOSTAT[d], abs=0.005)
    if d == 3:
        optimizer = SGNHT(rate, friction, 0.02, sigma=SIGMA, seed=1)
        samples = run(optimizer, h, independent(d), updates_of(h, rate, friction))
        assert_samples_normal(samples, np.diag(law), bias=0.02)


@pytest.mark.parametrize("rate", [0.01, 0.001])
def test_a_splitting_is_right_to_first_order(rate):
    """BAOAB adds the two noises at different points of its step."""
    h, friction = curvatures(3), 0.3
    variance = SHARE * friction * SIGMA**2 / rate
    sigma = corrected(variance, rate, friction)
    shares = np.array([1, (2 - friction) / (1 - friction)])  # of the injected noise, in θ and in m
    noise = friction / 4 * rate * sigma**2 * np.outer(shares, shares) + rate**2 * variance
    for curvature in h:
        kept = 1 - friction
        transition = np.array([[1 - rate * curvature, kept], [-rate * curvature, kept]])
        found = linalg.solve_discrete_lyapunov(transition, noise)[0, 0] / (SIGMA**2 / (2 * curvature))
        assert 0 < found - 1 < 0.13 * rate * curvature
