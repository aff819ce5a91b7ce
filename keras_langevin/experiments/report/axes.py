"""What each figure of a report draws into its axes."""

import textwrap

from keras_langevin import plots
from keras_langevin.experiments.report.analysis import CellResult
from keras_langevin.experiments.report.curves import curves_of
from keras_langevin.experiments.report.depth import DepthGroup
from keras_langevin.plots import style
from keras_langevin.plots.style import Styles

CURVES = {"train_loss": "train loss (cross-entropy)", "validation_accuracy": "validation accuracy (%)"}


def styles(results: list[CellResult]) -> Styles:
    """A colour and a line style for each optimizer, the same in all figures of a report."""
    return style.styles(arm.label for result in results for arm in result.arms)


def curves_axes(ax, result: CellResult, name: str, styles: Styles):
    """Draws a curve of every optimizer: line and band over the seeds that finished, and what diverged.

    Args:
        ax: matplotlib Axes.
        result: one setting.
        name: str, a key of `CURVES`.
        styles: what `styles` returned.

    Returns:
        The Axes.
    """
    percent = name == "validation_accuracy"
    finished, diverged = curves_of(result, name)
    plots.curves(finished, diverged=diverged, ylabel=CURVES[name], styles=styles, legend=False, ax=ax)
    drop_epoch = result.cell.comparison.drop_epoch
    if drop_epoch < result.cell.comparison.epochs:
        ax.axvline(drop_epoch + 0.5, color="0.6", linestyle=":", linewidth=1)
    if percent:
        ax.set_ylim(0, 100)
    else:
        ax.set_yscale("log")
        low, high = ax.get_ylim()
        if high < 10 * low:  # powers of ten alone would be one label, or none
            from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

            ax.yaxis.set_major_locator(MaxNLocator(5))
            ax.yaxis.set_major_formatter(ScalarFormatter())
            ax.yaxis.set_minor_locator(NullLocator())
    return ax


def differences_axes(ax, results: list[CellResult], styles: Styles):
    """Draws all paired differences, one below the other, under the titles of their settings.

    Args:
        ax: matplotlib Axes.
        results: the settings; those without a difference are passed over.
        styles: what `styles` returned.

    Returns:
        The Axes.
    """
    top = 0.0
    for result in results:
        if result.pairs:
            plots.paired_differences(
                {pair.name: pair.difference.values for pair in result.pairs},
                intervals={pair.name: (pair.difference.low, pair.difference.high) for pair in result.pairs},
                marked={pair.name: pair.diverged for pair in result.pairs},
                heading="\n".join(title_lines(result)),
                styles={pair.name: styles[pair.label] for pair in result.pairs},
                top=top,
                ax=ax,
            )
            top = ax.get_ylim()[0]
    return ax


def depth_axes(ax, group: DepthGroup, styles: Styles):
    """Draws the mean difference of each optimizer against depth.

    Args:
        ax: matplotlib Axes.
        group: nets that differ in depth alone.
        styles: what `styles` returned.

    Returns:
        The Axes.
    """
    points = {name: {depth: pair.difference for depth, pair in pairs.items()} for name, pairs in group.series.items()}
    return plots.gain_against_depth(
        {name: {depth: found.values for depth, found in own.items()} for name, own in points.items()},
        intervals={
            name: {depth: (found.low, found.high) for depth, found in own.items()} for name, own in points.items()
        },
        xlabel="depth (the number in the model's name)",
        styles={name: styles[group.labels[name]] for name in group.series},
        legend=False,
        ax=ax,
    )


def title_lines(result: CellResult) -> list[str]:
    """The title above a setting's differences; none where it has no difference."""
    return textwrap.wrap(result.title, 52, break_on_hyphens=False) if result.pairs else []


def shortened(text: str, most: int = 60) -> str:
    """A text of so many letters at most."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
