"""`keras-langevin report` and `claims`: what the results on record show. They need no Keras and train nothing."""

import argparse
import os
from pathlib import Path

from keras_langevin.cli.terminal import new_console, show
from keras_langevin.files import replaced, writing_to

DEFAULT_FOLDER = "keras-langevin-report"
_BEGIN, _END = "<!-- claims -->", "<!-- end -->"


def add(commands):
    """Adds the sub-commands."""
    parser = commands.add_parser(
        "claims",
        help="say which claims of the paper the results on record bear out",
        description="Reads the results of `reproduce` and says of each claim of the paper, and of some of our own, "
        "whether it holds, by the 95%% intervals of the differences that it is about. It trains nothing and needs no "
        "Keras.",
    )
    parser.add_argument("folder", metavar="DIR", help="where the presets' folders are: DIR/figure-1, DIR/table-1, ...")
    parser.add_argument(
        "--page",
        metavar="FILE",
        help=f"also put the table, as Markdown, into a page, from the line {_BEGIN} to the line {_END}; a page that is "
        "not there is made",
    )
    parser.set_defaults(run=judge)
    parser = commands.add_parser(
        "report",
        help="write one report over the results of one comparison or many",
        description="Merges the results of comparisons, shows a table and the same in words for each setting, and "
        "writes a page that needs nothing else (report.html), Markdown, figures as PNG and SVG, two CSV files and a "
        "LaTeX table. It needs no Keras.",
    )
    parser.add_argument(
        "folders", nargs="+", metavar="DIR", help="a folder that `compare` wrote, or one with such folders below it"
    )
    parser.add_argument(
        "--out", metavar="FOLDER", help=f"folder for the report; the one DIR, or {DEFAULT_FOLDER}, unless given"
    )
    parser.add_argument("--title", help="what stands above the report")
    parser.set_defaults(run=write_report)


def write_report(options: argparse.Namespace):
    """Runs `report`."""
    from keras_langevin.experiments import report

    out = Path(options.out or (options.folders[0] if len(options.folders) == 1 else DEFAULT_FOLDER))
    cells = report.collect(options.folders)
    report.check_folder(out)
    results = report.analyse(cells)
    show(results, report.write(results, out, title=options.title), new_console())


def judge(options: argparse.Namespace):
    """Runs `claims`."""
    from rich.table import Table

    from keras_langevin.experiments import claims

    if not os.path.isdir(options.folder):
        raise ValueError(
            f"A folder with the results of presets is to be named. Received: {options.folder}, which is not a folder. "
            "Train one with `keras-langevin reproduce figure-3 --out DIR/figure-3`."
        )
    judgements = claims.judge(options.folder)
    table = Table(title="Claims, in percentage points of test accuracy")
    for column in ("claim", "found: mean [95% interval]", "verdict"):
        table.add_column(column, overflow="fold")
    for judgement in judgements:
        found = "\n".join(map(str, judgement.findings)) or "-"
        table.add_row(f"{judgement.claim.text} ({judgement.claim.source})", found, judgement.verdict, end_section=True)
    console = new_console()
    console.print(table, soft_wrap=False, markup=False)
    console.print(claims.RULE, markup=False)
    if options.page:
        _put(claims.text(judgements, options.folder), Path(options.page))
        console.print(f"  {options.page}", markup=False)


def _put(table: str, path: Path):
    """Puts the table into the page, which is replaced whole or not at all."""
    try:
        page = path.read_text("utf-8") if path.exists() else f"{_BEGIN}\n{_END}\n"
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The page must be a text file that can be read. Received: {path} ({error}).") from error
    before, begin, rest = page.partition(f"{_BEGIN}\n")
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(
            f"The page must hold a line {_BEGIN} and, below it, a line {_END}. Received: {path} without them. Add them "
            "where the table is to be."
        )
    with writing_to(path.parent), replaced(path) as file:
        file.write(f"{before}{begin}{table}\n{end}{after}")
