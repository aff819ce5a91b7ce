"""The command `keras-langevin`: parse, dispatch, and end with one line where the input was wrong."""

import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from keras_langevin.cli import bench, data, results, training, uncertainty
from keras_langevin.cli.terminal import Parser
from keras_langevin.files import StorageError
from keras_langevin.version import __version__

__all__ = ["main"]
_LONGEST = 1200  # letters of an error


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 0, 1 where a run failed, 2 where the input was wrong, 130 where it was interrupted."""
    for stream in (sys.stdout, sys.stderr):  # letters that the output's encoding does not have are written as `?`
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    try:
        options, unknown = new_parser().parse_known_args(arguments)
        if unknown:
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        with _ended_in_order():
            return options.run(options) or 0
    except (ValueError, ImportError, StorageError) as error:
        print(f"keras-langevin: error: {_short(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("keras-langevin: interrupted", file=sys.stderr)
        return 130


def new_parser() -> Parser:
    parser = Parser(prog="keras-langevin", description="Langevin optimizers for Keras 3.")
    parser.add_argument("--version", action="version", version=f"keras-langevin {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for room in (training, results, data, bench, uncertainty):
        room.add(commands)
    return parser


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM, by which batch systems end a job, ends the command as Ctrl-C does: workers and locks go with it."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _short(text: str) -> str:
    """The text without its middle, where a value that it repeats is long: what is wrong and how to fix it stay."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST * 2 // 3]} ... {text[-_LONGEST // 3 :]}"
