"""Scores predicted class probabilities."""

import numpy as np

from keras_langevin.confidence import checked_predictions, confidence_bins
from keras_langevin.values import check_int

_SMALLEST = np.finfo("float32").tiny  # instead of a probability that was rounded to 0


def entropy(probabilities) -> np.ndarray:
    """Returns H = −Σ_c p_c log p_c in nats, over the last axis of an array of shape `(..., num_classes)`.

    Example:

    >>> entropy([[0.5, 0.5], [1.0, 0.0]]).round(4).tolist()
    [0.6931, 0.0]
    """
    probabilities = np.asarray(probabilities, float)
    return -(probabilities * np.log(np.where(probabilities > 0, probabilities, 1))).sum(axis=-1) + 0.0  # no −0


def accuracy(probabilities, labels) -> float:
    """Returns the share of examples whose most probable class is their label.

    Args:
        probabilities: array of shape `(..., num_classes)`, `num_classes` >= 2, whose rows sum to 1.
        labels: ints of shape `(...)` or `(..., 1)`, or one-hot rows of shape `(..., num_classes)`.

    Raises:
        ValueError: they are something else, or contain NaN.
    """
    probabilities, labels = checked_predictions(probabilities, labels)
    return float(np.mean(np.argmax(probabilities, axis=-1) == labels))


def negative_log_likelihood(probabilities, labels) -> float:
    """Returns the mean of −log p(label) over the examples, in nats. Arguments as in `accuracy`."""
    probabilities, labels = checked_predictions(probabilities, labels)
    chosen = np.take_along_axis(probabilities, labels[:, None], axis=-1)
    return float(-np.log(np.maximum(chosen, _SMALLEST)).mean())


def brier_score(probabilities, labels) -> float:
    """Returns the mean of Σ_c (p_c − 1{c = label})² over the examples, in [0, 2]. Arguments as in `accuracy`.

    References:
        G. W. Brier, Monthly Weather Review 78 (1950): the sum over all classes, also for two classes.
    """
    probabilities, labels = checked_predictions(probabilities, labels)
    return float(((probabilities - np.eye(probabilities.shape[-1])[labels]) ** 2).sum(axis=-1).mean())


def expected_calibration_error(probabilities, labels, num_bins: int = 15) -> float:
    """Returns Σ_b (n_b / n) |accuracy_b − confidence_b| over bins of equal width of the highest probability.

    It is biased upwards if bins have few examples.

    Args:
        probabilities, labels: see `accuracy`.
        num_bins: int >= 1; bin b is (b/num_bins, (b+1)/num_bins]. Defaults to `15`.

    Example: three of four examples right at a confidence of 0.8.

    >>> print(f"{expected_calibration_error([[0.8, 0.2]] * 4, [0, 0, 0, 1]):.2f}")
    0.05

    References:
        C. Guo et al., On calibration of modern neural networks, ICML 2017, equation (3).
    """
    check_int("num_bins", num_bins, 1)
    return confidence_bins(probabilities, labels, num_bins).expected_calibration_error


def all_scores(probabilities, labels, num_bins: int = 15) -> dict[str, float]:
    """Returns a dict of `accuracy`, `nll`, `brier` and `ece`, over all axes but the last.

    Args:
        probabilities, labels: see `accuracy`.
        num_bins: int >= 1. Defaults to `15`.
    """
    return {
        "accuracy": accuracy(probabilities, labels),
        "nll": negative_log_likelihood(probabilities, labels),
        "brier": brier_score(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels, num_bins),
    }
