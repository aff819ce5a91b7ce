"""Statistics over seeds: arrays in, numbers out."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Difference:
    """A paired difference over seeds.

    Attributes:
        values: array of shape `(num_seeds,)`, treatment minus baseline for each seed.
        mean: float.
        low, high: floats, the ends of the 95% interval of the mean by Student's t; NaN with fewer than two seeds.
    """

    values: np.ndarray
    mean: float
    low: float
    high: float

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


def paired_difference(treatment, baseline) -> Difference:
    """Treatment minus baseline, seed by seed, with a 95% interval of the mean.

    Args:
        treatment: array of shape `(num_seeds,)`.
        baseline: array of shape `(num_seeds,)`, in the same order of seeds.

    Example:

    >>> difference = paired_difference([3.0, 4.0, 5.0], [1.0, 1.0, 1.0])
    >>> round(difference.mean, 2), round(difference.low, 2), round(difference.high, 2), difference.holds_zero
    (3.0, 0.52, 5.48, False)
    """
    values = np.asarray(treatment, float) - np.asarray(baseline, float)
    mean, std = mean_and_std(values)
    if len(values) < 2:
        return Difference(values, mean, float("nan"), float("nan"))
    half = std / np.sqrt(len(values)) * stats.t.ppf(0.975, len(values) - 1)
    return Difference(values, mean, mean - float(half), mean + float(half))


def stayed_at_chance(accuracies, num_classes: int) -> np.ndarray:
    """Which runs did not train: accuracy below twice that of guessing.

    Args:
        accuracies: array of shape `(num_seeds,)`, fractions in [0, 1].
        num_classes: int.

    Returns:
        bool array of shape `(num_seeds,)`.

    Example:

    >>> stayed_at_chance([0.10, 0.93], num_classes=10).tolist()
    [True, False]
    """
    return np.asarray(accuracies, float) < 2 / num_classes
