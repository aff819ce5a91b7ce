"""The command `keras-langevin`: parse, dispatch, print. One file a sub-command."""

import sys

from keras_langevin.cli import bench, claims, compare, data, report, reproduce
from keras_langevin.cli.parsing import Parser, UsageError
from keras_langevin.version import __version__

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: list of str, `None` for the process's own.

    Returns:
        int, the exit status: 0, or 1 where a run failed, 2 where the input was wrong, 130 where it was interrupted.
    """
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except UsageError as error:
        print(f"keras-langevin: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("keras-langevin: interrupted", file=sys.stderr)
        return 130


def _parser() -> Parser:
    parser = Parser(prog="keras-langevin", description="Langevin optimizers for Keras 3.")
    parser.add_argument("--version", action="version", version=f"keras-langevin {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    compare.add(commands)
    reproduce.add(commands)
    claims.add(commands)
    report.add(commands)
    data.add(commands)
    bench.add(commands)
    return parser
