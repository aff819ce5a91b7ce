"""Differences between two optimizers, seed by seed."""

from collections.abc import Mapping

import numpy as np

from keras_langevin.plots import style

# Heights, in rows.
HEADING, ROW, GAP = 0.5, 1.3, 0.2


def paired_differences(
    differences: Mapping[str, style.ArrayLike],
    *,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    marked: Mapping[str, style.ArrayLike] | None = None,
    heading: str = "",
    xlabel: str = "difference in test accuracy (percentage points)",
    styles: style.Styles | None = None,
    top: float = 0.0,
    ax: style.Axes | None = None,
) -> style.Axes:
    """Draws paired differences below one another: a dot per seed, a diamond for the mean, a bar for its interval.

        dᵢ = treatmentᵢ − parentᵢ for seed i,   mean = Σᵢ dᵢ / n

    Args:
        differences: dict from a name such as `L-Adam − Adam` to an array of shape `(num_seeds,)`.
        intervals: dict from a name to (low, high) of the mean. A missing one has no bar.
        marked: dict from a name to a bool array of shape `(num_seeds,)`, the seeds drawn as ×. Defaults to none.
        heading: str, lines in bold above the rows. Defaults to none.
        xlabel: str, with the unit.
        top: float, the height of the first line. `top=ax.get_ylim()[0]` draws below an earlier call. Defaults to 0.
        styles, ax: as in `curves`.

    Example:

    >>> from keras_langevin import plots
    >>> ax = plots.paired_differences({"L-Adam − Adam": [0.5, 1.5, 1.0]}, intervals={"L-Adam − Adam": (0.5, 1.5)})
    >>> [text.get_text() for text in ax.texts], len(ax.get_lines())
    (['L-Adam − Adam, 3 seeds'], 2)
    """
    differences = style.checked_arrays("differences", differences, "(num_seeds,)")
    styles, rows = style.chosen_styles(differences, styles), {}
    for name, values in differences.items():
        like = {"shape": "(num_seeds,)", "length": len(values), "of": f"differences[{name!r}]"}
        is_marked = style.checked_array(f"marked[{name!r}]", (marked or {}).get(name, np.zeros(len(values))), **like)
        interval = style.checked_interval(f"intervals[{name!r}]", (intervals or {}).get(name))
        rows[name] = values, interval, is_marked.astype(bool)
    lines = heading.splitlines()
    ax = style.axes_or_new(ax, 5.0, 0.9 + 0.36 * (ROW * len(rows) + HEADING * len(lines)))
    # not in the layout: a long name would squeeze the axes
    text = {"transform": ax.get_yaxis_transform(), "fontsize": style.FONT, "va": "center", "in_layout": False}
    height = top - (GAP if top else 0)
    for line in lines:
        ax.text(0.0, height, style.plain(line), fontweight="bold", **text)
        height -= HEADING
    for name, (values, interval, is_marked) in rows.items():
        colour, number = styles[name][0], f"{len(values)} seed{'s' if len(values) > 1 else ''}"
        ax.text(0.0, height, style.plain(f"{style.shortened(name)}, {number}"), **text)
        ax.vlines(0, height - 0.9, height - 0.25, color=style.GREY, linewidth=1)  # in pieces: it would cross the names
        for chosen, marker in ((~is_marked, "o"), (is_marked, "x")):
            if chosen.any():
                dots = {"marker": marker, "linewidths": 1.2 * (marker == "x"), "color": colour, "alpha": 0.75, "s": 22}
                ax.scatter(values[chosen], np.full(chosen.sum(), height - 0.74), **dots)
        if np.isfinite(interval).all():
            ax.plot(interval, [height - 0.5] * 2, color=colour, linewidth=2.5, solid_capstyle="butt")
        ax.plot([values.mean()], [height - 0.5], color=colour, marker="D", markersize=6, linestyle="none")
        height -= ROW
    ax.set_ylim(height, 0.4 if top == 0 else ax.get_ylim()[1])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    return style.quiet(ax, xlabel, "")
