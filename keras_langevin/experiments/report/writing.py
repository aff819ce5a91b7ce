"""Writes a report into a folder: a page, Markdown, figures, CSV and LaTeX."""

import os
import re
from pathlib import Path

from keras_langevin.experiments.report import figures, sentences, tables
from keras_langevin.experiments.report.analysis import CellResult, depth_groups
from keras_langevin.files import replaced
from keras_langevin.plots.files import save_figure

TITLE = "Langevin optimizers beside their parents"


def write(results: list[CellResult], folder: str | Path, *, title: str | None = None) -> list[Path]:
    """Writes the report: each file whole or not at all, and the same results give the same bytes.

    Args:
        results: what `analyse` returned.
        folder: where it goes; it is made where it does not exist.
        title: str. Defaults to `TITLE`.

    Returns:
        list of the paths, `report.html` first.

    Raises:
        ValueError: the folder cannot be written.
    """
    folder = check_folder(folder)
    report = contents(results, title)
    texts = {
        "report.html": lambda file: file.write(html(report)),
        "report.md": lambda file: file.write(markdown(report)),
        "results.csv": lambda file: tables.write_results(file, results),
        "differences.csv": lambda file: tables.write_differences(file, results),
        "table.tex": lambda file: file.write(tables.latex(results)),
    }
    written = [folder / name for name in texts]
    try:
        for path, write_text in zip(written, texts.values(), strict=True):
            with replaced(path) as file:
                write_text(file)
        for part in (*report["figures"], *report["sections"]):
            figure = part["draw"]()
            for ending in ("png", "svg"):
                written.append(folder / f"{part['file']}.{ending}")
                save_figure(figure, written[-1])
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error
    return written


def check_folder(folder: str | Path) -> Path:
    """The folder, made if need be, if files can be written there.

    Raises:
        ValueError: they cannot.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error
    if not os.access(folder, os.W_OK):
        raise _unwritable(folder, "no permission")
    return folder


def _unwritable(folder: Path, why: str) -> ValueError:
    return ValueError(
        f"The folder for the report must be one that can be written. Received: {folder} ({why}). Choose another --out."
    )


def contents(results: list[CellResult], title: str | None = None) -> dict:
    """What the report says, in its order, as plain text; the templates `page.html` and `page.md` are two ways to write
    it. A figure has a `file`, the name without its ending, and `draw`, which returns a matplotlib Figure."""
    styles = figures.styles(results)
    number = sum(len(result.pairs) for result in results)
    shown = []
    if number:
        caption = "Paired differences in test accuracy, with 95% intervals"
        draw = lambda: figures.differences_figure(results, styles)  # noqa: E731
        shown.append({"file": "differences", "caption": caption, "sentences": [], "draw": draw})
    groups = depth_groups(results)
    for index, group in enumerate(groups, start=1):
        shown.append(
            {
                "file": "depth" if len(groups) == 1 else f"depth-{index}",
                "caption": f"{group.title}: difference in test accuracy against depth, with 95% intervals",
                "sentences": sentences.about_depth(group),
                "draw": lambda group=group: figures.depth_figure(group, styles),
            }
        )
    return {
        "title": title or TITLE,
        "overview": sentences.overview(results),
        "figures": shown,
        "differences": {"columns": tables.DIFFERENCE_COLUMNS, "rows": tables.difference_rows(results)},
        "sections": [
            _section(result, file, number, styles, alone=len(results) == 1)
            for result, file in zip(results, _file_names(results), strict=True)
        ],
        "how_to_read": sentences.how_to_read(number),
        "origins": {"columns": tables.ORIGIN_COLUMNS, "rows": tables.origin_rows(results)},
    }


def _section(result: CellResult, file: str, num_differences: int, styles: figures.Styles, *, alone: bool) -> dict:
    panels = {
        f"{result.title}: {label} by epoch": lambda name=name: figures.curve_figure(result, name, styles)
        for name, label in figures.CURVES.items()
    }
    panels_caption = "Train loss and validation accuracy by epoch"
    if result.pairs and not alone:  # else they are above already
        panels_caption += "; paired differences on a scale of their own"
        caption = f"{result.title}: paired differences in test accuracy, with 95% intervals"
        panels[caption] = lambda: figures.differences_figure([result], styles, least_height=2.4)
    return {
        "title": result.title,
        "settings": sentences.settings_words(result),
        "table": {"columns": tables.COLUMNS, "rows": tables.cell_rows(result)},
        "sentences": sentences.about_setting(result, num_differences),
        "file": file,
        "caption": f"{result.title}: train loss and validation accuracy by epoch",
        "draw": lambda: figures.curves_figure(result, styles),
        "panels_caption": panels_caption,
        "panels": panels,
    }


def _file_names(results: list[CellResult]) -> list[str]:
    """`curves` for one setting; else a name of the setting in letters that every file system and link takes."""
    if len(results) == 1:
        return ["curves"]
    texts = (f"{result.cell.comparison.model}-{result.cell.comparison.dataset}" for result in results)
    names = [f"curves-{re.sub(r'[^A-Za-z0-9.-]+', '_', text)[:60]}" for text in texts]
    numbers = [names[: place + 1].count(name) for place, name in enumerate(names)]
    return [f"{name}-{number}" if names.count(name) > 1 else name for name, number in zip(names, numbers, strict=True)]


def html(contents: dict) -> str:
    """The report as a self-contained page: its styles and figures are in it, and there is no script."""
    from markupsafe import Markup

    numbers = iter(range(1, 1_000_000))

    def svg(draw, description):
        # the figure's own text is escaped by the XML writer
        return Markup(figures.inline_svg(draw(), f"f{next(numbers)}", description))

    return _rendered("page.html", contents, svg=svg, autoescape=True)


def markdown(contents: dict) -> str:
    """The report as one Markdown text; the figures are links to PNG files beside it."""
    text = _rendered("page.md", contents, finalize=escaped)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def escaped(text: str) -> str:
    r"""Text that Markdown shows as it is, also where it looks like HTML or a table.

    >>> print(escaped("<b>a|b_c*"))
    &lt;b&gt;a\|b\_c\*
    """
    text = re.sub(r"([\\`*_\[\]|~#$!])", r"\\\1", str(text).replace("&", "&amp;"))
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _rendered(template: str, contents: dict, svg=None, **options) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_langevin.experiments.report", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
    return environment.get_template(template).render(contents=contents, svg=svg)
