import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin.plots import sigma_search

SIGMAS, LOSSES = [1e-4, 1e-3, 1e-2, 1e-1], [2.0, 1.9, 3.0, np.inf]


def drawn(sigmas=SIGMAS, losses=LOSSES, **arguments):
    return sigma_search(sigmas, losses, ax=Figure().subplots(), **arguments)


def labels(ax):
    return [line.get_label() for line in ax.get_lines()]


def test_losses_and_what_is_marked():
    ax = drawn(suggestion=2e-3, loss_without_noise=2.0, allowed_loss=2.2, noise_to_drift=[1.0, 10.0, 100.0, np.nan])
    lines = dict(zip(labels(ax), ax.get_lines(), strict=True))
    assert list(lines) == ["loss", "loss is above", "without noise", "harm above", "suggestion 0.002"]
    assert lines["loss"].get_ydata().tolist() == [2.0, 1.9, 3.0]
    assert lines["loss is above"].get_xdata().tolist() == [0.1] and np.isfinite(lines["loss is above"].get_ydata())
    assert lines["suggestion 0.002"].get_xdata()[0] == 2e-3 and lines["harm above"].get_ydata()[0] == 2.2
    beside = ax.figure.axes[-1]
    assert beside.get_lines()[0].get_ydata().tolist() == [1.0, 10.0, 100.0]
    assert ax.get_xscale() == beside.get_yscale() == "log"
    ax.figure.canvas.draw()


def test_a_ruined_level_does_not_flatten_the_others():
    ax = drawn(losses=[2.0, 1.9, 1e12, 1e30], loss_without_noise=2.0)
    assert ax.get_ylim()[1] < 10 and "loss is above" in labels(ax)


def test_nothing_but_losses():
    assert labels(drawn(losses=[1.0, 1.0, 1.0, 1.0])) == ["loss"]
    assert labels(drawn(losses=[np.inf] * 4)) == ["loss", "loss is above"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigmas": [0.0, 1e-3, 1e-2, 1e-1]}, "`sigmas` must be > 0.*Received.*Leave 0 out"),
        ({"losses": [1.0]}, "`losses` must be as long as `sigmas`, 4. Received: length 1. Give"),
        ({"noise_to_drift": [1.0]}, "`noise_to_drift` must be as long as `sigmas`, 4"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        drawn(**arguments)
