"""`tune_learning_rate`."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_langevin import batches
from keras_langevin.reading import number
from keras_langevin.sampling.metropolis import Proposals
from keras_langevin.sampling.potential import Potential
from keras_langevin.sampling.sampler_diagnostics import checked_sampler
from keras_langevin.values import check_int, is_real

MOST_NOISE = 0.1  # variance of the gradient's noise over that of the injected noise


@dataclass(frozen=True)
class TunedLearningRate:
    """A learning rate for a sampler.

    Attributes:
        learning_rate: float, the largest with the wanted acceptance.
        acceptance: float, the acceptance of Metropolis steps at this rate.
        gradient_noise_share: float, the variance that batches add at this rate, over that of the noise.
        reason: str, one sentence.
    """

    learning_rate: float
    acceptance: float
    gradient_noise_share: float
    reason: str


def tune_learning_rate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int | None = None,
    acceptance: float = 0.9,
    num_steps: int = 150,
    seed: int = 0,
    verbose: str | int = "auto",
) -> TunedLearningRate:
    """Finds the largest learning rate γ at which a Metropolis test would accept nearly all steps of a sampler.

    A chain with that test (MALA) starts from the model's weights and adapts γ by dual averaging. Call it after burn-in.
    A step costs a pass over `x`; a part of the data will do. The model does not change: set `optimizer.learning_rate`
    yourself. The acceptance leaves out the noise of batches, which `gradient_noise_share` measures.

    Args:
        model: a built model that is compiled with a Langevin optimizer.
        x, y, sample_weight: data, as for `fit`.
        batch_size: int, for arrays: the one of the training. Defaults to `None`, all examples in one batch.
        acceptance: float in (0, 1). Defaults to `0.9`.
        num_steps: int >= 20, steps of the chain. Defaults to `150`.
        seed: int, for the proposals. Defaults to `0`.
        verbose: `"auto"` or 1 for a progress bar, 0 for none. Defaults to `"auto"`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LSGD, posterior_sigma, sampling
    >>> x = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile(LSGD(0.01, sigma=posterior_sigma(50), seed=0), loss="mse")
    >>> _ = model.fit(x, x[:, :1], batch_size=50, epochs=100, verbose=0)
    >>> model.optimizer.learning_rate = sampling.tune_learning_rate(model, x, x[:, :1], verbose=0).learning_rate

    References:
        G. O. Roberts and R. L. Tweedie, Exponential convergence of Langevin distributions, Bernoulli 2 (1996). M. D.
        Hoffman and A. Gelman, The No-U-Turn sampler, JMLR 15 (2014), section 3.2 (dual averaging).
    """
    if not (is_real(acceptance) and 0 < acceptance < 1):
        raise ValueError(
            "`acceptance`, the share of steps that would be accepted, must be a float in (0, 1). Received: "
            f"acceptance={acceptance!r}. Pass one, as in `acceptance=0.9`."
        )
    check_int("num_steps", num_steps, 20)
    potential = Potential(checked_sampler(model, "tune_learning_rate"), batches.whole(x, y, sample_weight, batch_size))
    proposals, generator = Proposals.of(potential), np.random.default_rng(seed)
    bar = keras.utils.Progbar(
        num_steps, verbose=1 if verbose == "auto" else verbose, stateful_metrics=["learning_rate", "acceptance"]
    )
    point = potential.at(potential.theta)
    if not math.isfinite(point.loss):
        raise ValueError(
            f"The loss must be finite at the model's weights. Received: {point.loss}. Check the data, or start a new "
            "chain."
        )
    search = _DualAveraging(number(potential.optimizer.learning_rate), acceptance)
    checked = num_steps // 3  # the last third is at the rate that was found
    accepted, shares = [], []
    for step in range(num_steps):
        is_checked = step >= num_steps - checked
        rate = search.found if is_checked else search.next
        other, probability = proposals.propose(point, rate, generator)
        if generator.uniform() < probability:
            point = other
        if is_checked:
            accepted.append(probability)
            shares.append(proposals.gradient_noise_share(point, rate))
        else:
            search.add(probability)
        bar.update(step + 1, [("learning_rate", rate), ("acceptance", probability)])
    return _tuned(search.found, float(np.mean(accepted)), float(np.mean(shares)))


def _tuned(rate: float, accepted: float, share: float) -> TunedLearningRate:
    reason = f"learning_rate={rate:.3g}: a Metropolis step would accept {accepted:.0%}"
    if share > MOST_NOISE:
        reason += (
            f", but batches add {share:.0%} to the variance of the noise: take {rate * MOST_NOISE / share:.2g} for "
            f"{MOST_NOISE:.0%}, or larger batches"
        )
    return TunedLearningRate(rate, accepted, share, f"{reason}.")


class _DualAveraging:
    """Finds the rate with a given acceptance, on a logarithmic scale, with the constants of Hoffman and Gelman."""

    def __init__(self, rate: float, target: float):
        self._centre, self._target = math.log(10 * rate), target
        self._error = self._average = 0.0
        self._count = 0
        self.next = rate

    def add(self, accepted: float):
        self._count += 1
        self._error += (self._target - accepted - self._error) / (self._count + 10)
        log = self._centre - math.sqrt(self._count) / 0.05 * self._error
        weight = self._count**-0.75
        self._average = weight * log + (1 - weight) * self._average
        self.next = math.exp(log)

    @property
    def found(self) -> float:
        return math.exp(self._average)
