"""Writes a report into a folder."""

import os
from pathlib import Path

from keras_langevin.experiments.report.analysis import CellResult
from keras_langevin.experiments.report.comma_separated import write_differences, write_results
from keras_langevin.experiments.report.contents import contents
from keras_langevin.experiments.report.html import html
from keras_langevin.experiments.report.latex import latex
from keras_langevin.experiments.report.markdown import markdown
from keras_langevin.files import replaced
from keras_langevin.plots.files import save_figure


def write(results: list[CellResult], folder: str | Path, *, title: str | None = None) -> list[Path]:
    """Writes the report: each file whole or not at all, and the same results give the same bytes.

    Args:
        results: what `analyse` returned.
        folder: where it goes; it is made where it does not exist.
        title: str. Defaults to `contents.TITLE`.

    Returns:
        list of the paths, `report.html` first.

    Raises:
        ValueError: the folder cannot be written.
    """
    folder = check_folder(folder)
    report = contents(results, title)
    figures = {part.file: part.draw for part in (*report.figures, *report.sections)}
    texts = {
        "report.html": lambda file: file.write(html(report)),
        "report.md": lambda file: file.write(markdown(report)),
        "results.csv": lambda file: write_results(file, results),
        "differences.csv": lambda file: write_differences(file, results),
        "table.tex": lambda file: file.write(latex(results)),
    }
    written = [folder / name for name in texts]
    try:
        for path, write_text in zip(written, texts.values(), strict=True):
            with replaced(path) as file:
                write_text(file)
        for name, draw in figures.items():
            figure = draw()
            for ending in ("png", "svg"):
                written.append(folder / f"{name}.{ending}")
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
