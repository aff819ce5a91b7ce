"""The size of the noise in each layer."""

from collections.abc import Mapping

import numpy as np

from keras_langevin.plots import style
from keras_langevin.values import check_int


def noise_histogram(
    noise: Mapping[str, style.ArrayLike],
    *,
    num_bins: int = 60,
    xlabel: str = "standard deviation of the next noise, σ√(γP)",
    ax: style.Axes | None = None,
) -> style.Axes:
    """Draws one histogram per layer, one below the other: the standard deviation of the noise on each element.

        sᵢ = σ · √γ · √Pᵢ for element i,   bins of equal width in log s

    A tick marks the median. Each layer is scaled to its own maximum. Where a gradient stays zero (dead units), √P is
    near its bound, 1/√ε with Adam, and the histogram has a second peak far to the right.

    Args:
        noise: dict from a layer's name to an array `(num_elements,)` of numbers >= 0, as `layer_noise` returns.
        num_bins: int >= 1, over the range of all layers. Defaults to `60`.
        xlabel: str, with the unit, which is that of the weights.
        ax: as in `curves`. The first layer is on top.

    Example:

    >>> from keras_langevin import plots
    >>> ax = plots.noise_histogram({"dense_1": [1e-5, 2e-5, 4e-5], "logits": [0.0, 0.0]})
    >>> [label.get_text() for label in ax.get_yticklabels()], ax.get_xscale()
    (['dense_1', 'logits'], 'log')
    """
    check_int("num_bins", num_bins, 1)
    layers = style.checked_arrays("noise", noise, "(num_elements,)")
    for name, values in layers.items():
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise ValueError(
                f"`noise[{name!r}]` must be finite numbers >= 0, standard deviations. Received: from {values.min():g} "
                f"to {values.max():g}. Give what `keras_langevin.optimizers.layer_noise` returns."
            )
    all_values = np.concatenate(list(layers.values()))
    all_values = all_values[all_values > 0] if all_values.any() else np.array([0.5, 2.0])
    edges = np.geomspace(all_values.min() / 1.3, all_values.max() * 1.3, num_bins + 1)  # with room at both ends
    ax = style.axes_or_new(ax, 5.6, min(1.0 + 0.26 * len(layers), 12.0))
    for row, values in enumerate(layers.values()):
        if not values.any():
            ax.text(
                0.5, row - 0.3, "no noise", transform=ax.get_yaxis_transform(), ha="center", fontsize=style.FONT - 1
            )
            continue
        counts, _ = np.histogram(values[values > 0], edges)
        # the axis points down
        ax.stairs(
            row - 0.85 * counts / counts.max(), edges, baseline=row, fill=True, color=style.COLOURS[2], alpha=0.55
        )
        ax.plot([np.median(values[values > 0])] * 2, [row, row - 0.85], color=style.COLOURS[0], linewidth=1)
    ax.hlines(range(len(layers)), *edges[[0, -1]], color="0.85", linewidth=0.6, zorder=0)
    ax.set(xscale="log", xlim=edges[[0, -1]], ylim=(len(layers) - 0.7, -1.1))
    style.quiet(ax, xlabel, "")
    ax.set_yticks(range(len(layers)), [style.plain(name) for name in layers], fontsize=style.FONT - 1, va="bottom")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax
