"""Child processes, for what a test process cannot do to itself: other devices, another backend, a kill."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras

ROOT = Path(__file__).parents[2]
LIMIT = 600  # seconds


def environment(backend: str | None = None, devices: int = 1, **changes: str) -> dict[str, str]:
    """Returns the environment of a child.

    Args:
        backend: str, its Keras backend. Defaults to this process's.
        devices: int, the number of devices that JAX sees on a CPU. Defaults to `1`.
        **changes: other variables.
    """
    own = {"KERAS_BACKEND": backend or keras.backend.backend(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    # a virtual environment's packages, and this project's tests
    own["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    own["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    return os.environ | own | changes


def start(module: str, *arguments, **options) -> subprocess.Popen:
    """Starts `python -m tests.reliability.MODULE ARGUMENTS`; the options are those of `environment`."""
    command = [sys.executable, "-m", f"tests.reliability.{module}", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(**options), cwd=ROOT, **pipes)


def run(module: str, *arguments, **options) -> str:
    """Like `start`, but waits and returns what the child printed. If it fails, the test fails with its output."""
    (output,) = run_together([start(module, *arguments, **options)])
    return output


def run_together(processes: list[subprocess.Popen]) -> list[str]:
    """Returns what each process printed. If one fails or is too slow, ends the others and fails the test."""

    def finish(process):
        try:
            return process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()
        finally:
            if process.returncode:
                for other in processes:
                    other.kill()

    with ThreadPoolExecutor(len(processes)) as threads:
        spoken = list(threads.map(finish, processes))
    for process, (_, errors) in zip(processes, spoken, strict=True):
        assert process.returncode <= 0, errors
    assert not any(process.returncode for process in processes), f"killed, or not done in {LIMIT} s: {spoken}"
    return [output for output, _ in spoken]
