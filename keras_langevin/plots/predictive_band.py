"""A prediction on a line, with how sure it is."""

import numpy as np

from keras_langevin.plots.checks import checked_array, checked_length
from keras_langevin.plots.style import COLOURS, add_legend, axes_or_new, plain, quiet
from keras_langevin.values import is_level


def predictive_band(
    x,
    mean,
    std,
    *,
    noise_std: float | None = None,
    observations=None,
    label: str = "posterior mean",
    colour: str = COLOURS[2],
    xlabel: str = "x",
    ylabel: str = "y",
    legend: bool = True,
    ax=None,
):
    """Draws a mean as a line, and bands of one and of two standard deviations of the function about it.

        mean(x) ± k · std(x),   k = 1, 2;   for an observation:  mean(x) ± 2 · √(std(x)² + noise_std²)

    Args:
        x: array of shape `(num_points,)`; it is sorted.
        mean: array of the same shape, E f(x) over the samples.
        std: array of the same shape, >= 0, the standard deviation of f(x) over the samples, in the unit of `mean`.
        noise_std: float >= 0, the standard deviation of an observation about f(x); then dashed lines show where 95% of
            observations should lie. Defaults to `None`: no such lines.
        observations: pair (x, y) of arrays of shape `(num_observations,)`, drawn as dots. Defaults to none.
        label: str, of the mean. Defaults to `"posterior mean"`.
        colour: str.
        xlabel, ylabel: str.
        legend: bool. Defaults to `True`.
        ax: matplotlib Axes, or `None` for those of a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: an array is of another shape or length, or a standard deviation is negative.

    Example:

    >>> import keras_langevin.plots as plots
    >>> ax = plots.predictive_band([0, 1, 2], [0.0, 0.5, 0.0], [0.1, 0.2, 0.4], observations=([0.5], [0.2]))
    >>> len(ax.get_lines()), len(ax.collections), ax.get_legend_handles_labels()[1]
    (1, 3, ['posterior mean', '± 1 and 2 standard deviations', 'observations'])
    """
    x = checked_array("x", x, "(num_points,)")
    mean, std = checked_array("mean", mean, "(num_points,)"), checked_array("std", std, "(num_points,)")
    for name, values in (("mean", mean), ("std", std)):
        checked_length(name, values, len(x), "`x`")
    if not (std >= 0).all() or not (noise_std is None or is_level(noise_std)):
        raise ValueError(
            "`std` and `noise_std`, standard deviations, must be >= 0. Received: a smallest `std` of "
            f"{std.min():g}, noise_std={noise_std!r}. Give the `std` of `samples.predict(x, outputs='values')`."
        )
    ax = axes_or_new(ax)
    order = np.argsort(x)
    x, mean, std = x[order], mean[order], std[order]
    ax.plot(x, mean, color=colour, linewidth=2, label=plain(label))
    for number, alpha in ((2, 0.15), (1, 0.25)):
        name = "± 1 and 2 standard deviations" if number == 2 else None
        ax.fill_between(x, mean - number * std, mean + number * std, color=colour, alpha=alpha, linewidth=0, label=name)
    if noise_std is not None:
        half = 2 * np.sqrt(std**2 + noise_std**2)
        ax.plot(x, mean - half, color=colour, linewidth=1, linestyle="--", label="95% of observations")
        ax.plot(x, mean + half, color=colour, linewidth=1, linestyle="--")
    if observations is not None:
        shape = "(num_observations,)"
        points = [checked_array(f"observations[{i}]", observations[i], shape) for i in (0, 1)]
        checked_length("observations[1]", points[1], len(points[0]), "observations[0]")
        ax.scatter(*points, s=14, color=COLOURS[0], linewidths=0, zorder=3, label="observations")
    quiet(ax, xlabel, ylabel)
    if legend:
        add_legend(ax)
    return ax
