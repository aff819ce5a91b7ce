"""`keras-langevin claims`: what the paper claims, and whether the results on record bear it out. It needs no Keras."""

import argparse
import os
from pathlib import Path

from rich.table import Table

from keras_langevin.cli.terminal import UsageError, new_console
from keras_langevin.files import StorageError, replaced, writing_to

_BEGIN, _END = "<!-- claims -->", "<!-- end -->"


def add(commands):
    """Adds the sub-command."""
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
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the sub-command and returns its exit status."""
    from keras_langevin.experiments import claims

    if not os.path.isdir(options.folder):
        raise UsageError(
            f"A folder with the results of presets is to be named. Received: {options.folder}, which is not a folder. "
            "Train one with `keras-langevin reproduce figure-3 --out DIR/figure-3`."
        )
    try:
        judgements = claims.judge(options.folder)
    except ValueError as error:
        raise UsageError(error) from error
    table = Table(title="Claims, in percentage points of test accuracy")
    for column in ("claim", "found: mean [95% interval]", "verdict"):
        table.add_column(column, overflow="fold")
    for judgement in judgements:
        found = "\n".join(map(str, judgement.findings)) or "-"
        table.add_row(f"{judgement.claim.text} ({judgement.claim.source})", found, judgement.verdict, end_section=True)
    console = new_console()
    console.print(table, markup=False, highlight=False)
    console.print(claims.RULE, markup=False, highlight=False, soft_wrap=True)
    if options.page:
        _put(claims.text(judgements, options.folder), Path(options.page))
        console.print(f"  {options.page}", soft_wrap=True, highlight=False, markup=False)
    return 0


def _put(table: str, path: Path):
    """Puts the table into the page, which is replaced whole or not at all."""
    try:
        page = path.read_text("utf-8") if path.exists() else f"{_BEGIN}\n{_END}\n"
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The page must be a text file that can be read. Received: {path} ({error}).") from error
    before, begin, rest = page.partition(f"{_BEGIN}\n")
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise UsageError(
            f"The page must hold a line {_BEGIN} and, below it, a line {_END}. Received: {path} without them. Add them "
            "where the table is to be."
        )
    try:
        with writing_to(path.parent), replaced(path) as file:
            file.write(f"{before}{begin}{table}\n{end}{after}")
    except StorageError as error:
        raise UsageError(error) from error
