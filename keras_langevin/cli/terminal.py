"""Shared by the sub-commands: the parser, common options, the choice of backend, and output to the terminal."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from keras_langevin.quiet import without_log_lines

if TYPE_CHECKING:  # slow to import
    from rich.console import Console

BACKENDS = ("tensorflow", "jax", "torch")
_SHARED = {
    "--backend": {"choices": BACKENDS, "help": "(default: KERAS_BACKEND, else Keras's own choice)"},
    "--data-dir": {"help": "where tensorflow-datasets keeps its data (default: TFDS_DATA_DIR, else its own)"},
    "--data-file": {"help": "a file that `data export` wrote, read without TensorFlow"},
}
NARROWEST = 60  # columns; a narrower terminal wraps the lines itself


class Parser(argparse.ArgumentParser):
    """argparse's parser, but a wrong option raises `ValueError`, which the command shows as one line."""

    def error(self, message):
        raise ValueError(f"{message}. See: {self.prog} --help")


def new_command(commands, name: str, run: Callable, epilog: str = "") -> Callable:
    """Adds a sub-command, with help from the docstring of `run`, and returns the method that adds its options.

    The lines of `epilog` are shown below the options.
    """
    summary, _, description = (run.__doc__ or name).partition("\n\n")
    description = textwrap.fill(inspect.cleandoc(description or summary), 78)
    how = {"description": description, "epilog": epilog, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = commands.add_parser(name, help=summary.replace("%", "%%"), **how)
    parser.set_defaults(run=run, parser=parser)
    return parser.add_argument


def add_shared(option: Callable, *names: str):
    for name in names:
        option(name, **_SHARED[name])


def start_keras(backend: str | None) -> str:
    """Imports Keras on a backend (`None`: Keras chooses) and returns the backend's name."""
    if backend is not None and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    try:
        with without_log_lines():
            import keras
    except ImportError as error:
        name = backend or os.environ.get("KERAS_BACKEND", "tensorflow")
        raise ValueError(
            f"The {name} backend cannot be imported ({error}). Install it, or choose another with --backend."
        ) from error
    from keras_langevin import keras_internals

    keras_internals.check()
    running = keras.backend.backend()
    if backend not in (None, running):
        raise ValueError(
            f"Keras is already running on the {running} backend and cannot change to {backend} in the same process. "
            f"Set KERAS_BACKEND={backend} before Keras is imported."
        )
    return running


def new_console() -> Console:
    """Returns a console for plain lines, which the terminal wraps. Print tables with `soft_wrap=False`."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    console.width = max(console.width, NARROWEST)
    return console


def print_table(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]):
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in columns), title=title, show_lines=True)
    for row in rows:
        table.add_row(*row)
    console.print(table, soft_wrap=False, markup=False)
