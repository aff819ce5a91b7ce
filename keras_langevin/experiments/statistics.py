"""Statistics over seeds: arrays in, numbers out."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

# Differences and their means are rounded to this many decimals, so that values that differ only in the last bit tie.
_DECIMALS = 9
_EXACT_SEEDS = 16  # up to this many seeds, all flips of signs are tried


@dataclass(frozen=True)
class Summary:
    """A summary of the values of many seeds; NaN if there are too few seeds."""

    num_seeds: int
    mean: float
    std: float  # the sample standard deviation (n − 1)
    median: float
    interquartile_mean: float  # the mean of the middle half (rliable's IQM)


@dataclass(frozen=True)
class Share:
    """How many runs of several, with Wilson's 95% interval of the underlying probability."""

    number: int
    of: int
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A paired difference over seeds."""

    values: np.ndarray  # of shape (num_seeds,), treatment minus parent for each seed
    mean: float
    low: float  # the ends of the interval of the mean; NaN without one
    high: float
    method: str  # the test behind interval and p: "sign flips", "Student's t", or "" for no interval
    p_value: float  # two-sided

    @property
    def contains_zero(self) -> bool:
        """Whether the interval contains zero, or does not exist: then no difference has been shown."""
        return not (self.low > 0 or self.high < 0)


def summary(values) -> Summary:
    """Returns mean, sample standard deviation, median and interquartile mean (Agarwal et al., NeurIPS 2021) of the
    values of the seeds.

    >>> summary([1.0, 2.0, 6.0, 3.0])
    Summary(num_seeds=4, mean=3.0, std=2.160246899469287, median=2.5, interquartile_mean=2.5)
    """
    values = np.asarray(values, float)
    if not len(values):
        return Summary(0, *[float("nan")] * 4)
    std = values.std(ddof=1) if len(values) > 1 else "nan"
    return Summary(len(values), *map(float, (values.mean(), std, np.median(values), stats.trim_mean(values, 0.25))))


def share(number: int, of: int) -> Share:
    interval = stats.binomtest(number, of).proportion_ci(method="wilson") if of else (0.0, 1.0)
    return Share(number, of, *map(float, interval))


def probability_of_improvement(treatment, parent) -> float:
    """Returns the share of all pairs of runs in which the treatment is better than the parent. Ties count half.

    >>> probability_of_improvement([0.1, 0.9], [0.1, 0.1])
    0.75
    """
    return float(stats.mannwhitneyu(treatment, parent).statistic / (len(treatment) * len(parent)))


def paired_difference(treatment, parent, *, confidence: float = 0.95) -> Difference:
    """Returns treatment minus parent for each seed, the mean, its interval, and the p-value of the test that the
    interval inverts. The 95% interval contains zero exactly if p > 0.05.

    - Six seeds or more: Fisher's sign-flip test (1935). Without an effect, dᵢ = treatmentᵢ − parentᵢ is as likely as
      −dᵢ, so p is the share of the 2ⁿ flips of signs whose mean is at least as far from 0. It assumes no normal
      distribution. The interval contains all centers that the test does not reject; its ends are means of subsets of
      the differences (Hartigan 1969). Beyond 16 seeds, a fixed set of 65,535 random flips replaces all flips.
    - Two to five seeds: Student's t, for normal differences. The flips of five signs cannot give a p below 2/2⁵ = 0.06.
      Equal differences have no spread to judge by: no interval, and p = 1.

    `treatment` and `parent` are arrays of shape `(num_seeds,)`, in the same order. Raises `ValueError` if they differ
    in length, are empty, or are not finite.

    >>> difference = paired_difference([3, 4, 5, 4, 6, 3], [1, 1, 1, 1, 1, 1])
    >>> round(difference.mean, 2), difference.low, difference.high, difference.p_value
    (3.17, 2.0, 5.0, 0.03125)
    """
    treatment, parent = np.asarray(treatment, float), np.asarray(parent, float)
    if treatment.shape != parent.shape or treatment.ndim != 1 or not treatment.size:
        raise ValueError(
            "`treatment` and `parent` must be arrays of one shape `(num_seeds,)`, not empty. "
            f"Received: shapes {treatment.shape} and {parent.shape}. Give the values of the seeds that both have."
        )
    values = np.round(treatment - parent, _DECIMALS)
    if not np.isfinite(values).all():
        raise ValueError(f"Differences must be finite. Received: {values.tolist()}. Leave out the others.")
    return Difference(values, float(values.mean()), *_interval_and_p_value(values, confidence))


def _interval_and_p_value(values: np.ndarray, confidence: float) -> tuple[float, float, str, float]:
    """Returns low, high, the method and p."""
    n = len(values)
    num_flips = 2 ** min(n, _EXACT_SEEDS)
    place = int((1 - confidence) / 2 * num_flips)  # this many flips at each end are outside
    if place:
        # Flipping the signs of a subset's deviations from a center raises the mean deviation exactly if the mean of the
        # subset is below the center. So p counts subsets, and the subset means are the ends of the intervals.
        means = np.sort(np.round(_subsets(n) @ values, _DECIMALS))
        beyond = min(np.searchsorted(means, 0, "right"), len(means) - np.searchsorted(means, 0, "left"))
        p_value = min(1.0, 2 * (1 + int(beyond)) / num_flips)
        return float(means[place - 1]), float(means[-place]), "sign flips", p_value
    if n < 2 or np.ptp(values) == 0:
        return float("nan"), float("nan"), "", 1.0
    result = stats.ttest_1samp(values, 0.0)
    interval = result.confidence_interval(confidence)
    return float(interval.low), float(interval.high), "Student's t", float(result.pvalue)


@lru_cache(maxsize=4)
def _subsets(n: int) -> np.ndarray:
    """Returns rows that take the mean of each non-empty subset of n values; beyond 16 values, of random subsets."""
    if n <= _EXACT_SEEDS:
        chosen = np.arange(1, 2**n)[:, None] >> np.arange(n) & 1
    else:
        chosen = np.random.default_rng(0).integers(0, 2, (2**_EXACT_SEEDS - 1, n))
        chosen[~chosen.any(axis=1)] = 1
    return chosen / chosen.sum(axis=1, keepdims=True)


def holm(p_values) -> np.ndarray:
    """Adjusts the p-values of a family of tests by Holm's step-down correction (1979).

    With p₁ ≤ … ≤ p_m, the adjusted pᵢ is max over j ≤ i of min(1, (m − j + 1) pⱼ).

    >>> holm([0.01, 0.04, 0.03, 0.005]).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    p_values = np.asarray(p_values, float)
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError(f"p-values must be in [0, 1]. Received: {p_values.tolist()}. Leave out tests without one.")
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(p_values), 0, -1) * p_values[order]
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted


def chance_threshold(num_classes: int) -> float:
    """Returns the accuracy below which a run is at chance: twice that of guessing, or 75% with two classes."""
    return min(2 / num_classes, (1 + 1 / num_classes) / 2)
