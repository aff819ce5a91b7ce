import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin.plots import gain_against_depth

SOME = {"L-Adam − Adam": {30: [2.0, 4.0], 3: [0.0, 1.0]}, "L-SGD − SGD": {3: [1.0], 20: [2.0]}}


def empty():
    return Figure().subplots()


def test_a_point_for_each_depth_in_order_and_a_zero_line():
    ax = gain_against_depth({"a": SOME["L-Adam − Adam"]}, ax=empty())
    zero, gain = ax.get_lines()
    assert set(zero.get_ydata()) == {0}
    assert gain.get_xdata().tolist() == [3, 30] and gain.get_ydata().tolist() == [0.5, 3.0]
    assert ax.get_xticks().tolist() == [3, 30]
    assert "depth" in ax.get_xlabel() and "percentage points" in ax.get_ylabel()


def test_names_stand_side_by_side_at_a_depth():
    ax = gain_against_depth(SOME, ax=empty())
    _, first, second = ax.get_lines()
    assert first.get_xdata()[0] < 3 < second.get_xdata()[0]
    assert first.get_xdata()[0] + second.get_xdata()[0] == pytest.approx(6)
    assert ax.get_xticks().tolist() == [3, 20, 30]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(SOME)


def test_intervals_are_bars_where_they_are():
    ax = gain_against_depth(SOME, intervals={"L-Adam − Adam": {30: (1.0, 5.0), 3: (np.nan, np.nan)}}, ax=empty())
    bars, none = ax.collections
    assert [segment[:, 1].tolist() for segment in bars.get_segments() if len(segment)] == [[1.0, 5.0]]
    assert not any(map(len, none.get_segments()))


@pytest.mark.parametrize("points", [[1.0], {}, {"30": [1.0]}, {True: [1.0]}])
def test_what_is_no_dict_of_depths_is_refused(points):
    with pytest.raises(ValueError, match=r"`differences\['a'\]` must be a dict from numbers.*{30: ...}"):
        gain_against_depth({"a": points}, ax=empty())
