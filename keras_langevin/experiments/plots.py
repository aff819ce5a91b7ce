"""Pictures of results. No Keras."""

import warnings
from pathlib import Path

import numpy as np

from keras_langevin.files import replaced

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442")


def curves_with_band(ax, curves, *, label: str, colour: str, linestyle: str = "-"):
    """Draws the mean over seeds as a line, each seed as a thin line, and the range of the seeds as a band.

    Args:
        ax: matplotlib Axes.
        curves: array of shape `(num_seeds, num_epochs)`.
        label: str, for the legend.
        colour: str.
        linestyle: str, of the mean. Defaults to `"-"`.

    Returns:
        The Axes.
    """
    curves = np.asarray(curves, float)
    epochs = np.arange(1, curves.shape[1] + 1)
    mark = {"marker": "."} if len(epochs) == 1 else {}  # one epoch is no line
    ax.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.12, linewidth=0)
    ax.plot(epochs, curves.T, color=colour, alpha=0.35, linewidth=0.8, **mark)
    ax.plot(epochs, curves.mean(axis=0), color=colour, linewidth=2, label=label, linestyle=linestyle, **mark)
    return ax


def diverged_curve(ax, curve, *, colour: str):
    """Draws the curve of a run up to where it diverged: a dashed line that ends in ×.

    Args:
        ax: matplotlib Axes.
        curve: array of shape `(num_epochs,)`, the epochs before; where there is none, nothing is drawn.
        colour: str.

    Returns:
        The Axes.
    """
    curve = np.asarray(curve, float)
    if len(curve):
        ax.plot(np.arange(1, len(curve) + 1), curve, color=colour, linewidth=1, linestyle=(0, (3, 2)))
        ax.plot([len(curve)], curve[-1:], color=colour, marker="x", markersize=6, linestyle="none")
    return ax


def paired_difference_row(ax, position: float, values, *, mean, interval, colour: str, marked=None):
    """Draws one paired difference along x: each seed's as a dot, the mean as a diamond, its interval as a bar.

    Args:
        ax: matplotlib Axes.
        position: float, the height at which it is drawn; the dots stand a little lower.
        values: array of shape `(num_seeds,)`.
        mean: float.
        interval: pair of floats, drawn where they are finite.
        colour: str.
        marked: bool array of shape `(num_seeds,)`, the seeds drawn as × instead. Defaults to none.

    Returns:
        The Axes.
    """
    values = np.asarray(values, float)
    marked = np.zeros(len(values), bool) if marked is None else np.asarray(marked, bool)
    for chosen, style in ((~marked, {"marker": "o", "linewidths": 0}), (marked, {"marker": "x", "linewidths": 1.2})):
        if chosen.any():
            heights = np.full(chosen.sum(), position - 0.24)
            ax.scatter(values[chosen], heights, s=22, color=colour, alpha=0.75, **style)
    if np.isfinite(interval).all():
        ax.plot(interval, [position, position], color=colour, linewidth=2.5, solid_capstyle="butt")
    ax.plot([mean], [position], color=colour, marker="D", markersize=6, linestyle="none")
    return ax


def gain_against_depth(ax, depths, means, lows, highs, *, label: str, colour: str, linestyle: str = "-"):
    """Draws mean differences by depth: a line, and a bar for each interval.

    Args:
        ax: matplotlib Axes.
        depths: array of shape `(num_depths,)`, rising.
        means: array of the same shape.
        lows, highs: arrays of the same shape, the ends of the intervals; NaN: no interval is drawn.
        label: str, for the legend.
        colour: str.
        linestyle: str. Defaults to `"-"`.

    Returns:
        The Axes.
    """
    depths, means, lows, highs = (np.asarray(each, float) for each in (depths, means, lows, highs))
    ax.plot(depths, means, color=colour, marker="D", markersize=5, linewidth=1.5, linestyle=linestyle, label=label)
    ax.vlines(depths, lows, highs, color=colour, linewidth=2, alpha=0.7)
    return ax


def samples_figure(images, labels, class_names, *, title: str, path: Path):
    """Writes a PNG: samples of up to 100 classes, the first ones of each class, under their class's name.

    Args:
        images: uint8 array of shape `(num_examples, height, width, channels)`, or floats in [0, 1].
        labels: int array of shape `(num_examples,)`, class numbers.
        class_names: sequence of str.
        title: str.
        path: where the PNG goes.
    """
    classes = [number for number in range(len(class_names)) if np.any(labels == number)][:100]
    columns = min(10, len(classes))
    rounds = max(1, 60 // len(classes))  # how often each class is shown
    chosen = [np.flatnonzero(labels == number)[:rounds] for number in classes]
    # round by round, each in lines of `columns`
    order = [indices[turn] for turn in range(rounds) for indices in chosen if turn < len(indices)]
    rows = -(-len(order) // columns)
    figure = new_figure(1.05 * columns, 1.2 * rows + 0.6)
    white = 1 if np.issubdtype(images.dtype, np.floating) else 255
    for position, ax in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        ax.set_axis_off()
        if position < len(order):
            image = images[order[position]]
            grey = {"cmap": "gray", "vmin": 0, "vmax": white} if image.shape[-1] == 1 else {}
            ax.imshow(image[..., 0] if grey else image, interpolation="nearest", **grey)
            ax.set_title(class_names[labels[order[position]]], fontsize=8, pad=2)
    figure.suptitle(title, fontsize=9.5)
    save_figure(figure, path)


def plain(text: str) -> str:
    r"""Text that matplotlib shows as it is: no mathematics between dollars, and no underscore that hides a label.

    Example:

    >>> plain("$5"), plain("_adam")
    ('\\$5', ' _adam')
    """
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def new_figure(width: float, height: float):
    """A figure of so many inches, without a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path: Path):
    """Writes a figure, PNG or SVG by the end of the name; the same figure gives the same bytes."""
    with replaced(Path(path), "wb") as file:
        write_figure(figure, file, Path(path).suffix[1:])


def write_figure(figure, file, format: str, *, text_as_paths: bool = True, **options):
    """Writes a figure into an open binary file.

    Args:
        figure: matplotlib Figure.
        file: the file.
        format: `"png"` or `"svg"`.
        text_as_paths: bool, whether an SVG looks the same whatever fonts there are. Defaults to `True`.
        **options: of matplotlib's `savefig`.
    """
    import matplotlib

    metadata = {"Date": None} if format == "svg" else None
    fonts = {"svg.fonttype": "path" if text_as_paths else "none", "svg.hashsalt": "keras-langevin"}
    with matplotlib.rc_context(fonts), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing")  # a name in a script that the font lacks
        figure.savefig(file, format=format, dpi=130, metadata=metadata, **options)
