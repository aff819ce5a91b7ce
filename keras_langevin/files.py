"""Writes files atomically, and reads JSON."""

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
_PIECE = ".part"  # suffix of unfinished files


class StorageError(Exception):
    """Results cannot be written. Earlier results are intact."""


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turns an `OSError` into a `StorageError` that names the folder and what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Results cannot be written to {folder} ({error.strerror or error}). Finished results are kept. Make "
            "room or fix the folder, then run the same command again, or choose another folder."
        ) from error


@contextmanager
def replaced(path: Path, mode: str = "w") -> Iterator:
    """Opens a file that replaces `path` when it is complete, and never before.

    Args:
        path: the file. Its folder must exist.
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
    """Removes unfinished files of `replaced` that killed processes left behind.

    Args:
        folder: the folder to search, without its subfolders.
        seconds: float. It keeps files that were modified more recently than this, because another process may be
            writing them. Defaults to 0.
    """
    for piece in folder.glob(f".*{_PIECE}"):
        with suppress(OSError):  # removed by another process, or not ours to remove
            if time.time() - piece.stat().st_mtime >= seconds:
                piece.unlink()


def check_name(path: str | Path) -> Path:
    """Returns the path if it is valid in file systems and in UTF-8, the encoding of reports.

    Raises:
        ValueError: a part of it is longer than 255 bytes, or it has a zero byte or is not UTF-8.
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
    """Returns the path if a file can be written there. Call it before the work whose result the file stores.

    Raises:
        ValueError: its folder is missing or not writable, it is a folder itself, or its name is invalid.
    """
    path = check_name(path)
    if os.path.isdir(path):
        raise ValueError(f"The path must be a file. Received a folder: {path}. Name a file in it.")
    if not os.path.isdir(path.parent):
        raise ValueError(f"A file must go into a folder that exists. Received: {path}. Make {path.parent} first.")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"A file must go into a folder that can be written. Received: {path}. Choose another.")
    return path


def read_json(path: Path, what: str) -> Any:
    """Returns the content of a JSON file.

    Args:
        path: the file.
        what: str, what it must be, for the error.

    Raises:
        ValueError: the file cannot be read, or is not JSON. The error names the file.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # includes UnicodeDecodeError
        raise ValueError(f"{path} must be {what}, in JSON. Received: {error}. Remove it, or fix it.") from error
    except OSError as error:
        raise ValueError(f"{path} must be a file that can be read. Received: {error.strerror}. Fix that.") from error
