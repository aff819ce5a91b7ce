"""What this machine is and can do: its devices, memory, precisions and compilers."""

import importlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_langevin.version import __version__

_MB = 1e6  # 10⁶ bytes


def provenance() -> dict:
    """Returns when, where and with which versions a result was made, for its record."""
    backend = keras.backend.backend()
    # Keras has no distribution on PyTorch
    devices = [] if backend == "torch" else keras.distribution.list_devices()
    return {
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "backend": backend,
        "device": ", ".join([*devices, platform.processor() or platform.machine()]),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {"keras-langevin": __version__}  # also in a checkout that is not installed
        | {name: metadata.version(name) for name in ("keras", "numpy", backend)},
        "commit": commit(),
    }


def commit(folder: Path = Path(__file__).parents[1]) -> str | None:
    """Returns the commit of the checkout that the package runs from, with `-dirty` if the package was changed, or
    `None` for an installed release. Results in the checkout may change: they are what the runs write."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        name = git("describe", "--always", "--abbrev=12")
        return name + "-dirty" * bool(name and git("status", "--porcelain", "--", ".")) or None
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory_mb() -> float | None:
    """Returns this process's peak memory in MB, or `None` on Windows. (psutil has no such number on Linux.)"""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB


def accelerator_peak_memory_mb() -> float | None:
    """Returns the peak memory of this process's arrays on the first accelerator, in MB, or `None` on a CPU."""
    backend = keras.backend.backend()
    peak = PEAKS[backend](importlib.import_module(backend))
    return None if peak is None else peak / _MB


def _on_tensorflow(tf) -> int | None:
    found = tf.config.list_logical_devices("GPU")
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if found else None


PEAKS = {
    "jax": lambda jax: (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use"),
    "torch": lambda torch: torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
    "tensorflow": _on_tensorflow,
}


def has_accelerator() -> bool:
    """Returns whether the backend's default device, where it puts its floats, is not the CPU."""
    return "cpu" not in str(ops.convert_to_tensor(0.0).device).lower()


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Gives this precision to layers made in this context, and with `"float64"` also to inputs, optimizers and metrics.
    (On PyTorch, Keras 3.15 makes the mean of a loss and `Normalization` float32 anyway.)
    """
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy(precision)
    keras.config.set_floatx(accurate(precision))
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def accurate(precision: str) -> str:
    """Returns the dtype in which pixels are prepared and the loss is computed: at least float32."""
    return "float64" if precision == "float64" else "float32"


def check_precision(precision: str):
    """Raises `ValueError` for float64 on JAX if it is not enabled: JAX would silently compute in float32."""
    has = keras.backend.standardize_dtype(ops.convert_to_tensor(np.zeros(())).dtype)
    if precision == "float64" != has:
        raise ValueError(
            "With precision='float64' the backend must have such numbers. "
            f"Received: {keras.backend.backend()}, which makes them {has}. "
            "On JAX set JAX_ENABLE_X64=1 in the environment; or choose another precision."
        )


def jit_compile(jit: str, model: keras.Model) -> bool | str:
    """Returns the `jit_compile` argument of `Model.compile` for one of `config.JIT`."""
    if jit != "auto":
        return jit == "on"
    if keras.backend.backend() == "torch":
        return False  # torch.compile wants a C++ compiler on the user's machine
    # On a CPU, TensorFlow's own convolutions are faster than XLA's, and Keras's "auto" uses them there.
    has_convolutions = any(len(variable.shape) == 4 for variable in model.trainable_variables)
    return "auto" if has_convolutions else True


def check_jit(jit: str):
    """Raises `ValueError` if `torch.compile` should compile the step but does not work on this machine."""
    if jit == "on" and keras.backend.backend() == "torch" and (why := _why_torch_cannot()):
        raise ValueError(
            f"With jit='on' on PyTorch torch.compile must work on this machine. Received: {why}. "
            "Install a C++ compiler (g++, say), or leave jit out."
        )


@cache
def _why_torch_cannot() -> str:
    import torch

    try:
        torch.compile(lambda x: x + 1)(torch.zeros(2))
    except Exception as error:  # of many classes, including those of the compiler's process
        lines = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {lines[0]}"
    return ""
