"""What TensorFlow's C++ code logs on its own account, kept off the console. No Keras."""

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Lines of severity I and W, and those that go with them. Errors (E) and crashes (F) pass.
_LOG_LINE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IW]\d{4} \d\d:\d\d:[\d.]+ "
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:[\d.]+: [IW] "
    rb"|To enable the following instructions: "
)


@contextmanager
def without_log_lines() -> Iterator[None]:
    """Drops TensorFlow's log lines of severity info and warning from the standard error, and passes on all else.

    TensorFlow writes some while it is imported, before any setting of it counts; later ones are switched off. Processes
    that are started meanwhile are filtered as long as they live.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        real = os.dup(2)
    except OSError:  # a process without a standard error
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
    """Copies lines until all that write have ended."""
    with open(read, "rb") as lines, open(out, "wb", buffering=0) as file:
        for line in lines:
            if not _LOG_LINE.match(line):
                file.write(line)
