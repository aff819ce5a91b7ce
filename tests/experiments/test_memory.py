from types import SimpleNamespace

import numpy as np
import pytest

from keras_langevin.experiments import memory


class Device:
    """What JAX, PyTorch and TensorFlow say of an accelerator, or of a machine without one."""

    def __init__(self, peak):
        self.peak = peak
        self.experimental = SimpleNamespace(get_memory_info=lambda name: {"GPU:0": {"current": 1, "peak": peak}}[name])

    def memory_stats(self):
        return None if self.peak is None else {"bytes_in_use": 1, "peak_bytes_in_use": self.peak}

    def is_available(self):
        return self.peak is not None

    def max_memory_allocated(self):
        assert self.is_available()
        return self.peak

    def list_logical_devices(self, kind):
        assert kind == "GPU"
        return [] if self.peak is None else ["GPU:0"]


@pytest.mark.parametrize("read", [memory.on_jax, memory.on_torch, memory.on_tensorflow])
def test_the_peak_of_an_accelerator_is_in_millions_of_bytes(read):
    assert read(Device(2_500_000)) == 2.5
    assert read(Device(None)) is None


def test_a_device_that_does_not_tell_its_peak_has_none():
    assert memory.on_jax(SimpleNamespace(memory_stats=lambda: {"bytes_in_use": 1})) is None


def test_the_present_backend_is_asked():
    """On a CPU there is nothing to tell; with an accelerator something is held as soon as there is an array."""
    peak = memory.accelerator_peak_memory_mb()
    assert isinstance(peak, float) if memory.has_accelerator() else peak is None


def test_the_process_has_held_what_it_holds():
    block = np.ones(25_000_000)  # 200 MB
    assert memory.peak_memory_mb() > block.nbytes / 1e6
