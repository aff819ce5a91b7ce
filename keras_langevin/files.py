"""Files that are written whole or not at all, and JSON that is read back."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keras_langevin.names import shown

_LONGEST_NAME = 255  # bytes, on all usual file systems
_PIECE = ".part"  # how the names of unfinished files end


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
            "or fix the folder, and give the same command again, or choose another folder."
        ) from error


@contextmanager
def replaced(path: Path, mode: str = "w") -> Iterator:
    """A file that takes the place of `path` when it is complete, and never before.

    Args:
        path: where the file goes; its folder exists.
        mode: `"w"` (UTF-8 text, line ends as written) or `"wb"`. Defaults to `"w"`.
    """
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    piece = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PIECE}")
    try:
        with open(piece, mode.replace("w", "x"), **text) as file:  # with the permissions that the user's umask gives
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(piece, path)
    except BaseException:
        piece.unlink(missing_ok=True)
        raise


def remove_pieces(folder: Path, *, seconds: float = 0.0):
    """Removes what processes that were killed have left of files that `replaced` was writing.

    Args:
        folder: where to look; not below it.
        seconds: float, pieces that were written to later than so long ago stay: another process may be writing them.
            Defaults to 0.
    """
    for piece in folder.glob(f".*{_PIECE}"):
        with suppress(OSError):  # removed by another process, or not ours to remove
            if time.time() - piece.stat().st_mtime >= seconds:
                piece.unlink()


def check_name(path: str | Path) -> Path:
    """The path, if a file system can have it and UTF-8 can write it, as reports do.

    Raises:
        ValueError: a part of it is longer than 255 bytes, or it is not UTF-8.
    """
    path = Path(path)
    try:
        longest = max((len(part.encode()) for part in path.parts), default=0)
    except UnicodeEncodeError as error:
        name = ascii(str(path))
        raise ValueError(f"A file or folder must have a name in UTF-8. Received: {name}. Choose another.") from error
    if longest > _LONGEST_NAME or "\0" in str(path):
        raise ValueError(
            f"The name of a file or folder must have at most {_LONGEST_NAME} bytes, none of them zero. Received: "
            f"{shown(str(path))}. Choose another."
        )
    return path


def check_writable(path: str | Path) -> Path:
    """The path, if a file can be written there: asked before the work that the file is to hold.

    Raises:
        ValueError: its folder is not there or not writable, it is a folder itself, or its name cannot be a file's.
    """
    path = check_name(path)
    if os.path.isdir(path):
        raise ValueError(f"A file is to be written. Received a folder: {path}. Name a file in it.")
    if not os.path.isdir(path.parent):
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
        raise ValueError(f"{path} must be {what}, in JSON. Received: {error}. Remove it, or fix it.") from error
    except OSError as error:
        raise ValueError(f"{path} must be a file that can be read. Received: {error.strerror}. Fix that.") from error
