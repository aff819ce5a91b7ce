import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin.experiments.plots import comparison_figure, curves_with_band, samples_figure
from tests.experiments.records import COMPARISON, failed, record, three_seeds


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


def test_the_picture_is_written(tmp_path):
    path = tmp_path / "curves.png"
    records = [*three_seeds([0.1, 0.9, 0.92], [0.91, 0.92, 0.93]), failed("adam", 3)]
    comparison_figure(COMPARISON, records, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000


def test_nothing_finished_is_a_picture_all_the_same(tmp_path):
    path = tmp_path / "curves.png"
    comparison_figure(COMPARISON, [record("adam", 0, 0.1, status="diverged", epochs=0)], path)
    assert path.read_bytes().startswith(b"\x89PNG")


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
