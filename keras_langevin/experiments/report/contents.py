"""What a report says, in the order in which it says it; Markdown and HTML are two ways to write it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_langevin.experiments.report import axes, figures, tables, words
from keras_langevin.experiments.report.analysis import CellResult
from keras_langevin.experiments.report.depth import depth_groups

TITLE = "Langevin optimizers beside their parents"


@dataclass(frozen=True)
class Table:
    """Rows of plain text under the names of the columns."""

    columns: tuple[str, ...]
    rows: list[list[str]]


@dataclass(frozen=True)
class Figure:
    """A figure of the whole report.

    Attributes:
        file: str, the file's name without its ending.
        caption: str.
        sentences: list of str, what it shows.
        draw: function without arguments, returns a matplotlib Figure.
    """

    file: str
    caption: str
    sentences: list[str]
    draw: Callable[[], Any]


@dataclass(frozen=True)
class Section:
    """One setting.

    Attributes:
        title, settings: str.
        table: a row for each optimizer.
        sentences: list of str, the same in words.
        file: str, the name of the file of curves without its ending.
        caption: str, of the curves.
        draw: function without arguments, returns the curves as one matplotlib Figure.
        panels_caption: str, of the narrow figures.
        panels: dict from a description to a function that returns a narrow figure: each curve, the differences.
    """

    title: str
    settings: str
    table: Table
    sentences: list[str]
    file: str
    caption: str
    draw: Callable[[], Any]
    panels_caption: str
    panels: dict[str, Callable[[], Any]]


@dataclass(frozen=True)
class Contents:
    """The whole report; each part is plain text."""

    title: str
    overview: list[str]
    figures: list[Figure]
    differences: Table
    sections: list[Section]
    how_to_read: list[str]
    origins: Table


def contents(results: list[CellResult], title: str | None = None) -> Contents:
    """What the report says.

    Args:
        results: what `analyse` returned.
        title: str. Defaults to `TITLE`.
    """
    styles = axes.styles(results)
    num_differences = sum(len(result.pairs) for result in results)
    files = _file_names(results)
    return Contents(
        title=title or TITLE,
        overview=words.overview(results),
        figures=[*_differences(results, styles), *_depths(results, styles)],
        differences=Table(tables.DIFFERENCE_COLUMNS, tables.difference_rows(results)),
        sections=[
            _section(result, file, num_differences, styles, alone=len(results) == 1)
            for result, file in zip(results, files, strict=True)
        ],
        how_to_read=words.how_to_read(num_differences),
        origins=Table(tables.ORIGIN_COLUMNS, tables.origin_rows(results)),
    )


def _section(result: CellResult, file: str, num_differences: int, styles: axes.Styles, *, alone: bool) -> Section:
    def panel(name):
        return lambda: figures.curve_figure(result, name, styles)

    panels = {f"{result.title}: {label} by epoch": panel(name) for name, label in axes.CURVES.items()}
    panels_caption = "Train loss and validation accuracy by epoch"
    if result.pairs and not alone:  # else they are above already
        panels_caption += "; paired differences on a scale of their own"
        caption = f"{result.title}: paired differences in test accuracy, with 95% intervals"
        panels[caption] = lambda: figures.cell_differences_figure(result, styles)
    return Section(
        title=result.title,
        settings=words.settings_words(result),
        table=Table(tables.COLUMNS, tables.cell_rows(result)),
        sentences=words.about_setting(result, num_differences),
        file=file,
        caption=f"{result.title}: train loss and validation accuracy by epoch",
        draw=lambda: figures.curves_figure(result, styles),
        panels_caption=panels_caption,
        panels=panels,
    )


def _differences(results: list[CellResult], styles: axes.Styles) -> list[Figure]:
    if not any(result.pairs for result in results):
        return []
    caption = "Paired differences in test accuracy, with 95% intervals"
    return [Figure("differences", caption, [], lambda: figures.differences_figure(results, styles))]


def _depths(results: list[CellResult], styles: axes.Styles) -> list[Figure]:
    groups = depth_groups(results)

    def draw(group):
        return lambda: figures.depth_figure(group, styles)

    return [
        Figure(
            "depth" if len(groups) == 1 else f"depth-{number}",
            f"{group.title}: difference in test accuracy against depth, with 95% intervals",
            words.about_depth(group),
            draw(group),
        )
        for number, group in enumerate(groups, start=1)
    ]


def _file_names(results: list[CellResult]) -> list[str]:
    """`curves` for one setting; else a name of the setting in letters that every file system and link takes."""
    if len(results) == 1:
        return ["curves"]
    names = []
    for result in results:
        comparison = result.cell.comparison
        readable = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{comparison.model}-{comparison.dataset}")[:60]
        names.append(f"curves-{readable}")
    numbers = [names[: place + 1].count(name) for place, name in enumerate(names)]
    return [f"{name}-{number}" if names.count(name) > 1 else name for name, number in zip(names, numbers, strict=True)]
