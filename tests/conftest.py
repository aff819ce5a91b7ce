"""What makes all tests quicker, and changes nothing that they look at."""

import gc
import os

import pytest

if os.environ.get("KERAS_BACKEND") == "torch":
    # With AVX2 kernels PyTorch 2.13 corrupts its memory on some AMD processors, in the backward pass of a convolution
    # with 4 input channels, 1×1 or 3×3, stride 2; plain PyTorch does. The process then ends anywhere.
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX")

if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker on each core: more threads than cores only wait for one another.
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")

    import keras  # noqa: F401

    # A full collection looks at all that was imported, up to a second each time, and nothing of that is garbage.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # graphs that live as long as their test are not garbage either


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What is marked `ci` is slow, too."""
    for item in items:
        if item.get_closest_marker("ci"):
            item.add_marker("slow")


@pytest.fixture
def blank_pictures(monkeypatch):
    """For a test that writes a report and does not look at its pictures, which take longest: they are there, and
    blank."""
    from matplotlib.figure import Figure

    blank = {"svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>', "png": b"\x89PNG\r\n\x1a\n"}
    blank["pdf"] = b"%PDF-1.4"
    monkeypatch.setattr(Figure, "savefig", lambda self, file, *, format, **options: file.write(blank[format]))
