import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin.plots import noise_histogram

NOISE = {"dense_1": np.geomspace(1e-5, 1e-2, 999), "dense_2": np.full(7, 1e-3), "logits": np.zeros(5)}


def drawn(noise, **arguments):
    return noise_histogram(noise, ax=Figure().subplots(), **arguments)


def test_a_histogram_and_a_median_for_each_noisy_layer():
    ax = drawn(NOISE)
    assert len(ax.patches) == len(ax.get_lines()) == 2
    assert [line.get_xdata()[0] for line in ax.get_lines()] == pytest.approx([10**-3.5, 1e-3])
    assert [label.get_text() for label in ax.get_yticklabels()] == list(NOISE)
    assert [text.get_text() for text in ax.texts] == ["no noise"]
    low, high = ax.get_xlim()
    assert ax.get_xscale() == "log" and low < 1e-5 and high > 1e-2
    below, above = ax.get_ylim()
    assert below > above  # the first layer is on top


def test_each_layer_has_its_share_of_the_height():
    one, other = drawn(NOISE, num_bins=10).patches
    for row, patch in enumerate((one, other)):
        assert patch.get_data().baseline == row and patch.get_data().values.min() == pytest.approx(row - 0.85)
        assert len(patch.get_data().values) == 10


def test_elements_without_noise_are_left_out():
    ax = drawn({"a": [0.0, 1.0, 1.0]})
    assert ax.get_lines()[0].get_xdata()[0] == 1.0


def test_no_noise_at_all_is_a_picture_that_says_so():
    ax = drawn({"a": [0.0], "b": [0.0]})
    assert not ax.patches and len(ax.texts) == 2
    ax.figure.canvas.draw()


@pytest.mark.parametrize("values", [[-1.0, 1.0], [np.nan], [np.inf]])
def test_what_is_no_standard_deviation_is_refused(values):
    with pytest.raises(ValueError, match=r"`noise\['a'\]` must be finite numbers >= 0.*layer_noise"):
        drawn({"a": values})


def test_bins_must_be_counted():
    with pytest.raises(ValueError, match="`num_bins` must be an int >= 1"):
        drawn(NOISE, num_bins=0)
