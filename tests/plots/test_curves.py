import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin.plots import curves


def empty():
    return Figure().subplots()


def test_a_curve_has_each_seed_and_their_median():
    """There is no band and no mean, so a failing seed neither fills the panel nor makes a value that no run has."""
    ax = curves({"Adam": [[1.0, 2.0], [3.0, 7.0], [2.0, 99.0]]}, ylabel="loss", ax=empty())
    lines = [line.get_ydata().tolist() for line in ax.get_lines()]
    assert lines == [[1.0, 2.0], [3.0, 7.0], [2.0, 99.0], [2.0, 7.0]]
    assert ax.get_lines()[0].get_xdata().tolist() == [1, 2] and not ax.collections
    *seeds, median = (line.get_linewidth() for line in ax.get_lines())
    assert max(seeds) < median
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Adam"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_epochs_are_whole_numbers():
    ax = curves({"Adam": [[1.0, 2.0]]}, ax=empty())
    ax.figure.draw_without_rendering()
    assert all(tick == int(tick) for tick in ax.get_xticks())


def test_one_epoch_is_a_point():
    ax = curves({"Adam": [[1.0], [3.0]]}, ax=empty())
    assert [line.get_marker() for line in ax.get_lines()] == ["."] * 3


def test_a_run_that_diverged_is_dashed_and_ends_in_a_cross():
    ax = curves({"Adam": [[1.0, 2.0]]}, diverged={"Adam": [[5.0, 9.0], []], "L-Adam": [[4.0]]}, ax=empty())
    dashed, cross, _, other = ax.get_lines()[2:]  # nothing is drawn for []: it diverged in its first epoch
    assert dashed.get_ydata().tolist() == [5.0, 9.0] and dashed.get_linestyle() == "--"
    assert cross.get_xdata().tolist() == [2] and cross.get_marker() == other.get_marker() == "x"
    assert dashed.get_color() != other.get_color()


def test_runs_may_all_have_diverged():
    assert len(curves({}, diverged={"Adam": [[1.0]]}, ax=empty()).get_lines()) == 2


def test_points_in_time_may_be_given():
    ax = curves({"Adam": np.ones((2, 3))}, x=[0, 10, 20], xlabel="update", ax=empty())
    assert ax.get_lines()[0].get_xdata().tolist() == [0, 10, 20]
    with pytest.raises(ValueError, match=r"`x` must be as long as curves\['Adam'\] has epochs, 2. Received: length 3"):
        curves({"Adam": np.ones((2, 2))}, x=[0, 10, 20], ax=empty())


def test_the_legend_may_be_left_out():
    assert curves({"Adam": [[1.0]]}, legend=False, ax=empty()).get_legend() is None
