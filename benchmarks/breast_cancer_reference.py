"""The posterior of a Bayesian logistic regression on scikit-learn's breast cancer data, by a long MALA run in NumPy.

    python benchmarks/breast_cancer_reference.py            # about a minute

30 standardized features and a constant, prior N(0, 1) on each of the 31 weights. 200 chains of the Metropolis-adjusted
Langevin algorithm, preconditioned by the covariance of the Laplace approximation and started from a wider copy of it.
Uses neither the library nor Keras. Writes `tests/sampling/breast_cancer.json`, which the tests compare samples with:
posterior means and standard deviations with their Monte Carlo errors, effective sample sizes and R-hat, from arviz.

References:
    G. O. Roberts and R. L. Tweedie, Exponential convergence of Langevin distributions and their discrete
    approximations, Bernoulli 2 (1996).
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import optimize, special
from sklearn.datasets import load_breast_cancer

REFERENCE = Path(__file__).parents[1] / "tests" / "sampling" / "breast_cancer.json"
PRIOR_STDDEV = 1.0


def data() -> tuple[np.ndarray, np.ndarray]:
    """Returns standardized features of shape `(569, 30)`, and labels 0 or 1."""
    x, y = load_breast_cancer(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), y


def log_density(theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns log p(θ | data) + constant and its gradient for each row of `theta`, of shape `(num_chains, 31)`."""
    features = np.column_stack([x, np.ones(len(x))])
    logits = theta @ features.T
    value = (y * logits - np.logaddexp(0, logits)).sum(axis=-1) - (theta**2).sum(axis=-1) / (2 * PRIOR_STDDEV**2)
    gradient = (y - special.expit(logits)) @ features - theta / PRIOR_STDDEV**2
    return value, gradient


def laplace(x, y) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mode and the covariance at the mode."""

    def minus(theta):
        value, gradient = log_density(theta[None], x, y)
        return -value[0], -gradient[0]

    found = optimize.minimize(minus, np.zeros(31), jac=True)
    features = np.column_stack([x, np.ones(len(x))])
    p = special.expit(features @ found.x)
    precision = (features * (p * (1 - p))[:, None]).T @ features + np.eye(31) / PRIOR_STDDEV**2
    return found.x, np.linalg.inv(precision)


def mala(num_chains: int, num_steps: int, step: float, generator: np.random.Generator) -> tuple[np.ndarray, float]:
    """Returns draws of shape `(num_chains, num_steps, 31)`, and the share of proposals that was accepted."""
    x, y = data()
    mode, covariance = laplace(x, y)
    root, precision = np.linalg.cholesky(covariance), np.linalg.inv(covariance)
    theta = mode + 1.5 * generator.normal(size=(num_chains, 31)) @ root.T  # wider than the posterior
    value, gradient = log_density(theta, x, y)
    draws, accepted = np.empty((num_chains, num_steps, 31)), 0.0
    for number in range(num_steps):
        proposal = theta + step**2 / 2 * gradient @ covariance + step * generator.normal(size=theta.shape) @ root.T
        its_value, its_gradient = log_density(proposal, x, y)
        forth = proposal - theta - step**2 / 2 * gradient @ covariance
        back = theta - proposal - step**2 / 2 * its_gradient @ covariance
        norms = [np.einsum("ci,ij,cj->c", move, precision, move) for move in (forth, back)]
        log_ratio = its_value - value + (norms[0] - norms[1]) / (2 * step**2)
        taken = np.log(generator.random(num_chains)) < log_ratio
        theta = np.where(taken[:, None], proposal, theta)
        value, gradient = np.where(taken, its_value, value), np.where(taken[:, None], its_gradient, gradient)
        draws[:, number] = theta
        accepted += taken.mean() / num_steps
    return draws, accepted


def summarize(draws: np.ndarray, accepted: float) -> dict:
    """Returns the statistics that the tests need, with their errors."""
    import arviz

    posterior = arviz.from_dict(posterior={"theta": draws})
    quantities = {
        "ess_bulk": arviz.ess(posterior, method="bulk"),
        "ess_tail": arviz.ess(posterior, method="tail"),
        "r_hat": arviz.rhat(posterior),
        "mean_error": arviz.mcse(posterior, method="mean"),
        "std_error": arviz.mcse(posterior, method="sd"),
    }
    return {
        "num_chains": len(draws),
        "num_steps": draws.shape[1],
        "accepted": accepted,
        "mean": draws.mean(axis=(0, 1)).tolist(),
        "std": draws.reshape(-1, 31).std(axis=0).tolist(),
        **{name: values["theta"].values.tolist() for name, values in quantities.items()},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=200, help="default: 200")
    parser.add_argument("--steps", type=int, default=3000, help="after 200 steps of burn-in; default: 3000")
    parser.add_argument("--step", type=float, default=0.9, help="in units of the posterior's size; default: 0.9")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=REFERENCE)
    options = parser.parse_args()
    draws, accepted = mala(options.chains, options.steps + 200, options.step, np.random.default_rng(options.seed))
    found = summarize(draws[:, 200:], accepted)
    options.out.write_text(json.dumps(found | {"step": options.step, "seed": options.seed}, indent=1) + "\n", "utf-8")
    std = np.array(found["std"])
    print(f"accepted {accepted:.2f}, R-hat <= {max(found['r_hat']):.4f}, ESS >= {min(found['ess_bulk']):.0f}")
    print(f"errors: mean {max(found['mean_error'] / std):.4f} std, std {max(found['std_error'] / std):.4f} std")


if __name__ == "__main__":
    main()
