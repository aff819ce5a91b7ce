"""The figures of a report, and a figure as SVG inside a page."""

import io
import textwrap
from xml.etree import ElementTree

from keras_langevin import plots
from keras_langevin.experiments.report.analysis import CellResult, DepthGroup
from keras_langevin.experiments.report.formatting import count
from keras_langevin.plots import style
from keras_langevin.plots.files import new_figure, write_figure
from keras_langevin.plots.paired_differences import GAP, HEADING, ROW
from keras_langevin.plots.style import FONT, Styles, plain, shortened

CURVES = {"train_loss": "train loss (cross-entropy)", "validation_accuracy": "validation accuracy (%)"}
# In inches: made for a telephone; two or three stand side by side on a desktop.
NARROW = 4.4


def styles(results: list[CellResult]) -> Styles:
    """A colour and a line style for each optimizer, the same in all figures of a report."""
    return style.styles(arm.label for result in results for arm in result.arms)


def curves_figure(result: CellResult, styles: Styles):
    """Train loss and validation accuracy by epoch, side by side."""
    figure = new_figure(10, 4.2)
    for ax, name in zip(figure.subplots(1, 2), CURVES, strict=True):
        curves_axes(ax, result, name, styles)
    _legend(figure, columns=4)
    numbers = [sum(run.status == "finished" for run in arm.runs) for arm in result.arms]
    few, many = min(numbers), max(numbers)
    note = f"thick: median of {'' if few == many else f'{few} to '}{count(many, 'seed')}; thin: each"
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


def curves_axes(ax, result: CellResult, name: str, styles: Styles):
    """Draws a curve of every optimizer, a key of `CURVES`: the seeds that finished, and what diverged."""
    finished, diverged = result.curves(name)
    plots.curves(finished, diverged=diverged, ylabel=CURVES[name], styles=styles, legend=False, ax=ax)
    drop_epoch = result.cell.comparison.drop_epoch
    if drop_epoch < result.cell.comparison.epochs:
        ax.axvline(drop_epoch + 0.5, color="0.6", linestyle=":", linewidth=1)
    if name == "validation_accuracy":
        ax.set_ylim(0, 100)
        return ax
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    if high < 10 * low:  # powers of ten alone would be one label, or none
        from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

        ax.yaxis.set_major_locator(MaxNLocator(5))
        ax.yaxis.set_major_formatter(ScalarFormatter())
        ax.yaxis.set_minor_locator(NullLocator())
    return ax


def differences_figure(results: list[CellResult], styles: Styles, *, least_height: float = 0.0):
    """All paired differences, one below the other, under the titles of their settings."""
    rows = sum(
        HEADING * len(_title_lines(result)) + ROW * len(result.pairs) + GAP for result in results if result.pairs
    )
    figure = new_figure(NARROW, max(least_height, min(0.36 * rows + 0.8, 400)))  # no higher than a picture can be
    differences_axes(figure.subplots(), results, styles)
    return figure


def differences_axes(ax, results: list[CellResult], styles: Styles):
    """Draws the paired differences of all settings that have any."""
    top = 0.0
    for result in results:
        if result.pairs:
            plots.paired_differences(
                {pair.name: pair.difference.values for pair in result.pairs},
                intervals={pair.name: pair.interval for pair in result.pairs},
                marked={pair.name: pair.diverged for pair in result.pairs},
                heading="\n".join(_title_lines(result)),
                styles={pair.name: styles[pair.label] for pair in result.pairs},
                top=top,
                ax=ax,
            )
            top = ax.get_ylim()[0]
    return ax


def _title_lines(result: CellResult) -> list[str]:
    return textwrap.wrap(result.title, 52, break_on_hyphens=False)


def depth_figure(group: DepthGroup, styles: Styles):
    """The mean difference of each optimizer against depth, with intervals."""
    figure = new_figure(NARROW, 3.7)
    depth_axes(figure.subplots(), group, styles)
    _legend(figure, columns=1)
    lines = textwrap.wrap(plain(group.title), 48, break_on_hyphens=False)
    _grow(figure, len(lines) - 1)
    figure.suptitle("\n".join(lines), fontsize=FONT)
    return figure


def depth_axes(ax, group: DepthGroup, styles: Styles):
    """Draws the mean difference of each optimizer against depth."""
    return plots.gain_against_depth(
        {name: {depth: pair.difference.values for depth, pair in own.items()} for name, own in group.series.items()},
        intervals={name: {depth: pair.interval for depth, pair in own.items()} for name, own in group.series.items()},
        xlabel="depth (the number in the model's name)",
        styles={name: styles[next(iter(own.values())).label] for name, own in group.series.items()},
        legend=False,
        ax=ax,
    )


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


_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def inline_svg(figure, name: str, description: str) -> str:
    """An `<svg>` element that takes the page's text colour for black, and lies on the page's background.

    Args:
        figure: matplotlib Figure.
        name: str, letters and digits: identifiers inside begin with it, so that they differ from other figures'.
        description: str, what is read aloud in place of the figure.
    """

    def rewritten(key: str, value: str) -> str:
        if key == "id":
            return f"{name}-{value}"
        if key == "href":
            return value.replace("#", f"#{name}-", 1)
        return value.replace("url(#", f"url(#{name}-").replace("#000000", "currentColor")

    file = io.BytesIO()
    write_figure(figure, file, "svg", text_as_paths=False, transparent=True)
    root = ElementTree.fromstring(file.getvalue())  # drops comments and the document type
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        element.attrib |= {key: rewritten(key.rpartition("}")[2], value) for key, value in element.attrib.items()}
    for size in ("width", "height"):
        del root.attrib[size]  # the page's style sheet has them
    root.attrib |= {"role": "img", "aria-label": description}
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, encoding="unicode")
