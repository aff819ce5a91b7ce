"""Calibration: whether predictions are right as often as their probabilities say."""

from collections.abc import Mapping

import numpy as np

from keras_langevin import extras
from keras_langevin.confidence import confidence_bins
from keras_langevin.plots import style
from keras_langevin.values import check_int


def calibration(
    probabilities: Mapping[str, style.ArrayLike],
    labels: style.ArrayLike,
    *,
    num_bins: int = 15,
    styles: style.Styles | None = None,
    legend: bool = True,
    ax: style.Axes | None = None,
) -> style.Axes:
    """Draws accuracy against confidence, the highest probability, in bins of equal width.

    Each point is a bin's mean confidence and accuracy. Its area is the bin's share of the examples, its bar the 95%
    Wilson interval. Predictions below the diagonal are overconfident. The legend shows the calibration error

        ECE = Σ_b (n_b / n) |accuracy_b − confidence_b|   (C. Guo et al., ICML 2017, equation 3)

    Args:
        probabilities: dict from a label to an array of shape `(num_examples, num_classes)`, whose rows sum to 1.
        labels: int array of shape `(num_examples,)`, the classes.
        num_bins: int >= 1; bin b is (b/num_bins, (b+1)/num_bins]. Defaults to `15`.
        styles, legend, ax: as in `curves`.

    Example:

    >>> from keras_langevin import plots
    >>> ax = plots.calibration({"net": [[0.8, 0.2]] * 4}, [0, 0, 0, 1])
    >>> ax.get_legend_handles_labels()[1]
    ['net, ECE 0.050']
    """
    extras.check("experiments", "scipy", what="plots.calibration")
    from scipy import stats

    check_int("num_bins", num_bins, 1)
    probabilities = style.checked_arrays("probabilities", probabilities, "(num_examples, num_classes)")
    styles, all_bins = style.chosen_styles(probabilities, styles), {}
    for name, values in probabilities.items():
        of = f"probabilities[{name!r}]"
        classes = style.checked_array("labels", labels, "(num_examples,)", length=len(values), of=of)
        all_bins[name] = confidence_bins(values, classes, num_bins)
    ax = style.axes_or_new(ax, 4.4, 4.0)
    ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=1)
    for name, bins in all_bins.items():
        (colour, line), full = styles[name], bins.counts > 0
        x, y, counts = bins.confidence[full], bins.accuracy[full], bins.counts[full]
        label = f"{style.plain(name)}, ECE {bins.expected_calibration_error:.3f}"
        ax.plot(x, y, color=colour, linestyle=line, linewidth=1.2, marker="o", markersize=3, label=label)
        # not clipped, because the largest is in the corner
        ax.scatter(x, y, s=10 + 290 * counts / counts.sum(), color=colour, alpha=0.35, linewidths=0, clip_on=False)
        tests = (stats.binomtest(round(right), of) for right, of in zip(y * counts, counts.tolist(), strict=True))
        intervals = [test.proportion_ci(method="wilson") for test in tests]
        ax.vlines(x, *np.transpose(intervals), color=colour, linewidth=1, alpha=0.6)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    labels = "confidence (highest probability)", "accuracy (share of examples)"
    return style.quiet(ax, *labels, legend=legend, loc="lower right")
