"""How much noise a model tolerates: the loss against the noise level."""

import numpy as np

from keras_langevin.plots.style import COLOURS, FONT, GREY, ArrayLike, Axes, axes_or_new, checked_array, quiet

_LOSS, _RATIO, _CHOSEN = COLOURS[2], COLOURS[1], COLOURS[3]


def sigma_search(
    sigmas: ArrayLike,
    losses: ArrayLike,
    *,
    noise_to_drift: ArrayLike | None = None,
    suggestion: float | None = None,
    loss_without_noise: float | None = None,
    allowed_loss: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws the loss after a few updates against the noise level, and on a second axis the ratio of noise to drift.

    Args:
        sigmas: array of shape `(num_levels,)`, > 0.
        losses: array of shape `(num_levels,)`; losses beyond the upper edge, or not finite, are triangles there.
        noise_to_drift: array of shape `(num_levels,)`, or `None`. Defaults to `None`.
        suggestion: float, a level to mark, or `None`. Defaults to `None`.
        loss_without_noise, allowed_loss: floats, lines to draw, or `None`. Default to `None`.
        ax: matplotlib Axes, or `None` for those of a new figure.

    Returns:
        The Axes of the loss. Those of the ratio are `ax.figure.axes[-1]`.

    Raises:
        ValueError: an array has a wrong shape, or a level is not > 0.

    Example:

    >>> import keras_langevin.plots as plots
    >>> ax = plots.sigma_search([1e-3, 1e-2, 1e-1], [2.3, 2.3, float("inf")], suggestion=2e-3)
    >>> ax.get_xscale()
    'log'
    """
    sigmas = checked_array("sigmas", sigmas, "(num_levels,)")
    losses = checked_array("losses", losses, "(num_levels,)", length=len(sigmas), of="`sigmas`")
    if not (sigmas > 0).all():
        raise ValueError(f"`sigmas` must be > 0, for a logarithmic axis. Received: {sigmas.tolist()}. Leave 0 out.")
    ax = axes_or_new(ax, 5.6)
    finite = np.isfinite(losses)
    lines = {"without noise": (loss_without_noise, "-"), "harm above": (allowed_loss, ":")}
    levels = [value for value, _ in lines.values() if value is not None]
    top = _top(losses[finite], levels)
    shown = finite & (losses <= top)
    ax.plot(sigmas[shown], losses[shown], color=_LOSS, marker="o", markersize=4, linewidth=1.5, label="loss")
    beyond = ~shown
    if beyond.any():
        edge = np.full(beyond.sum(), top)
        ax.plot(sigmas[beyond], edge, color=_LOSS, marker="^", linestyle="none", markersize=6, label="loss is above")
    for label, (value, style) in lines.items():
        if value is not None:
            ax.axhline(value, color=GREY, linewidth=1, linestyle=style, label=label)
    ax.set_xscale("log")
    ax.set_xlim(_decades([*sigmas, *([] if suggestion is None else [suggestion])]))
    if noise_to_drift is not None:
        ratios = checked_array("noise_to_drift", noise_to_drift, "(num_levels,)", length=len(sigmas), of="`sigmas`")
        _draw_ratio(ax, sigmas, ratios)
    if suggestion is not None:
        ax.axvline(suggestion, color=_CHOSEN, linewidth=1.5, linestyle="--", label=f"suggestion {suggestion:.2g}")
    above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 3}
    return quiet(ax, "sigma", "loss after a few updates", legend=True, **above)


def _top(losses: np.ndarray, levels: list[float]) -> float:
    """Returns the upper edge of the plot, so that the loss of ruined weights does not flatten all others."""
    values = np.array([*levels, *losses])
    low = values.min() if values.size else 0.0
    usual = max(levels) if levels else (np.median(losses) if losses.size else 1.0)
    return float(usual + max(4 * (usual - low), 0.3 * abs(usual), 1e-6))


def _draw_ratio(ax, sigmas, ratios):
    beside = ax.twinx()
    there = np.isfinite(ratios) & (ratios > 0)
    beside.plot(sigmas[there], ratios[there], color=_RATIO, marker="s", markersize=3, linewidth=1, linestyle="--")
    if there.any():
        beside.set_yscale("log")
        beside.set_ylim(_decades(ratios[there]))
    beside.set_ylabel("noise / drift of a step", fontsize=FONT, color=_RATIO)
    beside.tick_params(labelsize=FONT, colors=_RATIO)
    beside.spines[["top"]].set_visible(False)


def _decades(values) -> tuple[float, float]:
    """Returns the powers of ten that enclose the values, for a logarithmic axis with a label at each decade."""
    low, high = 10 ** np.floor(np.log10(np.min(values))), 10 ** np.ceil(np.log10(np.max(values)))
    return float(low), float(max(high, 10 * low))
