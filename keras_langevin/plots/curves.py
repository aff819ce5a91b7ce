"""Curves over epochs, each for many seeds."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_langevin.plots import style


def curves(
    curves: Mapping[str, style.ArrayLike],
    *,
    x: style.ArrayLike | None = None,
    diverged: Mapping[str, Sequence[style.ArrayLike]] | None = None,
    xlabel: str = "epoch",
    ylabel: str = "",
    styles: style.Styles | None = None,
    legend: bool = True,
    ax: style.Axes | None = None,
) -> style.Axes:
    """Draws each seed as a thin line, and the median over seeds as a thick one.

    Args:
        curves: dict from a label to an array of shape `(num_seeds, num_epochs)`. NaN leaves a gap.
        x: array of shape `(num_epochs,)`. Defaults to 1, 2, ....
        diverged: dict from a label to a list of curves that end where the run diverged: dashed, with × at the end.
        xlabel, ylabel: str.
        styles: dict from a label to (colour, line style). Defaults to `style.styles(labels)`.
        legend: bool. Defaults to `True`.
        ax: matplotlib Axes. Defaults to those of a new figure.

    Example:

    >>> from keras_langevin import plots
    >>> ax = plots.curves({"Adam": [[2.3, 1.1, 0.7], [2.3, 1.3, 0.9]]}, ylabel="train loss (cross-entropy)")
    """
    diverged = diverged or {}
    if curves or not diverged:
        curves = style.checked_arrays("curves", curves, "(num_seeds, num_epochs)")
    styles = style.chosen_styles([*curves, *diverged], styles)
    for label, values in curves.items() if x is not None else ():
        x = style.checked_array("x", x, "(num_epochs,)", length=values.shape[1], of=f"curves[{label!r}] has epochs")
    ax = style.axes_or_new(ax)
    if x is None:
        ax.xaxis.get_major_locator().set_params(integer=True)
    places = lambda number: (np.arange(1, number + 1) if x is None else x)[:number]  # noqa: E731
    for label, values in curves.items():
        (colour, line), epochs = styles[label], places(values.shape[1])
        mark = {"color": colour} | ({"marker": "."} if len(epochs) == 1 else {})  # one epoch makes no line
        alpha = 0.35 if len(values) <= 5 else 0.2  # many lines would hide the median
        ax.plot(epochs, values.T, alpha=alpha, linewidth=0.8, **mark)
        ax.plot(epochs, np.median(values, axis=0), linewidth=2, linestyle=line, label=style.plain(label), **mark)
    for label, runs in diverged.items():
        for run in filter(len, runs):  # empty: it diverged in its first epoch
            epochs, colour = places(len(run)), styles[label][0]
            ax.plot(epochs, run, color=colour, linewidth=1, linestyle=(0, (3, 2)))
            ax.plot(epochs[-1:], run[-1:], color=colour, marker="x", markersize=6, linestyle="none")
    return style.quiet(ax, xlabel, ylabel, legend=legend)
