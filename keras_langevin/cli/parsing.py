"""What the sub-commands share: errors of one line, and options of the same meaning."""

import argparse


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
