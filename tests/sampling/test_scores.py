"""Scores against scikit-learn's, and against known values."""

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
    """Labels are drawn from the probabilities, so the error is at most a Monte Carlo error, √(bins / (4 examples))."""
    generator = np.random.default_rng(2)
    probabilities = generator.dirichlet([1.0] * 3, 100_000)
    labels = (generator.random((100_000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    assert scores.expected_calibration_error(probabilities, labels) < np.sqrt(15 / 4e5)
    sharpened = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert scores.expected_calibration_error(sharpened, labels) > 0.1


def test_a_probability_of_0_is_finite():
    assert 80 < scores.negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) < 100


SCORES = [
    scores.accuracy,
    scores.negative_log_likelihood,
    scores.brier_score,
    scores.expected_calibration_error,
    scores.all_scores,
]
every_score = pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)


@every_score
def test_labels_in_each_form_are_the_same(score):
    expected = score(PROBABILITIES, LABELS)
    forms = [
        LABELS[:, None],
        np.eye(4)[LABELS],
        np.eye(4, dtype=bool)[LABELS],
        LABELS.astype("float32"),
        LABELS.tolist(),
    ]
    for labels in forms:
        assert score(PROBABILITIES, labels) == expected
    steps = score(PROBABILITIES.reshape(50, 10, 4), LABELS.reshape(50, 10))
    assert steps == expected


@every_score
@pytest.mark.parametrize(
    ("labels", "received"),
    [
        (LABELS[:-1], r"shape \(499,\)"),
        (LABELS[None], r"shape \(1, 500\)"),
        (np.int64(0), r"shape \(\)"),
        (LABELS + 1, "1 ... 4"),
        (LABELS - 1, "-1 ... 2"),
        (LABELS + 0.5, "0.5 ... 3.5"),
        (np.where(LABELS == 0, np.nan, LABELS), "nan"),
        (np.full((500, 4), 0.25), r"shape \(500, 4\)"),
        (np.zeros((500, 4)), r"shape \(500, 4\)"),
        (np.array(["a"] * 500), "<U1"),
    ],
)
def test_labels_that_are_none_are_refused(score, labels, received):
    with pytest.raises(ValueError, match=rf"`labels` must hold the classes 0 ... 3 .*Received: .*{received}.* Give"):
        score(PROBABILITIES, labels)


@every_score
@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.where(np.arange(500)[:, None] == 3, np.nan, PROBABILITIES), "in .0, 1. and sum to 1.*NaN has no score"),
        (np.log(PROBABILITIES), "Take a softmax of logits"),
        (2 * PROBABILITIES, "rows that sum to 2 ... 2"),
        (PROBABILITIES[:, 0], r"at least two classes. Received: shape \(500,\)"),
        (PROBABILITIES[:, :1], r"at least two classes. Received: shape \(500, 1\).*rows \(1 - p, p\)"),
        (np.zeros((0, 4)), r"Received: shape \(0, 4\)"),
    ],
)
def test_what_has_no_score(score, probabilities, message):
    with pytest.raises(ValueError, match=message):
        score(probabilities, LABELS)


def test_a_bin_must_be():
    with pytest.raises(ValueError, match=r"`num_bins` must be an int >= 1"):
        scores.expected_calibration_error(PROBABILITIES, LABELS, num_bins=0)
