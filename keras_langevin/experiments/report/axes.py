"""What each figure of a report draws into its axes."""

import textwrap
from itertools import cycle, islice

import numpy as np

from keras_langevin.experiments.plots import (
    COLOURS,
    curves_with_band,
    diverged_curve,
    gain_against_depth,
    paired_difference_row,
    plain,
)
from keras_langevin.experiments.report.analysis import CellResult
from keras_langevin.experiments.report.depth import DepthGroup
from keras_langevin.experiments.report.numbers import count

FONT = 9
CURVES = {"train_loss": "train loss (cross-entropy)", "validation_accuracy": "validation accuracy (%)"}
POINTS = "difference in test accuracy (percentage points)"

Styles = dict[str, tuple[str, str]]


def styles(results: list[CellResult]) -> Styles:
    """A colour and a line style for each optimizer, the same in all figures of a report."""
    labels = list(dict.fromkeys(arm.label for result in results for arm in result.arms))
    pairs = ((colour, line) for line in cycle(("-", "--", ":", "-.")) for colour in COLOURS)
    return dict(zip(labels, islice(pairs, len(labels)), strict=True))


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
    for arm in result.arms:
        colour, linestyle = styles[arm.label]
        curves = [(run.status, (100 if percent else 1) * np.array(run.curves[name], float)) for run in arm.runs]
        whole = [curve for status, curve in curves if status == "finished" and len(curve)]
        longest = max(map(len, whole), default=0)
        whole = [curve for curve in whole if len(curve) == longest]
        if whole:
            curves_with_band(ax, whole, label=plain(arm.label), colour=colour, linestyle=linestyle)
        for status, curve in curves:
            if status == "diverged":
                diverged_curve(ax, curve, colour=colour)
    drop_epoch = result.cell.comparison.drop_epoch
    if drop_epoch < result.cell.comparison.epochs:
        ax.axvline(drop_epoch + 0.5, color="0.6", linestyle=":", linewidth=1)
    _quiet(ax, "epoch", CURVES[name])
    if percent:
        ax.set_ylim(0, 100)
    else:
        ax.set_yscale("log")
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
    row = 0.0
    for result in results:
        for line in title_lines(result):
            _row_text(ax, row, plain(line), fontweight="bold")
            row -= 0.5
        for pair in result.pairs:
            colour, _ = styles[pair.label]
            _row_text(ax, row, plain(shortened(f"{pair.name}, {count(len(pair.seeds), 'seed')}")))
            difference = pair.difference
            ax.vlines(0, row - 0.9, row - 0.25, color="0.5", linewidth=1)  # in pieces, for it would cross the names
            paired_difference_row(
                ax,
                row - 0.5,
                difference.values,
                mean=difference.mean,
                interval=(difference.low, difference.high),
                colour=colour,
                marked=pair.diverged,
            )
            row -= 1.3
        row -= 0.2 if result.pairs else 0
    ax.set_ylim(row + 0.2, 0.4)
    ax.set_yticks([])
    _quiet(ax, POINTS, "")
    ax.spines["left"].set_visible(False)
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
    ax.axhline(0, color="0.5", linewidth=1)
    all_depths = sorted({depth for points in group.series.values() for depth in points})
    span = (all_depths[-1] - all_depths[0]) or 1
    for index, (name, points) in enumerate(group.series.items()):
        colour, linestyle = styles[group.labels[name]]
        shift = 0.012 * span * (index - (len(group.series) - 1) / 2)  # so that bars stand side by side
        depths = sorted(points)
        differences = [points[depth].difference for depth in depths]
        gain_against_depth(
            ax,
            np.array(depths) + shift,
            [difference.mean for difference in differences],
            [difference.low for difference in differences],
            [difference.high for difference in differences],
            label=plain(name),
            colour=colour,
            linestyle=linestyle,
        )
    ax.set_xticks(all_depths)
    _quiet(ax, "depth (the number in the model's name)", "difference in test accuracy\n(percentage points)")
    return ax


def title_lines(result: CellResult) -> list[str]:
    """The title above a setting's differences; none where it has no difference."""
    return textwrap.wrap(result.title, 52, break_on_hyphens=False) if result.pairs else []


def shortened(text: str, most: int = 60) -> str:
    """A text of so many letters at most."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _row_text(ax, height: float, text: str, **options):
    transform = ax.get_yaxis_transform()
    # not in the layout: a long name would squeeze the axes
    ax.text(0.0, height, text, transform=transform, fontsize=FONT, va="center", in_layout=False, **options)


def _quiet(ax, xlabel: str, ylabel: str):
    ax.set_xlabel(xlabel, fontsize=FONT)
    ax.set_ylabel(ylabel, fontsize=FONT)
    ax.tick_params(labelsize=FONT)
    ax.spines[["top", "right"]].set_visible(False)
