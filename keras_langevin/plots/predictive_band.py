"""A prediction along one variable, with its uncertainty."""

import numpy as np

from keras_langevin.plots import style
from keras_langevin.values import is_level


def predictive_band(
    x: style.ArrayLike,
    mean: style.ArrayLike,
    std: style.ArrayLike,
    *,
    noise_std: float | None = None,
    observations: tuple[style.ArrayLike, style.ArrayLike] | None = None,
    label: str = "posterior mean",
    colour: str = style.COLOURS[2],
    xlabel: str = "x",
    ylabel: str = "y",
    legend: bool = True,
    ax: style.Axes | None = None,
) -> style.Axes:
    """Draws the mean of a function as a line, with bands of one and two standard deviations of the function.

        mean(x) ± k · std(x),   k = 1, 2;   for an observation:  mean(x) ± 2 · √(std(x)² + noise_std²)

    Args:
        x, mean, std: arrays of shape `(num_points,)`: points in any order, and mean and standard deviation of f(x) over
            the samples.
        noise_std: float >= 0, the standard deviation of an observation around f(x). Dashed lines then show where 95% of
            observations should be. Defaults to `None`: no such lines.
        observations: pair (x, y) of arrays of shape `(num_observations,)`, drawn as dots. Defaults to none.
        label: str, the label of the mean. Defaults to `"posterior mean"`.
        colour, xlabel, ylabel: str.
        legend, ax: as in `curves`.

    Example:

    >>> from keras_langevin import plots
    >>> ax = plots.predictive_band([0, 1, 2], [0.0, 0.5, 0.0], [0.1, 0.2, 0.4], observations=([0.5], [0.2]))
    >>> ax.get_legend_handles_labels()[1]
    ['posterior mean', '± 1 and 2 standard deviations', 'observations']
    """
    x, shape = style.checked_array("x", x, "(num_points,)"), "(num_observations,)"
    order = np.argsort(x)
    like_x = {"shape": "(num_points,)", "length": len(x), "of": "`x`"}
    mean, std = (style.checked_array(name, array, **like_x)[order] for name, array in (("mean", mean), ("std", std)))
    x = x[order]
    if not (std >= 0).all() or not (noise_std is None or is_level(noise_std)):
        raise ValueError(
            "`std` and `noise_std`, standard deviations, must be >= 0. Received: a smallest `std` of "
            f"{std.min():g}, noise_std={noise_std!r}. Give the `std` of `samples.predict(x, outputs='values')`."
        )
    if observations is not None:
        first = style.checked_array("observations[0]", observations[0], shape)
        second = style.checked_array("observations[1]", observations[1], shape, length=len(first), of="observations[0]")
        observations = first, second
    ax = style.axes_or_new(ax)
    ax.plot(x, mean, color=colour, linewidth=2, label=style.plain(label))
    for number, alpha, name in ((2, 0.15, "± 1 and 2 standard deviations"), (1, 0.25, None)):
        ax.fill_between(x, mean - number * std, mean + number * std, color=colour, alpha=alpha, linewidth=0, label=name)
    if noise_std is not None:
        half = 2 * np.sqrt(std**2 + noise_std**2)
        ax.plot(x, mean - half, color=colour, linewidth=1, linestyle="--", label="95% of observations")
        ax.plot(x, mean + half, color=colour, linewidth=1, linestyle="--")
    if observations is not None:
        ax.scatter(*observations, s=14, color=style.COLOURS[0], linewidths=0, zorder=3, label="observations")
    return style.quiet(ax, xlabel, ylabel, legend=legend)
