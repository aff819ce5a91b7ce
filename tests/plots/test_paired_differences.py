import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin.plots import paired_differences

NAME = "L-Adam − Adam"


def empty():
    return Figure().subplots()


def test_dots_a_mean_an_interval_and_a_zero_line():
    ax = paired_differences({NAME: [1.0, 2.0, 6.0]}, intervals={NAME: (1.5, 5.0)}, ax=empty())
    zero, dots = ax.collections
    assert {x for segment in zero.get_segments() for x, _ in segment} == {0}
    assert dots.get_offsets()[:, 0].tolist() == [1.0, 2.0, 6.0]
    interval, mean = ax.get_lines()
    assert list(interval.get_xdata()) == [1.5, 5.0]
    assert list(mean.get_xdata()) == [3.0] and mean.get_marker() == "D"
    assert [text.get_text() for text in ax.texts] == [f"{NAME}, 3 seeds"]
    assert "percentage points" in ax.get_xlabel() and not len(ax.get_yticks())


@pytest.mark.parametrize("intervals", [None, {}, {NAME: (np.nan, np.nan)}])
def test_an_interval_that_there_is_not_is_not_drawn(intervals):
    ax = paired_differences({NAME: [2.0]}, intervals=intervals, ax=empty())
    (mean,) = ax.get_lines()
    assert mean.get_marker() == "D" and ax.texts[0].get_text() == f"{NAME}, 1 seed"


def test_seeds_that_are_marked_are_crosses():
    ax = paired_differences({NAME: [1.0, 2.0]}, marked={NAME: [False, True]}, ax=empty())
    _, dots, crosses = ax.collections
    assert dots.get_offsets()[:, 0].tolist() == [1.0] and crosses.get_offsets()[:, 0].tolist() == [2.0]
    with pytest.raises(ValueError, match="must be as long as"):
        paired_differences({NAME: [1.0, 2.0]}, marked={NAME: [True]}, ax=empty())


def test_groups_stand_below_one_another_under_their_headings():
    ax = paired_differences({NAME: [1.0], "other": [2.0]}, heading="dense-3\non digits", ax=empty())
    alone, top = ax.get_ylim()
    first = [text.get_position()[1] for text in ax.texts]
    paired_differences({NAME: [3.0]}, heading="dense-30", top=alone, ax=ax)
    heights = [text.get_position()[1] for text in ax.texts]
    assert heights[:4] == first and heights == sorted(heights, reverse=True)
    assert ax.get_ylim()[0] < min(heights) < alone and ax.get_ylim()[1] == top > max(heights)
    assert [text.get_fontweight() for text in ax.texts] == ["bold", "bold", "normal", "normal", "bold", "normal"]


@pytest.mark.parametrize("interval", [(2.0, 1.0), (1.0, 2.0, 3.0), 1.0])
def test_what_is_no_interval_is_refused(interval):
    with pytest.raises(ValueError, match=r"`intervals\['L-Adam − Adam'\]` must be"):
        paired_differences({NAME: [1.0]}, intervals={NAME: interval}, ax=empty())
