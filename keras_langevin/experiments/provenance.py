"""What a result carries with it: versions, commit, device."""

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path

import keras


def provenance() -> dict:
    """When, where and with what a result was made, for its record."""
    names = ("keras-langevin", "keras", "numpy", keras.backend.backend())
    return {
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "backend": keras.backend.backend(),
        "device": _device(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in names},
        "commit": _commit(),
    }


def _device() -> str:
    try:
        devices = keras.distribution.list_devices()
    except AttributeError:  # Keras has no distribution on PyTorch
        devices = []
    return ", ".join([*devices, platform.processor() or platform.machine()])


def _commit() -> str | None:
    """The commit of the checkout that the package runs from; `None` where it was installed from a release."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
