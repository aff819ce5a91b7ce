import numpy as np
import pytest
from matplotlib.image import imread

from keras_langevin.plots import curves
from keras_langevin.plots.files import new_figure, samples_figure, save_figure


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_same_figure_gives_the_same_bytes(ending, start, tmp_path):
    contents = []
    for name in ("a", "b"):
        figure = new_figure(3, 2)
        curves({"Adam": [[1.0, 2.0], [3.0, 6.0]]}, ax=figure.subplots())
        save_figure(figure, tmp_path / f"{name}.{ending}")
        contents.append((tmp_path / f"{name}.{ending}").read_bytes())
    assert contents[0] == contents[1] and contents[0].startswith(start)


def test_a_png_of_few_colours_looks_like_the_figure(tmp_path):
    figure = new_figure(3, 2)
    curves(dict(zip("abcdef", np.random.default_rng(0).random((6, 10, 12)), strict=True)), ax=figure.subplots())
    for name, photos in (("small", False), ("whole", True)):
        save_figure(figure, tmp_path / f"{name}.png", photos=photos)
    found, expected = (imread(tmp_path / f"{name}.png") for name in ("small", "whole"))
    differences = np.abs(found - expected).max(axis=-1)
    assert found.shape == expected.shape and differences.max() < 0.3 and differences.mean() < 0.01
    assert (tmp_path / "small.png").stat().st_size < 0.5 * (tmp_path / "whole.png").stat().st_size


@pytest.mark.parametrize(("num_classes", "channels", "dtype"), [(2, 1, "uint8"), (10, 3, "float32"), (150, 3, "uint8")])
def test_samples_are_drawn_whatever_the_number_of_classes(num_classes, channels, dtype, tmp_path):
    """Also if a class has fewer examples than the others, or none."""
    labels = np.arange(2 * num_classes - 1) % num_classes
    labels[labels == num_classes - 1] = 0
    images = np.random.default_rng(0).random((len(labels), 4, 4, channels), dtype="float32")
    images = (255 * images).astype("uint8") if dtype == "uint8" else images
    path = tmp_path / "samples.png"
    samples_figure(images, labels, [f"class {i}" for i in range(num_classes)], title="samples", path=path)
    assert path.read_bytes().startswith(b"\x89PNG")
