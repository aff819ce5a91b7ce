"""Files that are written whole or not at all, and JSON that is read back."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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


def read_json(path: Path, what: str) -> Any:
    """The content of a JSON file.

    Args:
        path: the file.
        what: str, what it must be, for the error.

    Raises:
        ValueError: it cannot be read, or is no JSON; the error names the file.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # among them UnicodeDecodeError
        raise ValueError(f"{path} must be {what}, in JSON. Received: {error}. Remove it, or mend it.") from error
    except OSError as error:
        raise ValueError(f"{path} must be a file that can be read. Received: {error.strerror}. Mend that.") from error
