"""What an optimizer gains, against the depth of the net."""

from collections.abc import Mapping

import numpy as np

from keras_langevin.plots import style


def gain_against_depth(
    differences: Mapping[str, Mapping[int, style.ArrayLike]],
    *,
    intervals: Mapping[str, Mapping[int, tuple[float, float]]] | None = None,
    xlabel: str = "depth (hidden layers)",
    ylabel: str = "difference in test accuracy\n(percentage points)",
    styles: style.Styles | None = None,
    legend: bool = True,
    ax: style.Axes | None = None,
) -> style.Axes:
    """Draws mean paired differences against depth: one line per name, one bar per interval.

        gain(depth) = Σᵢ dᵢ(depth) / n,   dᵢ = treatmentᵢ − parentᵢ for seed i

    Args:
        differences: dict from a name such as `L-Adam − Adam` to a dict from depth to an array `(num_seeds,)`.
        intervals: dict from a name to a dict from depth to (low, high) of the mean. A missing one has no bar.
        xlabel, ylabel: str, with the unit.
        styles, legend, ax: as in `curves`.

    Example:

    >>> from keras_langevin import plots
    >>> ax = plots.gain_against_depth({"L-Adam − Adam": {3: [0.1, -0.1], 30: [2.0, 4.0]}})
    >>> ax.get_lines()[1].get_ydata().tolist(), ax.get_xticks().tolist()
    ([0.0, 3.0], [3, 30])
    """
    style.checked_dict("differences", differences, "dicts from depth to an array of shape (num_seeds,)")
    series = {}
    for name, points in differences.items():
        points = style.checked_arrays(f"differences[{name!r}]", points, "(num_seeds,)", keys="numbers")
        own, depths = (intervals or {}).get(name, {}), sorted(points)
        ends = [style.checked_interval(f"intervals[{name!r}][{depth}]", own.get(depth)) for depth in depths]
        series[name] = depths, [points[depth].mean() for depth in depths], np.transpose(ends)
    styles = style.chosen_styles(series, styles)
    all_depths = sorted({depth for depths, *_ in series.values() for depth in depths})
    step = 0.012 * ((all_depths[-1] - all_depths[0]) or 1)  # side by side, so that bars do not overlap
    ax = style.axes_or_new(ax)
    ax.axhline(0, color=style.GREY, linewidth=1)
    for index, (name, (depths, means, ends)) in enumerate(series.items()):
        x, (colour, line) = np.array(depths) + step * (index - (len(series) - 1) / 2), styles[name]
        ax.plot(
            x, means, color=colour, marker="D", markersize=5, linewidth=1.5, linestyle=line, label=style.plain(name)
        )
        ax.vlines(x, *ends, color=colour, linewidth=2, alpha=0.7)
    ax.set_xticks(all_depths)
    return style.quiet(ax, xlabel, ylabel, legend=legend)
