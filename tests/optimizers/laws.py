"""Compares long runs with distributions: bounds from the Monte Carlo error, and the laws of finite steps.

Chains are rows of one variable. After burn-in their last states are independent samples, so the bounds are exact.
"""

import numpy as np
from keras import ops
from scipy import linalg, stats

from tests.optimizers.cases import MODES, make_step, make_variables, values

COMPILED = list(MODES)[-1]
FALSE_ALARMS = 1e-6  # rate for each statistic, over all seeds; the seeds are fixed


def run_chains(optimizer, gradient, updates: int, start: np.ndarray, record: int | None = None) -> np.ndarray:
    """Returns the chains' last states, or with `record` their states after every `record` updates.

    Args:
        optimizer: not built yet.
        gradient: function from the states to their gradients, both of shape `(num_chains, dimension)`.
        updates: int.
        start: float32 array of shape `(num_chains, dimension)`, the first states.
        record: int, for an array of shape `(times, *start.shape)`. Defaults to `None`.
    """
    (theta,) = make_variables(start.shape, seed=None)
    theta.assign(start)
    step = make_step(optimizer, [theta], COMPILED)
    states = []
    for update in range(1, updates + 1):
        step([gradient(values([theta])[0]).astype("float32")])
        if update == updates or (record and update % record == 0):
            states.append(values([theta])[0].astype("float64"))
    return np.stack(states) if record else states[-1]


def run_underdamped(
    optimizer, precision: np.ndarray, num_chains: int, friction: float, gradient_noise: float = 0.0
) -> np.ndarray:
    """Returns weights and momentum of chains on θᵀ·precision·θ/2 after burn-in, of shape `(num_chains, 2·dimension)`.

    Args:
        optimizer: an optimizer with momentum, not built yet.
        friction: float, determines the length of the burn-in.
        gradient_noise: float, the standard deviation of the gradients' noise. Defaults to `0.0`.
    """
    shape, generator = (num_chains, len(precision)), np.random.default_rng(0)
    (theta,) = make_variables(shape, seed=None)
    step = make_step(optimizer, [theta], COMPILED)
    slowest = float(ops.convert_to_numpy(optimizer.learning_rate)) / friction * np.linalg.eigvalsh(precision).min()
    for _ in range(round(12 / min(friction / 2, slowest))):
        noise = gradient_noise * generator.normal(size=shape)
        step([(values([theta])[0] @ precision + noise).astype("float32")])
    return np.concatenate([values([theta])[0], values(optimizer.momentums)[0]], axis=1).astype("float64")


def assert_samples_normal(samples, covariance, bias: float = 0.0):
    """Compares mean, variances and correlations with N(0, covariance), whitened. Each exceeds its bound by chance for
    fewer than `FALSE_ALARMS` of all seeds.

    Args:
        samples: independent samples, array of shape `(count, dimension)`.
        bias: float, additional relative error of the variances, for the size of the steps. Defaults to `0.0`.
    """
    count = len(samples)
    white = linalg.solve_triangular(np.linalg.cholesky(covariance), samples.T, lower=True)
    bound = stats.norm.isf(FALSE_ALARMS / 2) / np.sqrt(count)
    assert np.abs(white.mean(axis=1)).max() < bound * np.sqrt(1 + bias), "mean"
    low, high = stats.chi2.ppf([FALSE_ALARMS / 2, 1 - FALSE_ALARMS / 2], df=count)
    variances = (white**2).sum(axis=1)
    assert low * (1 - bias) < variances.min(), "variance"
    assert variances.max() < high * (1 + bias), "variance"
    correlations = white @ white.T / count - np.diag(variances / count)
    assert np.abs(correlations).max() < bound + bias, "covariance"


def normal_fit_divergence(samples, covariance) -> float:
    """Returns KL(N(m, S) ‖ N(0, covariance)), where m and S are the mean and covariance of the samples."""
    mean, fitted = samples.mean(axis=0), np.cov(samples.T, bias=True)
    quadratic = mean @ np.linalg.solve(covariance, mean) + np.trace(np.linalg.solve(covariance, fitted))
    return (quadratic - len(mean) + np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(fitted)[1]) / 2


def largest_divergence(count: int, dimension: int) -> float:
    """Returns a bound of that divergence for `count` samples of the law itself: for a large count, 2·count·KL is
    χ²(d + d(d + 1)/2)."""
    return stats.chi2.isf(FALSE_ALARMS, df=dimension + dimension * (dimension + 1) / 2) / (2 * count)


# --- the laws of finite steps on V = θᵀAθ/2, by the discrete Lyapunov equation ----------------------------------------


def law_of_steps(precision, rate, sigma, momentum=0.0) -> np.ndarray:
    """Returns the covariance of θ under θ ← θ − rate·m + σ√rate·Z with m ← momentum·m + (1 − momentum)·Aθ.

    Args:
        precision: A, array of shape `(d, d)`.
        rate: γP, float or array of shape `(d,)`.
    """
    dimension = len(precision)
    identity, rate = np.eye(dimension), np.diag(np.broadcast_to(rate, dimension))
    gradient = (1 - momentum) * precision
    transition = np.block([[identity - rate @ gradient, -momentum * rate], [gradient, momentum * identity]])
    noise = linalg.block_diag(sigma**2 * rate, np.zeros_like(identity))
    return linalg.solve_discrete_lyapunov(transition, noise)[:dimension, :dimension]


def law_of_undamped_steps(precision, rate, sigma, momentum, nesterov=False, decay=0.0) -> np.ndarray:
    """Returns the covariance of θ under m ← μm − γAθ, θ ← (1 − γλ)θ + m + σ√γ·Z (Nesterov adds μm − γAθ, not m)."""
    dimension = len(precision)
    identity, gradient = np.eye(dimension), rate * precision
    kept, shrunk = momentum * identity, (1 - rate * decay) * identity
    added = [shrunk - (1 + momentum) * gradient, momentum * kept] if nesterov else [shrunk - gradient, kept]
    noise = linalg.block_diag(sigma**2 * rate * identity, np.zeros_like(identity))
    return linalg.solve_discrete_lyapunov(np.block([added, [-gradient, kept]]), noise)[:dimension, :dimension]


def law_of_underdamped_steps(precision, rate, sigma, friction, decay=0.0) -> np.ndarray:
    """Returns the covariance of (θ, m), of shape `(2d, 2d)`, under m ← (1 − α)m − γAθ + σ√(αγ)·Z, θ ← (1 − γλ)θ + m."""
    identity = np.eye(len(precision))
    kept = (1 - friction) * identity
    shrunk = (1 - rate * decay) * identity
    transition = np.block([[shrunk - rate * precision, kept], [-rate * precision, kept]])
    noise = friction * rate * sigma**2 * np.kron(np.ones((2, 2)), identity)
    return linalg.solve_discrete_lyapunov(transition, noise)


def law_of_splitting_steps(precision, rate, sigma, friction) -> np.ndarray:
    """Returns the covariance of (θ, m), of shape `(2d, 2d)`, under m ← (1 − α)m − γAθ, θ ← θ + m + n,
    m ← m + (2 − α)/(1 − α)·n with n = σ√(αγ)/2·Z."""
    identity = np.eye(len(precision))
    kept = (1 - friction) * identity
    transition = np.block([[identity - rate * precision, kept], [-rate * precision, kept]])
    shares = np.array([1, (2 - friction) / (1 - friction)])
    noise = friction / 4 * rate * sigma**2 * np.kron(np.outer(shares, shares), identity)
    return linalg.solve_discrete_lyapunov(transition, noise)
