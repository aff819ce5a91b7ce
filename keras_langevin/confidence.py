"""How confident predictions are, and how often they are right."""

from typing import NamedTuple

import numpy as np


class ConfidenceBins(NamedTuple):
    """Predictions by their confidence, the highest probability.

    Attributes:
        counts: int array of shape `(num_bins,)`, the number of examples n_b in each bin.
        confidence: float array of the same shape, their mean confidence; NaN in an empty bin.
        accuracy: likewise, the share that is right.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_calibration_error(self) -> float:
        """Σ_b (n_b / n) |accuracy_b − confidence_b|."""
        gaps = self.counts * np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps) / self.counts.sum())


def confidence_bins(probabilities, labels, num_bins: int) -> ConfidenceBins:
    """Sorts predictions into bins of equal width of their highest probability.

    Args:
        probabilities: array of shape `(num_examples, num_classes)`.
        labels: int array of shape `(num_examples,)`.
        num_bins: int >= 1; bin b is (b/num_bins, (b+1)/num_bins].

    Example:

    >>> bins = confidence_bins([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], [0, 1, 1], num_bins=2)
    >>> bins.counts.tolist(), bins.confidence.round(4).tolist(), bins.accuracy.round(4).tolist()
    ([0, 3], [nan, 0.7667], [nan, 0.6667])

    References:
        C. Guo et al., On calibration of modern neural networks, ICML 2017, equation (3).
    """
    probabilities = np.asarray(probabilities, float)
    confidence = probabilities.max(axis=-1)
    right = probabilities.argmax(axis=-1) == labels
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        means = (np.bincount(bins, values, minlength=num_bins) / counts for values in (confidence, right))
        return ConfidenceBins(counts, *means)
