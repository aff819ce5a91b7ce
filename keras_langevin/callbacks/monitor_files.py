"""The outputs of `LangevinMonitor`: a CSV file and TensorBoard."""

import csv
from dataclasses import astuple
from pathlib import Path

from keras_langevin.callbacks.measurement import NAMES, Row
from keras_langevin.files import check_writable, replaced

_HEADER = ("epoch", "layer", *NAMES)


class Table:
    """A CSV file with a line for each epoch and layer.

    Args:
        path: str.

    Raises:
        ValueError: a file cannot be written there.
    """

    def __init__(self, path: str):
        self.path = check_writable(path)

    def begin(self, epoch: int):
        """Starts the file. It keeps the lines of an existing file for epochs before `epoch`."""
        kept = []
        if epoch and self.path.exists():
            with open(self.path, encoding="utf-8", newline="") as file:
                kept = [line for line in csv.reader(file) if line[0].isdecimal() and int(line[0]) < epoch]
        with replaced(self.path) as file:
            csv.writer(file).writerows([_HEADER, *kept])

    def write(self, rows: list[Row]):
        """Appends rows."""
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(map(astuple, rows))

    def end(self):
        """Does nothing: the file is closed after each epoch."""


class Board:
    """TensorBoard's logs in a folder.

    Args:
        folder: str.
        writer: `tensorboard.summary.Writer`.
    """

    def __init__(self, folder: str, writer):
        self.folder, self._writer_class, self._writer = Path(folder), writer, None

    def begin(self, epoch: int):
        """Starts a new file in the folder."""
        self.end()
        self._writer = self._writer_class(str(self.folder))

    def write(self, rows: list[Row]):
        """Adds a point to each curve."""
        for row in rows:
            for name in NAMES:
                self._writer.add_scalar(f"langevin/{name}/{row.layer}", getattr(row, name), row.epoch)
        self._writer.flush()

    def end(self):
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def writer_class():
    """Returns `tensorboard.summary.Writer`.

    Raises:
        ValueError: tensorboard is not installed.
    """
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise ValueError(
            f"Logs for TensorBoard need the package tensorboard, which cannot be imported ({error}). "
            "Install it with pip install 'keras-langevin[tensorboard]', or leave `tensorboard` out."
        ) from error
    return Writer
