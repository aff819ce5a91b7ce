"""The command `keras-langevin`: parses the arguments, runs a sub-command, and reports wrong input in one line."""

import _thread
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
_LONGEST = 1200  # characters of an error message


def main(arguments: list[str] | None = None) -> int:
    """Runs the command. Returns 0, or 1 if a run failed, 2 if the input was wrong, 130 if it was interrupted."""
    for stream in (sys.stdout, sys.stderr):  # write `?` for characters that the output's encoding lacks
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
    """Makes SIGTERM, which batch systems send to end a job, act like Ctrl-C: workers stop, locks are released.

    Python ignores an exception in a callback of the garbage collector, and JAX has such callbacks. A Ctrl-C or SIGTERM
    that is lost there is repeated, as SIGTERM: a shell's background job ignores SIGINT.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    report = sys.unraisablehook

    def repeated(ignored):
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            threading.Timer(0.1, _thread.interrupt_main, (signal.SIGTERM,)).start()  # after the callback
        else:
            report(ignored)

    if ours:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        sys.unraisablehook = repeated
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            sys.unraisablehook = report


def _short(text: str) -> str:
    """Cuts the middle out of a long message. What is wrong (the start) and how to fix it (the end) stay."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST * 2 // 3]} ... {text[-_LONGEST // 3 :]}"
