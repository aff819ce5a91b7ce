"""`keras-langevin claims`: what the paper claims, and whether the results on record bear it out. It needs no Keras."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from keras_langevin.cli.parsing import UsageError
from keras_langevin.files import StorageError, replaced, writing_to


def add(commands):
    """Adds the sub-command."""
    parser = commands.add_parser(
        "claims",
        help="say which claims of the paper the results on record bear out",
        description="Reads the results of `reproduce` and says of each claim of the paper, and of some of our own, "
        "whether it holds: every, some or none of the differences that it is about have a 95%% interval where the "
        "claim puts it. It trains nothing and needs no Keras.",
    )
    parser.add_argument("folder", metavar="DIR", help="where the presets' folders are: DIR/figure-1, DIR/table-1, ...")
    parser.add_argument("--out", metavar="FILE", help="also write the table as Markdown")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the sub-command and returns its exit status."""
    from keras_langevin.experiments import claims

    if not Path(options.folder).is_dir():
        raise UsageError(
            f"A folder with the results of presets is to be named. Received: {options.folder}, which is none. "
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
    console = Console()
    console.print(table, markup=False, highlight=False)
    if options.out:
        path = Path(options.out)
        try:
            with writing_to(path.parent), replaced(path) as file:
                file.write(claims.text(judgements, options.folder) + "\n")
        except StorageError as error:
            raise UsageError(error) from error
        console.print(f"  {path}", soft_wrap=True, highlight=False, markup=False)
    return 0
