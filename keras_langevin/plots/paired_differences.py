"""Differences between two optimizers, seed by seed."""

from collections.abc import Mapping

import numpy as np

from keras_langevin.plots.checks import checked_array, checked_interval, checked_labels, checked_length
from keras_langevin.plots.style import FONT, GREY, Styles, axes_or_new, chosen_styles, plain, quiet, shortened

# Heights, in rows.
HEADING, ROW, GAP = 0.5, 1.3, 0.2


def paired_differences(
    differences: Mapping[str, np.ndarray],
    *,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    marked: Mapping[str, np.ndarray] | None = None,
    heading: str = "",
    xlabel: str = "difference in test accuracy (percentage points)",
    styles: Styles | None = None,
    top: float = 0.0,
    ax=None,
):
    """Draws paired differences below one another: each seed's as a dot, the mean as a diamond, its interval as a bar.

        dᵢ = treatmentᵢ − parentᵢ for seed i,   mean = Σᵢ dᵢ / n

    What is drawn is not a conclusion; for intervals and tests see `statistics.paired_difference`.

    Args:
        differences: dict from a name, `L-Adam − Adam`, to an array of shape `(num_seeds,)`.
        intervals: dict from a name to (low, high), of the mean; NaN, or no such name: no bar. Defaults to none.
        marked: dict from a name to a bool array of shape `(num_seeds,)`, the seeds drawn as ×. Defaults to none.
        heading: str, lines in bold above the rows. Defaults to none.
        xlabel: str, with the unit.
        styles: dict from a name to (colour, line style). Defaults to `style.styles` over the names.
        top: float, the height of the first line; a further call with `top=ax.get_ylim()[0]` draws below. Defaults to 0.
        ax: matplotlib Axes, or `None` for those of a new figure.

    Returns:
        The Axes.

    Raises:
        ValueError: an array is of another shape, an interval is none, or a name has no style.

    Example:

    >>> import keras_langevin.plots as plots
    >>> ax = plots.paired_differences({"L-Adam − Adam": [0.5, 1.5, 1.0]}, intervals={"L-Adam − Adam": (0.5, 1.5)})
    >>> [text.get_text() for text in ax.texts], len(ax.get_lines())
    (['L-Adam − Adam, 3 seeds'], 2)
    """
    checked_labels("differences", differences, "arrays of shape (num_seeds,)")
    styles = chosen_styles(list(differences), styles)
    lines = heading.splitlines()
    ax = axes_or_new(ax, 5.0, 0.9 + 0.36 * (ROW * len(differences) + HEADING * len(lines)))
    height = top - (GAP if top else 0)
    for line in lines:
        _text(ax, height, plain(line), fontweight="bold")
        height -= HEADING
    for name, values in differences.items():
        values = checked_array(f"differences[{name!r}]", values, "(num_seeds,)")
        crosses = np.asarray((marked or {}).get(name, np.zeros(len(values))), bool)
        checked_length(f"marked[{name!r}]", crosses, len(values), f"differences[{name!r}]")
        interval = checked_interval(f"intervals[{name!r}]", (intervals or {}).get(name, (np.nan, np.nan)))
        _text(ax, height, plain(f"{shortened(name)}, {len(values)} seed{'s' if len(values) > 1 else ''}"))
        # in pieces, for it would cross the names
        ax.vlines(0, height - 0.9, height - 0.25, color=GREY, linewidth=1)
        _row(ax, height - 0.5, values, interval, crosses, styles[name][0])
        height -= ROW
    ax.set_ylim(height, 0.4 if top == 0 else ax.get_ylim()[1])
    ax.set_yticks([])
    quiet(ax, xlabel, "")
    ax.spines["left"].set_visible(False)
    return ax


def _row(ax, height: float, values: np.ndarray, interval, marked: np.ndarray, colour: str):
    """The dots stand a little below the mean."""
    for chosen, style in ((~marked, {"marker": "o", "linewidths": 0}), (marked, {"marker": "x", "linewidths": 1.2})):
        if chosen.any():
            heights = np.full(chosen.sum(), height - 0.24)
            ax.scatter(values[chosen], heights, s=22, color=colour, alpha=0.75, **style)
    if np.isfinite(interval).all():
        ax.plot(interval, [height, height], color=colour, linewidth=2.5, solid_capstyle="butt")
    ax.plot([values.mean()], [height], color=colour, marker="D", markersize=6, linestyle="none")


def _text(ax, height: float, text: str, **options):
    transform = ax.get_yaxis_transform()
    # not in the layout: a long name would squeeze the axes
    ax.text(0.0, height, text, transform=transform, fontsize=FONT, va="center", in_layout=False, **options)
