"""How large the noise is, layer by layer."""

from collections.abc import Mapping

import numpy as np

from keras_langevin.plots.checks import checked_array, checked_labels
from keras_langevin.plots.style import COLOURS, FONT, axes_or_new, plain, quiet
from keras_langevin.values import check_int

_COLOUR = COLOURS[2]


def noise_histogram(
    noise: Mapping[str, np.ndarray],
    *,
    num_bins: int = 60,
    xlabel: str = "standard deviation of the next noise, σ√(γP)",
    ax=None,
):
    """Draws a histogram for each layer, one below the other, of the noise's standard deviation over its elements.

        sᵢ = σ · √γ · √Pᵢ for element i,   bins of equal width in log s

    A tick marks the median. Each layer has a height of its own, so that heights of different layers say nothing; where
    a gradient is zero for long (dead units), √P is near its bound, with Adam 1/√ε, and the histogram has a second hump
    far to the right.

    Args:
        noise: dict from a layer's name to an array of shape `(num_elements,)` of numbers >= 0, as `layer_noise`
            returns; zeros are left out, and a layer of zeros alone is said to have no noise.
        num_bins: int >= 1, over the range of all layers. Defaults to `60`.
        xlabel: str, with the unit: that of the weights.
        ax: matplotlib Axes, or `None` for those of a new figure.

    Returns:
        The Axes; the first layer is on top.

    Raises:
        ValueError: an array is of another shape, or has numbers < 0 or none that are finite.

    Example:

    >>> import keras_langevin.plots as plots
    >>> ax = plots.noise_histogram({"dense_1": [1e-5, 2e-5, 4e-5], "logits": [0.0, 0.0]})
    >>> len(ax.patches), [label.get_text() for label in ax.get_yticklabels()], ax.get_xscale()
    (1, ['dense_1', 'logits'], 'log')
    """
    check_int("num_bins", num_bins, 1)
    checked_labels("noise", noise, "arrays of shape (num_elements,)")
    layers = [_checked(f"noise[{name!r}]", values) for name, values in noise.items()]
    ax = axes_or_new(ax, 5.6, min(1.0 + 0.26 * len(layers), 12.0))
    edges = _edges(np.concatenate(layers), num_bins)
    for row, values in enumerate(layers):
        if not len(values):
            ax.text(0.5, row - 0.3, "no noise", transform=ax.get_yaxis_transform(), ha="center", fontsize=FONT - 1)
            continue
        counts, _ = np.histogram(values, edges)
        # the axis points down
        ax.stairs(row - 0.85 * counts / counts.max(), edges, baseline=row, fill=True, color=_COLOUR, alpha=0.55)
        middle = np.median(values)
        ax.plot([middle, middle], [row, row - 0.85], color=COLOURS[0], linewidth=1)
    ax.hlines(range(len(layers)), *edges[[0, -1]], color="0.85", linewidth=0.6, zorder=0)
    ax.set_xscale("log")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(len(layers) - 0.7, -1.1)
    quiet(ax, xlabel, "")
    ax.set_yticks(range(len(layers)), [plain(name) for name in noise], fontsize=FONT - 1, va="bottom")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


def _checked(name: str, values) -> np.ndarray:
    array = checked_array(name, values, "(num_elements,)")
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise ValueError(
            f"`{name}` must be finite numbers >= 0, standard deviations. Received: from {array.min():g} to "
            f"{array.max():g}. Give what `keras_langevin.optimizers.layer_noise` returns."
        )
    return array[array > 0]


def _edges(values: np.ndarray, num_bins: int) -> np.ndarray:
    low, high = (values.min(), values.max()) if len(values) else (0.5, 2.0)
    return np.geomspace(low / 1.3, high * 1.3, num_bins + 1)  # with room at both ends, also for one value
