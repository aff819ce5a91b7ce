"""What the sub-commands share: errors of one line, options of the same meaning, and what a terminal shows."""

import argparse
from pathlib import Path

from rich.console import Console


class UsageError(Exception):
    """What the user has to fix, in one line."""


class Parser(argparse.ArgumentParser):
    """As argparse's, but a wrong option is answered with one line."""

    def error(self, message):
        raise UsageError(f"{message}. See: {self.prog} --help")


def add_data_dir(parser: argparse.ArgumentParser):
    """The option `--data-dir`."""
    parser.add_argument(
        "--data-dir", help="where tensorflow-datasets keeps its data; TFDS_DATA_DIR, else its default, unless given"
    )


def add_data_file(parser: argparse.ArgumentParser):
    """The option `--data-file`."""
    parser.add_argument("--data-file", help="a file that `data export` wrote, read without TensorFlow")


NARROWEST = 60  # columns; a narrower terminal breaks the lines itself


def new_console() -> Console:
    """The console that a command prints to."""
    found = Console()
    if found.width < NARROWEST:
        found.width = NARROWEST
    return found


def show(results: list, written: list[Path], console: Console):
    """A table and sentences for each setting, then where the files are.

    Args:
        results: what `report.analyse` returned.
        written: the files.
        console: rich's console.
    """
    from keras_langevin.experiments import report

    num_differences = sum(len(result.pairs) for result in results)
    for result in results:
        console.print(report.terminal_table(result))
        for sentence in report.about_setting(result, num_differences):
            console.print(f"- {sentence}", soft_wrap=True, highlight=False, markup=False)
    for path in written:
        console.print(f"  {path}", soft_wrap=True, highlight=False, markup=False)
