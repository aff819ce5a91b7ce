import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from keras_langevin.experiments import machine


class Device:
    """Stands in for a device of JAX, PyTorch or TensorFlow, with or without an accelerator."""

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


def backend(device):
    return SimpleNamespace(local_devices=lambda: [device], cuda=device, config=device)


@pytest.mark.parametrize("name", machine.PEAKS)
def test_the_peak_of_an_accelerator_is_what_the_backend_says(name):
    assert machine.PEAKS[name](backend(Device(2_500_000))) == 2_500_000
    assert machine.PEAKS[name](backend(Device(None))) is None


def test_the_peak_is_in_millions_of_bytes(monkeypatch):
    for name in machine.PEAKS:
        monkeypatch.setitem(machine.PEAKS, name, lambda module: 2_500_000)
    assert machine.accelerator_peak_memory_mb() == 2.5


def test_a_device_that_does_not_tell_its_peak_has_none():
    device = SimpleNamespace(memory_stats=lambda: {"bytes_in_use": 1})
    assert machine.PEAKS["jax"](backend(device)) is None


def test_the_present_backend_is_asked():
    """On a CPU there is no number. An accelerator holds memory as soon as there is an array."""
    peak = machine.accelerator_peak_memory_mb()
    assert isinstance(peak, float) if machine.has_accelerator() else peak is None


def test_the_process_has_held_what_it_holds():
    block = np.ones(25_000_000)  # 200 MB
    assert machine.peak_memory_mb() > block.nbytes / 1e6


def test_the_commit_says_whether_the_code_is_another(tmp_path):
    """Other files next to the package, such as a record that is being written, do not count; a new module does."""
    package, records = tmp_path / "package", tmp_path / "results"
    for folder in (package, records):
        folder.mkdir()
        (folder / "file").write_text("1")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=m"]):
        subprocess.run([*git, *command], check=True)
    clean = machine.commit(package)
    assert len(clean) == 12
    (records / "file").write_text("2")
    assert machine.commit(package) == clean
    (package / "file").write_text("2")
    assert machine.commit(package) == f"{clean}-dirty"
    (package / "file").write_text("1")
    (package / "new").write_text("1")
    assert machine.commit(package) == f"{clean}-dirty"
    assert machine.commit(tmp_path.parent) is None
