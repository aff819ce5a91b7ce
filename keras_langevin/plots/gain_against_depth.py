"""What an optimizer gains, by the depth of the net."""

from collections.abc import Mapping

import numpy as np

from keras_langevin.plots.checks import checked_array, checked_interval, checked_labels
from keras_langevin.plots.style import GREY, Styles, add_legend, axes_or_new, chosen_styles, plain, quiet
from keras_langevin.values import is_real


def gain_against_depth(
    differences: Mapping[str, Mapping[int, np.ndarray]],
    *,
    intervals: Mapping[str, Mapping[int, tuple[float, float]]] | None = None,
    xlabel: str = "depth (hidden layers)",
    ylabel: str = "difference in test accuracy\n(percentage points)",
    styles: Styles | None = None,
    legend: bool = True,
    ax=None,
):
    """Draws mean paired differences by depth: a line for each name, and a bar for each interval.

        gain(depth) = Σᵢ dᵢ(depth) / n,   dᵢ = treatmentᵢ − parentᵢ for seed i

    Args:
        differences: dict from a name, `L-Adam − Adam`, to a dict from depth to an array of shape `(num_seeds,)`.
        intervals: dict from a name to a dict from depth to (low, high), of the mean; NaN, or none: no bar is drawn.
            Defaults to none.
        xlabel, ylabel: str, with the unit.
        styles: dict from a name to (colour, line style). Defaults to `style.styles` over the names.
        legend: bool. Defaults to `True`.
        ax: matplotlib Axes, or `None` for those of a new figure.

    Returns:
        The Axes. Names stand side by side at a depth, so that their bars can be told apart.

    Raises:
        ValueError: an array is of another shape, a depth is no number, or a name has no style.

    Example:

    >>> import keras_langevin.plots as plots
    >>> ax = plots.gain_against_depth({"L-Adam − Adam": {3: [0.1, -0.1], 30: [2.0, 4.0]}})
    >>> ax.get_lines()[1].get_ydata().tolist(), ax.get_xticks().tolist()
    ([0.0, 3.0], [3, 30])

    References:
        arXiv:2212.14718, figure 1: what it compares at each depth.
    """
    checked_labels("differences", differences, "dicts from depth to an array of shape (num_seeds,)")
    styles = chosen_styles(list(differences), styles)
    all_depths = sorted({depth for points in differences.values() for depth in _checked_depths(points)})
    span = (all_depths[-1] - all_depths[0]) or 1
    ax = axes_or_new(ax)
    ax.axhline(0, color=GREY, linewidth=1)
    for index, (name, points) in enumerate(differences.items()):
        depths, own = sorted(points), (intervals or {}).get(name, {})
        where = f"differences[{name!r}]"
        means = [checked_array(f"{where}[{depth}]", points[depth], "(num_seeds,)").mean() for depth in depths]
        none = (np.nan, np.nan)
        ends = [checked_interval(f"intervals[{name!r}][{depth}]", own.get(depth, none)) for depth in depths]
        shift = 0.012 * span * (index - (len(differences) - 1) / 2)
        x, (colour, line) = np.array(depths) + shift, styles[name]
        ax.plot(x, means, color=colour, marker="D", markersize=5, linewidth=1.5, linestyle=line, label=plain(name))
        ax.vlines(x, *np.transpose(ends), color=colour, linewidth=2, alpha=0.7)
    ax.set_xticks(all_depths)
    quiet(ax, xlabel, ylabel)
    if legend:
        add_legend(ax)
    return ax


def _checked_depths(points) -> list:
    if not isinstance(points, Mapping) or not points or not all(is_real(depth) for depth in points):
        raise ValueError(
            "`differences` must have a dict from depth, a number, to an array of shape (num_seeds,) under each name. "
            f"Received: {points!r}. Give for example {{3: [...], 30: [...]}}."
        )
    return list(points)
