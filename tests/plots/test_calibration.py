import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from keras_langevin.plots import calibration
from keras_langevin.sampling.scores import expected_calibration_error

GENERATOR = np.random.default_rng(0)
PROBABILITIES = GENERATOR.dirichlet([0.5] * 4, 500)
LABELS = GENERATOR.integers(0, 4, 500)


def drawn(*arguments, **options):
    return calibration(*arguments, ax=Figure().subplots(), **options)


def test_points_are_accuracy_against_confidence():
    ax = drawn({"net": PROBABILITIES}, LABELS, num_bins=4)
    diagonal, line = ax.get_lines()
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    confidence, right = PROBABILITIES.max(axis=1), PROBABILITIES.argmax(axis=1) == LABELS
    bins = [(confidence > low) & (confidence <= low + 0.25) for low in (0.25, 0.5, 0.75)]  # the first is empty
    np.testing.assert_allclose(line.get_xdata(), [confidence[chosen].mean() for chosen in bins])
    np.testing.assert_allclose(line.get_ydata(), [right[chosen].mean() for chosen in bins])
    assert ax.get_xlim() == ax.get_ylim() == (0, 1)
    assert "confidence" in ax.get_xlabel() and "accuracy" in ax.get_ylabel()


def test_bars_are_wilson_intervals():
    ax = drawn({"net": PROBABILITIES}, LABELS, num_bins=1)
    _, bars = ax.collections
    right = int((PROBABILITIES.argmax(axis=1) == LABELS).sum())
    expected = stats.binomtest(right, len(LABELS)).proportion_ci(method="wilson")
    np.testing.assert_allclose(bars.get_segments()[0][:, 1], [expected.low, expected.high])


def test_the_legend_has_the_calibration_error_that_scores_give():
    ax = drawn({"net": PROBABILITIES, "other": PROBABILITIES[:, ::-1]}, LABELS)
    wanted = expected_calibration_error(PROBABILITIES, LABELS)
    assert ax.get_legend().get_texts()[0].get_text() == f"net, ECE {wanted:.3f}"
    assert len(ax.get_lines()) == 3 and len(ax.collections) == 4


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[2.0, -1.0]], [0], r"must be in \[0, 1\] and sum to 1"),
        ([[3.0, 5.0]], [0], "Take a softmax of logits"),
        ([[0.5, 0.5]], [0, 1], r"`labels` must be as long as probabilities\['net'\], 1. Received: length 2"),
        ([0.5, 0.5], [0, 1], r"of shape \(num_examples, num_classes\)"),
        ([[np.nan, np.nan]], [0], r"must be in \[0, 1\] and sum to 1"),
        ([[0.5, 0.5]], [2], "`labels` must hold the classes 0 ... 1 .*Received: .* 2 ... 2"),
        ([[0.5, 0.5]], [-1], "`labels` must hold the classes"),
        ([[0.5, 0.5]], [0.5], "`labels` must hold the classes"),
        ([[0.5, 0.5]], [np.nan], "`labels` must hold the classes"),
        ([[1.0]], [0], "at least two classes"),
        ([[0.5, 0.5]], [[0]], r"`labels` must be an array of shape \(num_examples,\)"),
    ],
)
def test_what_is_no_prediction_is_refused(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        drawn({"net": probabilities}, labels)
