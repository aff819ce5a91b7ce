import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin.experiments.plots import (
    curves_with_band,
    diverged_curve,
    new_figure,
    paired_difference_row,
    samples_figure,
    save_figure,
)


def test_a_curve_has_a_mean_each_seed_and_a_band():
    ax = Figure().subplots()
    curves = np.array([[1.0, 2.0], [3.0, 6.0]])
    assert curves_with_band(ax, curves, label="Adam", colour="#000000") is ax
    lines = [line.get_ydata().tolist() for line in ax.get_lines()]
    assert lines == [[1.0, 2.0], [3.0, 6.0], [2.0, 4.0]]
    assert ax.get_lines()[0].get_xdata().tolist() == [1, 2]
    (band,) = ax.collections
    assert band.get_datalim(ax.transData).y1 == 6.0
    assert ax.get_legend_handles_labels()[1] == ["Adam"]


def test_one_epoch_is_a_point():
    ax = Figure().subplots()
    curves_with_band(ax, [[1.0], [3.0]], label="Adam", colour="#000000")
    assert [line.get_marker() for line in ax.get_lines()] == ["."] * 3


def test_a_run_that_diverged_in_its_first_epoch_has_no_curve():
    ax = Figure().subplots()
    assert diverged_curve(ax, [], colour="#000000") is ax
    assert not ax.get_lines()


def test_an_interval_that_there_is_not_is_not_drawn():
    ax = Figure().subplots()
    paired_difference_row(ax, 0, [2.0], mean=2.0, interval=(np.nan, np.nan), colour="#000000")
    (mean,) = ax.get_lines()
    assert mean.get_marker() == "D"


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_same_figure_gives_the_same_bytes(ending, start, tmp_path):
    contents = []
    for name in ("a", "b"):
        figure = new_figure(3, 2)
        ax = curves_with_band(figure.subplots(), [[1.0, 2.0], [3.0, 6.0]], label="Adam", colour="#000000")
        ax.legend()
        save_figure(figure, tmp_path / f"{name}.{ending}")
        contents.append((tmp_path / f"{name}.{ending}").read_bytes())
    assert contents[0] == contents[1] and contents[0].startswith(start)


@pytest.mark.parametrize(("num_classes", "channels", "dtype"), [(2, 1, "uint8"), (10, 3, "float32"), (150, 3, "uint8")])
def test_samples_are_drawn_whatever_the_number_of_classes(num_classes, channels, dtype, tmp_path):
    """Also where a class has fewer examples than the others, or none."""
    labels = np.arange(2 * num_classes - 1) % num_classes
    labels[labels == num_classes - 1] = 0
    images = np.random.default_rng(0).random((len(labels), 4, 4, channels), dtype="float32")
    images = (255 * images).astype("uint8") if dtype == "uint8" else images
    path = tmp_path / "samples.png"
    samples_figure(images, labels, [f"class {i}" for i in range(num_classes)], title="samples", path=path)
    assert path.read_bytes().startswith(b"\x89PNG")
