"""How confident predictions are, and how often they are right."""

from typing import NamedTuple

import numpy as np

_TOLERANCE = 1e-2  # for float16 probabilities, and ones rounded to two digits


class ConfidenceBins(NamedTuple):
    """Predictions in bins of their confidence, the highest probability.

    Attributes:
        counts: int array of shape `(num_bins,)`, the number of examples n_b in each bin.
        confidence: float array of the same shape, the mean confidence in each bin; NaN in an empty bin.
        accuracy: float array of the same shape, the share of correct predictions; NaN in an empty bin.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_calibration_error(self) -> float:
        """Σ_b (n_b / n) |accuracy_b − confidence_b|."""
        gaps = self.counts * np.abs(self.accuracy - self.confidence)
        return float(gaps[self.counts > 0].sum() / self.counts.sum())


def checked_predictions(probabilities, labels) -> tuple[np.ndarray, np.ndarray]:
    """Checks class probabilities and their labels, and flattens the axes of the examples.

    Args:
        probabilities: array of shape `(..., num_classes)`, `num_classes` >= 2, in [0, 1], whose rows sum to 1.
        labels: ints of shape `(...)` or `(..., 1)`, or one-hot rows of shape `(..., num_classes)`.

    Returns:
        a float array of shape `(num_examples, num_classes)` and an int array of shape `(num_examples,)`.

    Raises:
        ValueError: they are something else, or have different numbers of examples.
    """
    probabilities = np.asarray(probabilities, float)
    shape = probabilities.shape
    if len(shape) < 2 or shape[-1] < 2 or not probabilities.size:
        raise ValueError(
            "`probabilities` must have shape (num_examples, num_classes) with at least two classes. Received: shape "
            f"{shape}. For a single unit p, give the rows (1 - p, p)."
        )
    labels = class_labels(labels, shape)
    sums = probabilities.sum(axis=-1)
    if not ((probabilities >= -_TOLERANCE).all() and (np.abs(sums - 1) <= _TOLERANCE).all()):  # also true for NaN
        raise ValueError(
            "`probabilities` must be in [0, 1] and sum to 1 over the last axis. Received: numbers from "
            f"{probabilities.min():.3g} to {probabilities.max():.3g}, rows that sum to {sums.min():.3g} ... "
            f"{sums.max():.3g}. Take a softmax of logits; NaN has no score."
        )
    return probabilities.reshape(-1, shape[-1]), labels.ravel()


def class_labels(labels, shape: tuple[int, ...], name: str = "labels") -> np.ndarray:
    """Converts labels to ints.

    Args:
        labels: ints of shape `(...)` or `(..., 1)`, or one-hot rows of shape `(..., num_classes)`.
        shape: `(..., num_classes)`, the shape of the probabilities.
        name: str, the argument's name, for the error. Defaults to `"labels"`.

    Returns:
        int array of shape `(...)`.

    Raises:
        ValueError: `labels` is something else.
    """
    given = labels = np.asarray(labels)
    is_number = given.dtype.kind in "biuf"
    if is_number and labels.shape == tuple(shape):
        is_one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(axis=-1) == 1).all()
        labels = labels.argmax(axis=-1) if is_one_hot else np.full(shape[:-1], -1)
    elif labels.shape == (*shape[:-1], 1):
        labels = labels[..., 0]
    if not is_number or labels.shape != tuple(shape[:-1]) or not np.isin(labels, np.arange(shape[-1])).all():
        values = f" with values {given.min():g} ... {given.max():g}" if given.size and is_number else f", {given.dtype}"
        raise ValueError(
            f"`{name}` must hold the classes 0 ... {shape[-1] - 1} of {tuple(shape[:-1])} examples, or one-hot rows. "
            f"Received: shape {given.shape}{values}. Give labels for the same examples as the probabilities."
        )
    return labels.astype(int)


def confidence_bins(probabilities, labels, num_bins: int) -> ConfidenceBins:
    """Sorts predictions into bins of equal width by their highest probability.

    Args:
        probabilities: array of shape `(num_examples, num_classes)`.
        labels: int array of shape `(num_examples,)`, or as `class_labels` takes them.
        num_bins: int >= 1; bin b is (b/num_bins, (b+1)/num_bins].

    Raises:
        ValueError: see `checked_predictions`.

    Example:

    >>> bins = confidence_bins([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], [0, 1, 1], num_bins=2)
    >>> bins.counts.tolist(), bins.confidence.round(4).tolist(), bins.accuracy.round(4).tolist()
    ([0, 3], [nan, 0.7667], [nan, 0.6667])

    References:
        C. Guo et al., On calibration of modern neural networks, ICML 2017, equation (3).
    """
    probabilities, labels = checked_predictions(probabilities, labels)
    confidence = probabilities.max(axis=-1)
    right = probabilities.argmax(axis=-1) == labels
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        means = (np.bincount(bins, values, minlength=num_bins) / counts for values in (confidence, right))
        return ConfidenceBins(counts, *means)
