"""The samples follow the posterior in cases where it is known, and the tests detect the known mistakes.

A layer of many units on the same inputs acts as many independent chains: a loss that is summed over units and averaged
over examples gives each unit its own gradient, and the noise is independent between elements. So one fit has thousands
of independent draws, and the bounds are exact.
"""

import json
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from scipy import linalg, stats

from benchmarks import breast_cancer_reference
from keras_langevin import LSGD, GaussianPrior, PosteriorSamples, posterior_sigma
from tests.sampling.cases import BACKEND

FALSE_ALARMS = 1e-6
# Keras's own work between two executions takes longer than an update. On PyTorch Keras accepts only 1.
STEPS = 1 if BACKEND == "torch" else 50
BIAS = 0.025  # bound of how much finite steps widen the variance; `test_the_steps_are_small_enough` checks it


class FullBatch(keras.utils.PyDataset):
    """All examples as one batch, repeated: an epoch of `updates` updates."""

    def __init__(self, x, y, updates):
        super().__init__()
        self.batch, self.updates = (x, y), updates

    def __len__(self):
        return self.updates

    def __getitem__(self, index):
        return self.batch


class SumOverChains(keras.losses.Loss):
    """−log p(y | x, θ) of each example, summed over the chains; averaged over the batch unless `reduction` is given."""

    def __init__(self, negative_log_likelihood, **arguments):
        super().__init__(**arguments)
        self.negative_log_likelihood = negative_log_likelihood

    def call(self, y, outputs):
        return ops.sum(self.negative_log_likelihood(y, outputs), axis=-1)


def chains(loss, learning_rate, sigma, priors, x, y, *, num_chains, burn_in, thinning=1, max_samples=1, use_bias=False):
    """Returns draws of shape `(max_samples · num_chains, num_parameters)`: the weights, then the bias."""
    layer = keras.layers.Dense(
        num_chains, use_bias=use_bias, kernel_initializer="zeros", kernel_regularizer=priors, bias_regularizer=priors
    )
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    model.compile(LSGD(learning_rate, sigma=sigma, seed=7), loss=loss, steps_per_execution=STEPS)
    samples = PosteriorSamples(burn_in, thinning, max_samples)
    updates = burn_in + thinning * max_samples
    model.fit(FullBatch(x, y, updates), epochs=1, verbose=0, callbacks=[samples], shuffle=False)
    draws = [np.concatenate([np.atleast_2d(array) for array in samples.ring.arrays(i)]).T for i in range(len(samples))]
    return np.concatenate(draws)


# --- linear regression: the posterior is normal -----------------------------------------------------------------------

SIZE, NOISE, STDDEV = 40, 0.5, 0.1  # N, the observations' standard deviation, the prior's
LEARNING_RATE = 0.005


def line_data():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(SIZE, 2)) @ np.array([[1.0, 0.5], [0.0, 1.0]])
    y = x @ np.array([0.4, -0.3]) + NOISE * generator.normal(size=SIZE)
    return x.astype("float32"), y[:, None].astype("float32")


def line_posterior():
    """Returns mean and covariance in closed form."""
    x, y = (array.astype(float) for array in line_data())
    precision = x.T @ x / NOISE**2 + np.eye(2) / STDDEV**2
    return np.linalg.solve(precision, x.T @ y[:, 0] / NOISE**2), np.linalg.inv(precision)


