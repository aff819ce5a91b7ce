import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin.plots import predictive_band

X, MEAN, STD = np.array([2.0, 0.0, 1.0]), np.array([2.0, 0.0, 1.0]), np.array([0.3, 0.1, 0.2])


def drawn(*arguments, **options):
    return predictive_band(*arguments, ax=Figure().subplots(), **options)


def test_a_mean_and_two_bands_from_left_to_right():
    ax = drawn(X, MEAN, STD, xlabel="t", ylabel="f(t)")
    (line,) = ax.get_lines()
    assert line.get_xdata().tolist() == [0, 1, 2] and line.get_ydata().tolist() == [0, 1, 2]
    wide, narrow = (band.get_datalim(ax.transData) for band in ax.collections)
    assert (wide.y0, wide.y1) == pytest.approx((-0.2, 2.6)) and (narrow.y0, narrow.y1) == pytest.approx((-0.1, 2.3))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("t", "f(t)")


def test_observations_and_their_noise():
    ax = drawn(X, MEAN, STD, noise_std=0.4, observations=([0.5], [0.7]))
    _, low, high = ax.get_lines()
    np.testing.assert_allclose(high.get_ydata() - low.get_ydata(), 4 * np.sqrt(STD[[1, 2, 0]] ** 2 + 0.16))
    assert ax.collections[-1].get_offsets().tolist() == [[0.5, 0.7]]
    assert len(ax.get_legend().get_texts()) == 4


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X, MEAN[:2], STD), {}, "`mean` must be as long as `x`, 3. Received: length 2"),
        ((X, MEAN, STD[:, None]), {}, r"`std` must be an array of shape \(num_points,\)"),
        ((X, MEAN, -STD), {}, "must be >= 0. Received: a smallest `std` of -0.3"),
        ((X, MEAN, STD), {"noise_std": -1.0}, "noise_std=-1.0"),
        ((X, MEAN, STD), {"observations": ([1.0], [1.0, 2.0])}, r"`observations\[1\]` must be as long as"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        drawn(*arguments, **options)
