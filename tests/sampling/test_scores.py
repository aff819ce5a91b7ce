"""Scores against scikit-learn's, and against what is known of them."""

import numpy as np
import pytest
from sklearn import metrics

from keras_langevin.sampling import scores

LABELS = np.random.default_rng(0).integers(0, 4, 500)
PROBABILITIES = np.random.default_rng(1).dirichlet([0.5] * 4, 500)


def test_scores_are_those_of_scikit_learn():
    found = scores.all_scores(PROBABILITIES, LABELS)
    assert found["accuracy"] == metrics.accuracy_score(LABELS, PROBABILITIES.argmax(axis=1))
    assert found["nll"] == pytest.approx(metrics.log_loss(LABELS, PROBABILITIES))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(LABELS, PROBABILITIES, scale_by_half=False))


def test_calibration_error_bin_by_bin():
    confidence, right = PROBABILITIES.max(axis=1), PROBABILITIES.argmax(axis=1) == LABELS
    expected = 0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert scores.expected_calibration_error(PROBABILITIES, LABELS) == pytest.approx(expected)


def test_calibrated_probabilities_have_no_calibration_error():
    """Labels drawn by the probabilities: 0 up to a Monte-Carlo error below √(bins / (4 examples))."""
    generator = np.random.default_rng(2)
    probabilities = generator.dirichlet([1.0] * 3, 100_000)
    labels = (generator.random((100_000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    assert scores.expected_calibration_error(probabilities, labels) < np.sqrt(15 / 4e5)
    sharpened = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert scores.expected_calibration_error(sharpened, labels) > 0.1


def test_a_probability_of_0_is_finite():
    assert 80 < scores.negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) < 100
