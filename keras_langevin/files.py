"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StorageError(Exception):
    """Results cannot be written. What was written before is whole."""


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turns the system's errors into a `StorageError` that names the folder and what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Results cannot be written to {folder} ({error.strerror or error}). What is finished is kept: make room "
            "or mend the folder, and give the same command again."
        ) from error


@contextmanager
def replaced(path: Path, mode: str = "w") -> Iterator:
    """A file that takes the place of `path` when it is complete, and never before.

    Args:
        path: where the file goes; its folder exists.
        mode: `"w"` (UTF-8 text, line ends as written) or `"wb"`. Defaults to `"w"`.
    """
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def check_writable(path: str | Path) -> Path:
    """The path, if a file can be written there: asked before the work that the file is to hold.

    Raises:
        ValueError: its folder is not there or not writable, or it is a folder itself.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"A file is to be written. Received a folder: {path}. Name a file in it.")
    if not path.parent.is_dir():
        raise ValueError(f"A file must go into a folder that exists. Received: {path}. Make {path.parent} first.")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"A file must go into a folder that can be written. Received: {path}. Choose another.")
    return path
