"""`keras-langevin report` and `claims`: what the results on record show. They need no Keras and train nothing."""

import argparse
import os
import re
from pathlib import Path

from keras_langevin.cli.terminal import new_command, new_console, print_table
from keras_langevin.files import replaced, writing_to

DEFAULT_FOLDER = "keras-langevin-report"
_BEGIN, _END = "<!-- claims -->", "<!-- end -->"


def add(commands):
    option = new_command(commands, "claims", judge)
    option("folder", metavar="DIR", help="a folder that contains the presets' folders: DIR/figure-1, DIR/table-1, ...")
    text = f"also write the table as Markdown into a page, between its lines {_BEGIN} and {_END}; a new page is made"
    option("--page", metavar="FILE", help=text)
    option = new_command(commands, "report", write_report)
    option("folders", nargs="+", metavar="DIR", help="a folder that `compare` wrote, or one that contains such folders")
    option("--out", metavar="FOLDER", help=f"for the report (default: a single DIR, else {DEFAULT_FOLDER})")
    option("--title", help="the title of the report")


def write_report(options: argparse.Namespace):
    """Write a report on the results of one or more comparisons.

    Merges the results of comparisons, shows a table and a summary in words for each setting, and writes a
    self-contained page (report.html), Markdown, figures as PNG, SVG and PDF, two CSV files and a LaTeX table. It needs
    no Keras.
    """
    from keras_langevin.experiments import report

    out = Path(options.out or (options.folders[0] if len(options.folders) == 1 else DEFAULT_FOLDER))
    results = report.analyse(report.collect(options.folders))
    report.show(results, new_console(), report.write(results, out, title=options.title))


def judge(options: argparse.Namespace):
    """Show which claims of the paper the results on record support.

    Reads the results of `reproduce` and judges each claim of the paper, and some claims of our own, by the 95%
    intervals of the differences that it concerns. It trains nothing and needs no Keras.
    """
    from keras_langevin.experiments import claims, paper

    if not any((Path(options.folder) / name).is_dir() for name in paper.PRESETS):
        what = "without the folder of a preset" if os.path.isdir(options.folder) else "which is not a folder"
        raise ValueError(
            f"Name a folder with the results of presets. Received: {options.folder}, {what}. "
            "Train one with `keras-langevin reproduce figure-3 --out DIR/figure-3`."
        )
    console, judgements = new_console(), claims.judge(options.folder)
    rows = [
        (f"{each.claim.text} ({each.claim.source})", "\n".join(map(str, each.findings)) or "-", each.verdict)
        for each in judgements
    ]
    columns = ("claim", "found: mean [95% interval]", "verdict")
    print_table(console, "Claims, in percentage points of test accuracy", columns, rows)
    console.print(claims.RULE, markup=False, soft_wrap=not console.is_terminal)
    if options.page:
        _put(claims.text(judgements), Path(options.page))
        console.print(f"  {options.page}", markup=False)


def _put(table: str, path: Path):
    """Writes the table into the page. The file is replaced whole or not at all."""
    try:
        page = path.read_text("utf-8") if path.exists() else f"{_BEGIN}\n{_END}\n"
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The page must be a text file that can be read. Received: {path} ({error}).") from error
    place = re.compile(f"(?<={_BEGIN}\n).*?(?={_END})", re.DOTALL)
    if not place.search(page):
        raise ValueError(
            f"The page must have a line {_BEGIN} and, below it, a line {_END}. Received: {path} without them. Add them "
            "where the table should go."
        )
    with writing_to(path.parent), replaced(path) as file:
        file.write(place.sub(lambda _: f"{table}\n", page, count=1))
