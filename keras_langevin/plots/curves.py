"""Curves over epochs, many seeds each."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_langevin.plots.checks import checked_array, checked_labels, checked_length
from keras_langevin.plots.style import Styles, add_legend, axes_or_new, chosen_styles, plain, quiet


def curves(
    curves: Mapping[str, np.ndarray],
    *,
    x=None,
    diverged: Mapping[str, Sequence] | None = None,
    xlabel: str = "epoch",
    ylabel: str = "",
    styles: Styles | None = None,
    legend: bool = True,
    ax=None,
):
    """Draws the mean over seeds as a line, each seed as a thin line, and the range of the seeds as a band.

    Args:
        curves: dict from a label to an array of shape `(num_seeds, num_epochs)`; it may be empty where `diverged` is
            not. NaN leaves a gap.
        x: array of shape `(num_epochs,)`, where they stand. Defaults to 1, 2, ....
        diverged: dict from a label to a list of arrays, each of shape `(num_epochs_before,)`: the curves of runs up to
            where they diverged, drawn dashed and ended by ×. Defaults to none.
        xlabel, ylabel: str.
        styles: dict from a label to (colour, line style). Defaults to `style.styles` over the labels.
        legend: bool. Defaults to `True`.
        ax: matplotlib Axes, or `None` for those of a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: an array is of another shape, or a label has no style.

    Example:

    >>> import keras_langevin.plots as plots
    >>> ax = plots.curves({"Adam": [[2.3, 1.1, 0.7], [2.3, 1.3, 0.9]]}, ylabel="train loss (cross-entropy)")
    >>> len(ax.get_lines()), len(ax.collections), ax.get_ylabel()
    (3, 1, 'train loss (cross-entropy)')
    """
    diverged = diverged or {}
    if curves or not diverged:
        checked_labels("curves", curves, "arrays of shape (num_seeds, num_epochs)")
    styles = chosen_styles([*curves, *diverged], styles)
    ax = axes_or_new(ax)
    x = None if x is None else checked_array("x", x, "(num_epochs,)")
    for label, values in curves.items():
        values = checked_array(f"curves[{label!r}]", values, "(num_seeds, num_epochs)")
        if x is not None:
            checked_length("x", x, values.shape[1], f"curves[{label!r}] has epochs")
        _curves_with_band(ax, _places(x, values.shape[1]), values, plain(label), *styles[label])
    for label, runs in diverged.items():
        for run in runs:
            _diverged_curve(ax, x, np.asarray(run, float), styles[label][0])
    quiet(ax, xlabel, ylabel)
    if legend:
        add_legend(ax)
    return ax


def _places(x, number: int) -> np.ndarray:
    return np.arange(1, number + 1) if x is None else x[:number]


def _curves_with_band(ax, x, curves: np.ndarray, label: str, colour: str, linestyle: str):
    mark = {"marker": "."} if len(x) == 1 else {}  # one epoch is no line
    ax.fill_between(x, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.12, linewidth=0)
    alpha = 0.35 if len(curves) <= 5 else 0.15  # many lines would hide the mean
    ax.plot(x, curves.T, color=colour, alpha=alpha, linewidth=0.8, **mark)
    ax.plot(x, curves.mean(axis=0), color=colour, linewidth=2, label=label, linestyle=linestyle, **mark)


def _diverged_curve(ax, x, curve: np.ndarray, colour: str):
    if len(curve):  # else it diverged in its first epoch
        x = _places(x, len(curve))
        ax.plot(x, curve, color=colour, linewidth=1, linestyle=(0, (3, 2)))
        ax.plot(x[-1:], curve[-1:], color=colour, marker="x", markersize=6, linestyle="none")
