"""The figures of a report."""

import textwrap

from keras_langevin.experiments.report.analysis import CellResult
from keras_langevin.experiments.report.axes import (
    CURVES,
    curves_axes,
    depth_axes,
    differences_axes,
    shortened,
    title_lines,
)
from keras_langevin.experiments.report.depth import DepthGroup
from keras_langevin.experiments.report.numbers import count
from keras_langevin.plots.files import new_figure
from keras_langevin.plots.paired_differences import GAP, HEADING, ROW
from keras_langevin.plots.style import FONT, Styles, plain

# In inches: made for a telephone; two or three stand side by side on a desktop.
NARROW = 4.4


def curves_figure(result: CellResult, styles: Styles):
    """Train loss and validation accuracy by epoch, side by side."""
    figure = new_figure(10, 4.2)
    for ax, name in zip(figure.subplots(1, 2), CURVES, strict=True):
        curves_axes(ax, result, name, styles)
    _legend(figure, columns=4)
    note = f"line: mean of {_num_finished(result)}; band: their range"
    if result.cell.comparison.drop_epoch < result.cell.comparison.epochs:
        note += "; dotted: learning rate / 10 and σ = 0 from there"
    diverged, failed = (sum(run.status == status for run in result.cell.runs) for status in ("diverged", "failed"))
    note += f"; dashed to ×: {diverged} diverged" if diverged else ""
    note += f"; {count(failed, 'run')} with an error not drawn" if failed else ""
    figure.suptitle(f"{plain(result.title)}\n{note}", fontsize=FONT)
    return figure


def curve_figure(result: CellResult, name: str, styles: Styles):
    """One curve, narrow."""
    figure = new_figure(NARROW, 3.3)
    curves_axes(figure.subplots(), result, name, styles)
    _legend(figure, columns=2)
    return figure


def differences_figure(results: list[CellResult], styles: Styles):
    """All paired differences of a report."""
    figure = new_figure(NARROW, _height(results))
    differences_axes(figure.subplots(), results, styles)
    return figure


def _height(results: list[CellResult]) -> float:
    """In inches; no more than a picture can be high."""
    rows = sum(HEADING * len(title_lines(result)) + ROW * len(result.pairs) + GAP for result in results if result.pairs)
    return min(0.36 * rows + 0.8, 400)


def cell_differences_figure(result: CellResult, styles: Styles):
    """The paired differences of one setting, narrow, on a scale of their own."""
    figure = new_figure(NARROW, max(2.4, _height([result])))
    differences_axes(figure.subplots(), [result], styles)
    return figure


def depth_figure(group: DepthGroup, styles: Styles):
    """The mean difference of each optimizer against depth, with intervals."""
    figure = new_figure(NARROW, 3.7)
    depth_axes(figure.subplots(), group, styles)
    _legend(figure, columns=1)
    lines = textwrap.wrap(plain(group.title), 48, break_on_hyphens=False)
    _grow(figure, len(lines) - 1)
    figure.suptitle("\n".join(lines), fontsize=FONT)
    return figure


def _num_finished(result: CellResult) -> str:
    """Of how many seeds the lines are means, e.g. `4 to 5 seeds`."""
    numbers = [sum(run.status == "finished" for run in arm.runs) for arm in result.arms]
    few, many = min(numbers), max(numbers)
    return count(many, "seed") if few == many else f"{few} to {count(many, 'seed')}"


def _legend(figure, *, columns: int):
    """Below the axes; the figure grows by what does not fit into two lines."""
    handles = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        labels = [shortened(label, 44) for label in handles]
        columns = columns if max(map(len, labels)) < 24 else max(1, columns // 2)
        options = {"frameon": False, "loc": "outside lower center", "fontsize": FONT}
        figure.legend(handles.values(), labels, ncols=min(columns, len(handles)), **options)
        _grow(figure, -(-len(handles) // columns) - 2)


def _grow(figure, lines: int):
    """Makes a figure higher by so many lines of text, if any."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.19 * max(0, lines))