def assert_samples_the_posterior(draws):
    """Compares mean and variances with the closed form, whitened. Each of the four statistics exceeds its bound by
    chance with probability `FALSE_ALARMS`."""
    mean, covariance = line_posterior()
    white = linalg.solve_triangular(np.linalg.cholesky(covariance), (draws - mean).T, lower=True)
    count = len(draws)
    bound = stats.norm.isf(FALSE_ALARMS / 2) * np.sqrt((1 + BIAS) / count)
    assert np.abs(white.mean(axis=1)).max() < bound, "mean"
    low, high = stats.chi2.ppf([FALSE_ALARMS / 2, 1 - FALSE_ALARMS / 2], df=count)
    squares = ((white - white.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    assert low < squares.min() and squares.max() < high * (1 + BIAS), "variance"


def line_draws(sigma=None, stddev=STDDEV, data_size=SIZE, reduction="sum_over_batch_size", learning_rate=LEARNING_RATE):
    """Returns the draws of 3000 chains; all arguments but the defaults are mistakes."""
    sigma = posterior_sigma(SIZE) if sigma is None else sigma
    loss = SumOverChains(lambda y, outputs: ops.square(y - outputs) / (2 * NOISE**2), reduction=reduction)
    prior = GaussianPrior(stddev, data_size)
    return chains(loss, learning_rate, sigma, prior, *line_data(), num_chains=3000, burn_in=399)


def test_the_steps_are_small_enough():
    """The variance of the chain θ ← θ − γhθ + σ√γ Z is (σ²/2h) / (1 − γh/2), which is off by at most `BIAS`. After 399
    updates the start at 0 is forgotten."""
    _, covariance = line_posterior()
    curvatures = 1 / np.linalg.eigvalsh(covariance) / SIZE  # of V
    assert 1 / (1 - LEARNING_RATE * curvatures.max() / 2) < 1 + BIAS
    assert (1 - LEARNING_RATE * curvatures.min()) ** 399 < 0.01 / np.sqrt(3000)


def test_linear_regression():
    assert_samples_the_posterior(line_draws())


MISTAKES = {
    "the learning rate for its root": {"sigma": posterior_sigma(SIZE) * LEARNING_RATE**0.5},  # σγ instead of σ√γ
    "a variance for sigma": {"sigma": posterior_sigma(SIZE) ** 2},
    "a variance for the prior's stddev": {"stddev": STDDEV**2},
    "no N in sigma": {"sigma": posterior_sigma(1)},
    "no N in the prior": {"data_size": 1},
    "half of the temperature": {"sigma": posterior_sigma(SIZE, 0.5)},  # σ = √(T/N), without the 2
    "the sum over the batch": {"reduction": "sum"},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_known_mistake_is_seen(mistake):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about the sum, see test_samples
        draws = line_draws(**MISTAKES[mistake])
    assert np.isfinite(draws).all(), "NaN is detected without this test"
    with pytest.raises(AssertionError, match=r"mean|variance"):
        assert_samples_the_posterior(draws)


def test_the_bounds_catch_eight_percent():
    """Draws of the posterior pass. With a standard deviation off by 8%, or a shift of a fifth of it, they fail."""
    mean, covariance = line_posterior()
    z = np.random.default_rng(0).normal(size=(3000, 2)) @ np.linalg.cholesky(covariance).T
    assert_samples_the_posterior(mean + z)
    wrong = [mean + 1.08 * z, mean + 0.93 * z, mean + z + 0.2 * np.sqrt(np.diag(covariance))]
    for draws in wrong:
        with pytest.raises(AssertionError, match=r"mean|variance"):
            assert_samples_the_posterior(draws)


@pytest.mark.ci
def test_predictions_are_the_predictive_law():
    """`predict` with 60 samples of one chain, 50 updates apart; the bound is four Monte Carlo errors."""
    x, y = line_data()
    layer = keras.layers.Dense(1, use_bias=False, kernel_regularizer=GaussianPrior(STDDEV, SIZE))
    model = keras.Sequential([keras.Input((2,)), layer])
    loss = SumOverChains(lambda y, outputs: ops.square(y - outputs) / (2 * NOISE**2))
    model.compile(LSGD(0.02, sigma=posterior_sigma(SIZE), seed=1), loss=loss, steps_per_execution=STEPS)
    samples = PosteriorSamples(burn_in=200, thinning=50, max_samples=60)
    model.fit(FullBatch(x, y, 3200), verbose=0, callbacks=[samples], shuffle=False)
    mean, covariance = line_posterior()
    prediction = samples.predict(x, outputs="values", verbose=0)
    std = np.sqrt(np.einsum("ni,ij,nj->n", x, covariance, x))
    assert len(samples) == 60
    np.testing.assert_array_less(np.abs(prediction.mean[:, 0] - x @ mean) / std, 4 / np.sqrt(60))
    np.testing.assert_allclose(prediction.std[:, 0] / std, 1, atol=4 / np.sqrt(2 * 60) + 0.08)


# --- logistic regression on real data ---------------------------------------------------------------------------------


def breast_cancer_reference_values():
    path = Path(__file__).with_name("breast_cancer.json")
    reference = json.loads(path.read_text("utf-8"))
    return {name: np.array(value) for name, value in reference.items()}


def test_the_reference_is_good_enough():
    """Its errors are a tenth of the tolerance for the samples, and it has converged."""
    reference = breast_cancer_reference_values()
    assert reference["r_hat"].max() < 1.01 and reference["ess_tail"].min() > 10_000
    assert (reference["mean_error"] / reference["std"]).max() < 0.01
    assert (reference["std_error"] / reference["std"]).max() < 0.01


@pytest.mark.slow
def test_the_reference_can_be_made_again():
    """With another seed and a quarter of the steps, each number agrees within five Monte Carlo errors of both."""
    draws, accepted = breast_cancer_reference.mala(200, 900, 0.9, np.random.default_rng(1))
    again, reference = breast_cancer_reference.summarize(draws[:, 200:], accepted), breast_cancer_reference_values()
    for name in ("mean", "std"):
        error = np.hypot(again[f"{name}_error"], reference[f"{name}_error"])
        np.testing.assert_array_less(np.abs(np.array(again[name]) - reference[name]) / error, 5)


@pytest.mark.slow
def test_logistic_regression_on_breast_cancer_data():
    """Posterior means within 0.1 posterior standard deviations, standard deviations within 10%.

    V's curvatures are 0.0018 to 0.15, so steps of γ = 0.4 widen a direction by at most 1.5%, and 7000 updates are five
    times the longest relaxation time. 500 chains with 8 draws each, correlated by 1/e, have at least 1800 independent
    draws. Their Monte Carlo errors are 2.4% of a standard deviation for the means, of which 0.1 is four, and 1.7% for
    the standard deviations.
    """
    x, y = breast_cancer_reference.data()
    size = len(x)
    loss = SumOverChains(lambda y, logits: ops.softplus(logits) - y * logits)
    draws = chains(
        loss,
        0.4,
        posterior_sigma(size),
        GaussianPrior(breast_cancer_reference.PRIOR_STDDEV, size),
        x.astype("float32"),
        y[:, None].astype("float32"),
        num_chains=500,
        burn_in=7_000,
        thinning=1_450,
        max_samples=8,
        use_bias=True,
    )
    reference = breast_cancer_reference_values()
    means = (draws.mean(axis=0) - reference["mean"]) / reference["std"]
    stds = draws.std(axis=0) / reference["std"] - 1
    print(
        f"{BACKEND}: means within {np.abs(means).max():.3f} standard deviations, stds within {np.abs(stds).max():.1%}"
    )
    assert np.abs(means).max() < 0.1
    assert np.abs(stds).max() < 0.1
