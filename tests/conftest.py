"""Settings that make all tests faster and repeatable, and do not change what they check."""

import gc
import io
import os

import pytest

if os.environ.get("KERAS_BACKEND") == "torch":
    # On some AMD processors PyTorch 2.13 with AVX2 kernels corrupts its memory in the backward pass of a convolution
    # with 4 input channels, 1×1 or 3×3, stride 2, also without this package. The process then crashes anywhere.
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX")

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker per core; more threads than cores only wait for one another.
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")

    import keras  # noqa: F401

    # A full collection scans everything imported, up to a second each time, and none of that is garbage.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # graphs live as long as their test


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks tests of `ci` as slow."""
    for item in items:
        if item.get_closest_marker("ci"):
            item.add_marker("slow")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Makes what a test and its fixtures do not seed the same in every run."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture
def blank_pictures(monkeypatch):
    """Makes the pictures of a report blank, for tests that do not look at them: they take longest."""
    from matplotlib.figure import Figure
    from PIL import Image

    png = io.BytesIO()
    Image.new("RGB", (1, 1)).save(png, "png")
    blank = {"svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>', "png": png.getvalue()}
    blank["pdf"] = b"%PDF-1.4"
    monkeypatch.setattr(Figure, "savefig", lambda self, file, *, format, **options: file.write(blank[format]))
