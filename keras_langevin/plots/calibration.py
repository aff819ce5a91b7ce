"""Whether predicted probabilities are right as often as they say."""

from collections.abc import Mapping

import numpy as np
from scipy import stats

from keras_langevin.confidence import confidence_bins
from keras_langevin.plots.checks import checked_array, checked_labels, checked_length
from keras_langevin.plots.style import GREY, Styles, add_legend, axes_or_new, chosen_styles, plain, quiet
from keras_langevin.values import check_int


def calibration(
    probabilities: Mapping[str, np.ndarray],
    labels,
    *,
    num_bins: int = 15,
    styles: Styles | None = None,
    legend: bool = True,
    ax=None,
):
    """Draws accuracy against confidence, the highest probability, in bins of equal width of the confidence.

    A point is (mean confidence, accuracy) of a bin, its area the share of the examples in it, its bar the 95% Wilson
    interval of the accuracy. On the diagonal predictions are calibrated; below it they are overconfident. The legend
    has the calibration error

        ECE = Σ_b (n_b / n) |accuracy_b − confidence_b|

    Args:
        probabilities: dict from a label to an array of shape `(num_examples, num_classes)`, whose rows sum to 1.
        labels: int array of shape `(num_examples,)`, the classes.
        num_bins: int >= 1; bin b is (b/num_bins, (b+1)/num_bins]. Defaults to `15`.
        styles: dict from a label to (colour, line style). Defaults to `style.styles` over the labels.
        legend: bool. Defaults to `True`.
        ax: matplotlib Axes, or `None` for those of a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: an array is of another shape, or its rows are no probabilities; a label has no style.

    Example:

    >>> import keras_langevin.plots as plots
    >>> ax = plots.calibration({"net": [[0.8, 0.2]] * 4}, [0, 0, 0, 1])
    >>> ax.get_legend_handles_labels()[1], ax.get_xlabel()
    (['net, ECE 0.050'], 'confidence (highest probability)')

    References:
        C. Guo et al., On calibration of modern neural networks, ICML 2017, figure 1 and equation (3).
        E. B. Wilson, JASA 22 (1927).
    """
    check_int("num_bins", num_bins, 1)
    checked_labels("probabilities", probabilities, "arrays of shape (num_examples, num_classes)")
    styles = chosen_styles(list(probabilities), styles)
    labels = checked_array("labels", labels, "(num_examples,)")
    ax = axes_or_new(ax, 4.4, 4.0)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    for name, values in probabilities.items():
        values = checked_array(f"probabilities[{name!r}]", values, "(num_examples, num_classes)")
        checked_length(f"probabilities[{name!r}]", values, len(labels), "`labels`")
        _check_probabilities(name, values)
        bins = confidence_bins(values, labels, num_bins)
        _points(ax, bins, f"{plain(name)}, ECE {bins.expected_calibration_error:.3f}", *styles[name])
    ax.set(xlim=(0, 1), ylim=(0, 1))
    quiet(ax, "confidence (highest probability)", "accuracy (share of examples)")
    if legend:
        add_legend(ax, loc="lower right")
    return ax


def _points(ax, bins, label: str, colour: str, linestyle: str):
    full = bins.counts > 0
    x, y, counts = bins.confidence[full], bins.accuracy[full], bins.counts[full]
    ax.plot(x, y, color=colour, linestyle=linestyle, linewidth=1.2, marker="o", markersize=3, label=label)
    # not clipped, for the largest lies in the corner
    ax.scatter(x, y, s=10 + 290 * counts / counts.sum(), color=colour, alpha=0.35, linewidths=0, clip_on=False)
    ax.vlines(x, *_wilson(y, counts), color=colour, linewidth=1, alpha=0.6)


def _wilson(share: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The low and high ends of the 95% intervals of shares of `counts` examples."""
    tests = (stats.binomtest(round(number), of) for number, of in zip(share * counts, counts.tolist(), strict=True))
    return np.transpose([test.proportion_ci(method="wilson") for test in tests])


def _check_probabilities(name: str, values: np.ndarray):
    sums = values.sum(axis=1)
    if not (values >= 0).all() or np.abs(sums - 1).max() > 1e-2:
        raise ValueError(
            f"`probabilities[{name!r}]` must have rows >= 0 that sum to 1. Received: numbers from {values.min():.3g} "
            f"to {values.max():.3g}, rows that sum to {sums.min():.3g} ... {sums.max():.3g}. Take a softmax of logits."
        )
