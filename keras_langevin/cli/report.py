"""`keras-langevin report`: one report over the results of one comparison or many. It needs no Keras."""

import argparse
from pathlib import Path

from keras_langevin.cli.terminal import UsageError, new_console, show
from keras_langevin.files import StorageError

DEFAULT_FOLDER = "keras-langevin-report"


def add(commands):
    """Adds the sub-command."""
    parser = commands.add_parser(
        "report",
        help="write one report over the results of one comparison or many",
        description="Merges the results of comparisons, shows a table and the same in words for each setting, and "
        "writes a page that needs nothing else (report.html), Markdown, figures as PNG, SVG and PDF, two CSV files and "
        "a LaTeX table. It needs no Keras.",
    )
    parser.add_argument(
        "folders", nargs="+", metavar="DIR", help="a folder that `compare` wrote, or one with such folders below it"
    )
    parser.add_argument(
        "--out", metavar="FOLDER", help=f"folder for the report; the one DIR, or {DEFAULT_FOLDER}, unless given"
    )
    parser.add_argument("--title", help="what stands above the report")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the sub-command and returns its exit status."""
    from keras_langevin.experiments import report

    out = Path(options.out or (options.folders[0] if len(options.folders) == 1 else DEFAULT_FOLDER))
    try:
        results = report.analyse(report.collect(options.folders))
        written = report.write(results, out, title=options.title)
    except (ValueError, StorageError) as error:
        raise UsageError(error) from error
    show(results, written, new_console())
    return 0
