"""Keeps the log lines of TensorFlow's C++ code off the console. It does not import Keras."""

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Lines of severity I and W, and lines that belong to them. Errors (E) and crashes (F) pass.
_LOG_LINE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IW]\d{4} \d\d:\d\d:[\d.]+ "
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:[\d.]+: [IW] "
    rb"|To enable the following instructions: "
)


@contextmanager
def without_log_lines() -> Iterator[None]:
    """Drops TensorFlow's info and warning lines from stderr, and passes on everything else.

    TensorFlow writes some while it is imported, before any setting takes effect. Later ones are turned off. Processes
    started in this context are filtered as long as they live.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        real = os.dup(2)
    except OSError:  # a process without stderr
        yield
        return
    read, write = os.pipe()
    threading.Thread(target=_forward, args=(read, os.dup(2)), daemon=True).start()
    _flush()
    os.dup2(write, 2)
    os.close(write)
    try:
        yield
    finally:
        _flush()
        os.dup2(real, 2)
        os.close(real)


def _flush():
    if sys.stderr is not None:
        sys.stderr.flush()


def _forward(read: int, out: int):
    """Copies lines until all writers have closed the pipe."""
    with open(read, "rb") as lines, open(out, "wb", buffering=0) as file:
        for line in lines:
            if not _LOG_LINE.match(line):
                file.write(line)
