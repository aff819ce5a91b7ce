"""Statistics over seeds: arrays in, numbers out."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

# Differences are rounded to so many decimals, so that equal ones, apart from the last bit, are ties to Wilcoxon's test.
_DECIMALS = 9


@dataclass(frozen=True)
class Summary:
    """What many seeds gave, in short.

    Attributes:
        num_seeds: int.
        mean, std, median: floats; `std` is the sample standard deviation (n − 1). NaN where there are too few seeds.
    """

    num_seeds: int
    mean: float
    std: float
    median: float


@dataclass(frozen=True)
class Difference:
    """A paired difference over seeds.

    Attributes:
        values: array of shape `(num_seeds,)`, treatment minus parent for each seed.
        mean: float.
        low, high: floats, the ends of the bootstrap interval of the mean; NaN with fewer than two seeds.
        method: str, how the interval was made: `"BCa"`, `"percentile"`, or `""` for none.
        p_value: float, of `signed_rank_p_value`.
    """

    values: np.ndarray
    mean: float
    low: float
    high: float
    method: str
    p_value: float

    @property
    def holds_zero(self) -> bool:
        """Whether the interval holds 0 (or there is none): then no difference has been shown."""
        return not (self.low > 0 or self.high < 0)


def mean_and_std(values) -> tuple[float, float]:
    """Mean and sample standard deviation (n − 1) of an array of shape `(num_seeds,)`; NaN for one seed.

    Example:

    >>> mean_and_std([1.0, 2.0, 3.0])
    (2.0, 1.0)
    """
    values = np.asarray(values, float)
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def summary(values) -> Summary:
    """Mean, sample standard deviation and median of an array of shape `(num_seeds,)`, which may be empty.

    Example:

    >>> summary([1.0, 2.0, 6.0, 3.0])
    Summary(num_seeds=4, mean=3.0, std=2.160246899469287, median=2.5)
    """
    values = np.asarray(values, float)
    if not len(values):
        return Summary(0, *[float("nan")] * 3)
    return Summary(len(values), *mean_and_std(values), float(np.median(values)))


def paired_difference(treatment, parent, *, generator: np.random.Generator, confidence: float = 0.95) -> Difference:
    """Treatment minus parent, seed by seed: the mean, its bootstrap interval, and a test.

    The interval is of the mean of dᵢ = treatmentᵢ − parentᵢ, from 9999 resamples of the pairs: bias-corrected and
    accelerated (BCa) where that is defined, percentile where it is not, as with two seeds or equal differences. With
    few seeds it is too narrow: that all n differences have one sign, which is enough for it to leave 0 out, has
    probability 2^(1 − n) where there is no effect, 25% with three seeds and 6% with five.

    Args:
        treatment: array of shape `(num_seeds,)`.
        parent: array of shape `(num_seeds,)`, in the same order of seeds.
        generator: what draws the resamples; the same state gives the same interval.
        confidence: float in (0, 1). Defaults to `0.95`.

    Raises:
        ValueError: the two differ in length, are empty, or hold numbers that are not finite.

    Example:

    >>> difference = paired_difference([3, 4, 5, 4, 6], [1, 1, 1, 1, 1], generator=np.random.default_rng(0))
    >>> difference.mean, difference.low, difference.high, difference.method
    (3.4, 2.6, 4.4, 'BCa')
    >>> difference.p_value, difference.holds_zero
    (0.0625, False)

    References:
        Efron, *Better bootstrap confidence intervals*, JASA 82 (1987).
    """
    treatment, parent = np.asarray(treatment, float), np.asarray(parent, float)
    if treatment.shape != parent.shape or treatment.ndim != 1 or not treatment.size:
        raise ValueError(
            "`treatment` and `parent` must be arrays of one shape `(num_seeds,)`, not empty. "
            f"Received: shapes {treatment.shape} and {parent.shape}. Give the values of the seeds that both have."
        )
    values = np.round(treatment - parent, _DECIMALS)
    if not np.isfinite(values).all():
        raise ValueError(f"Differences must be finite. Received: {values.tolist()}. Leave out other seeds.")
    interval = _bootstrap_interval(values, generator, confidence)
    return Difference(values, float(values.mean()), *interval, signed_rank_p_value(values))


def _bootstrap_interval(values: np.ndarray, generator: np.random.Generator, confidence: float):
    if len(values) < 2:
        return float("nan"), float("nan"), ""
    defined = len(values) > 2 and np.ptp(values) > 0
    for method in ("BCa", "percentile") if defined else ("percentile",):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", (stats.DegenerateDataWarning, RuntimeWarning))
            result = stats.bootstrap((values,), np.mean, confidence_level=confidence, method=method, rng=generator)
        low, high = map(float, result.confidence_interval)
        if np.isfinite([low, high]).all():
            break
    return low, high, method


def signed_rank_p_value(differences) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that the differences are symmetric about 0.

    Not a t test: where a parent fails to train in some seeds, the differences have two far modes, and nothing near a
    normal law. The price is that n seeds cannot give a p below `smallest_p_value(n)`. Zero differences are left out,
    as in Wilcoxon's own test. p is exact up to 13 seeds, up to 50 where there are neither ties nor zeros.

    Args:
        differences: array of shape `(num_seeds,)`.

    Example:

    >>> signed_rank_p_value([1.0, 2.0, 3.0, 4.0, 5.0])
    0.0625
    """
    differences = np.asarray(differences, float)
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)


def smallest_p_value(num_seeds: int) -> float:
    """The smallest two-sided p that Wilcoxon's signed-rank test can give: 2^(1 − n), all n differences of one sign.

    Example:

    >>> [smallest_p_value(n) for n in (1, 3, 5, 6, 10)]
    [1.0, 0.25, 0.0625, 0.03125, 0.001953125]
    """
    return min(1.0, 2.0 ** (1 - num_seeds))


def holm(p_values) -> np.ndarray:
    """p-values adjusted by Holm's step-down correction, which bounds the chance of any false rejection in a family.

    With the m values sorted, p₁ ≤ … ≤ p_m, the adjusted pᵢ is max over j ≤ i of min(1, (m − j + 1) pⱼ).

    Args:
        p_values: array of shape `(num_tests,)`, the whole family.

    Returns:
        array of shape `(num_tests,)`, in the order received.

    Raises:
        ValueError: a p-value is outside [0, 1].

    Example:

    >>> holm([0.01, 0.04, 0.03, 0.005]).tolist()
    [0.03, 0.06, 0.06, 0.02]

    References:
        Holm, *A simple sequentially rejective multiple test procedure*, Scand. J. Statist. 6 (1979).
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
    """The accuracy below which a run counts as at chance: twice that of guessing; with two classes 75%.

    Twice chance would be 100% with two classes; there it is half way from guessing to 100%.

    Example:

    >>> chance_threshold(10), chance_threshold(2)
    (0.2, 0.75)
    """
    return min(2 / num_classes, (1 + 1 / num_classes) / 2)


def stayed_at_chance(accuracies, num_classes: int) -> np.ndarray:
    """Which runs are at chance level: accuracy below `chance_threshold(num_classes)`.

    Args:
        accuracies: array of shape `(num_seeds,)`, fractions in [0, 1].
        num_classes: int.

    Returns:
        bool array of shape `(num_seeds,)`.

    Example:

    >>> stayed_at_chance([0.10, 0.93], num_classes=10).tolist()
    [True, False]
    """
    return np.asarray(accuracies, float) < chance_threshold(num_classes)
