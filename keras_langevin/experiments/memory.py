"""The most memory that a process has held, on the machine and on its accelerator.

Counted from the process's start, not from a run's: neither the system's counter nor JAX's can be set back.
"""

import sys

import keras
from keras import ops

_MB = 1e6  # 10⁶ bytes


def peak_memory_mb() -> float | None:
    """The most memory that this process has held, in MB (10⁶ bytes); `None` where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB


def accelerator_peak_memory_mb() -> float | None:
    """The most memory that this process's arrays have held on the accelerator, in MB (10⁶ bytes).

    It is what the backend has given out, not what it has set aside: JAX reserves most of a GPU at its start. With
    several accelerators, the first one's. `None` on a CPU, and where the backend does not tell.
    """
    return _READERS[keras.backend.backend()]()


def has_accelerator() -> bool:
    """Whether the backend computes on something else than the CPU where nothing is said."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.default_backend() != "cpu"
    if backend == "tensorflow":
        import tensorflow as tf

        return any(device.device_type != "CPU" for device in tf.config.list_logical_devices())
    return ops.convert_to_tensor(0).device.type != "cpu"


def on_jax(device) -> float | None:
    """The peak of a `jax.Device`; a CPU has no statistics."""
    peak = (device.memory_stats() or {}).get("peak_bytes_in_use")
    return None if peak is None else peak / _MB


def on_torch(cuda) -> float | None:
    """The peak of `torch.cuda`'s present device."""
    return cuda.max_memory_allocated() / _MB if cuda.is_available() else None


def on_tensorflow(config) -> float | None:
    """The peak of `tf.config`'s first GPU."""
    if not config.list_logical_devices("GPU"):
        return None
    return config.experimental.get_memory_info("GPU:0")["peak"] / _MB


def _jax():
    import jax

    return on_jax(jax.local_devices()[0])


def _torch():
    import torch

    return on_torch(torch.cuda)


def _tensorflow():
    import tensorflow as tf

    return on_tensorflow(tf.config)


_READERS = {"jax": _jax, "torch": _torch, "tensorflow": _tensorflow}
