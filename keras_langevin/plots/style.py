"""What all pictures share: one style, in colours that colour-blind readers can tell apart, and what they refuse."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle, islice

import numpy as np

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442")
GREY = "0.5"  # of lines that are no data: a zero, a diagonal
FONT = 9

Styles = dict[str, tuple[str, str]]


def styles(labels: Iterable[str]) -> Styles:
    """A colour and a line style for each label, in order; more labels than colours differ in the line.

    Example:

    >>> styles(["Adam", "L-Adam"])
    {'Adam': ('#000000', '-'), 'L-Adam': ('#E69F00', '-')}
    """
    labels = list(dict.fromkeys(labels))
    pairs = ((colour, line) for line in cycle(("-", "--", ":", "-.")) for colour in COLOURS)
    return dict(zip(labels, islice(pairs, len(labels)), strict=True))


def chosen_styles(labels: Sequence[str], chosen: Styles | None) -> Styles:
    """The styles that were given, or those of `styles`; each label needs one.

    Raises:
        ValueError: a label has none.
    """
    if chosen is None:
        return styles(labels)
    missing = [label for label in labels if label not in chosen]
    if missing:
        raise ValueError(
            f"`styles` must have a colour and a line style for each of {', '.join(labels)}. Received: none for "
            f"{', '.join(missing)}. Leave `styles` out, or make it by `style.styles(labels)` over all labels."
        )
    return chosen


def axes_or_new(ax, width: float = 5.0, height: float = 3.4):
    """The Axes, or the one of a new figure of so many inches, which a notebook shows."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def quiet(ax, xlabel: str, ylabel: str):
    """Names the axes, and leaves out the lines of the box that say nothing."""
    ax.set_xlabel(xlabel, fontsize=FONT)
    ax.set_ylabel(ylabel, fontsize=FONT)
    ax.tick_params(labelsize=FONT)
    ax.spines[["top", "right"]].set_visible(False)


def add_legend(ax, **options):
    """A legend without a frame, where anything has a label: above the axes, where it hides no data."""
    if ax.get_legend_handles_labels()[1]:
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
        ax.legend(frameon=False, fontsize=FONT, **options or above)


def plain(text: str) -> str:
    r"""Text that matplotlib shows as it is: no mathematics between dollars, and no underscore that hides a label.

    Example:

    >>> plain("$5"), plain("_adam")
    ('\\$5', ' _adam')
    """
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def shortened(text: str, most: int = 50) -> str:
    """A text of so many letters at most."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def checked_labels(name: str, value, what: str) -> Mapping:
    """The dict, if it has a label and something under each.

    Args:
        name: str, the argument's name.
        value: what was given.
        what: str, what must stand under a label.

    Raises:
        ValueError: it is no dict, is empty, or a label is no text.
    """
    if not isinstance(value, Mapping) or not value or not all(isinstance(label, str) for label in value):
        received = f"a dict with the keys {list(value)}" if isinstance(value, Mapping) else type(value).__name__
        raise ValueError(
            f"`{name}` must be a dict from labels to {what}, not empty. Received: {received}. "
            f"Give for example {name}={{'L-Adam': ...}}."
        )
    return value


def checked_array(name: str, value, shape: str) -> np.ndarray:
    """The numbers as a float array.

    Args:
        name: str, what they are called.
        value: what was given.
        shape: str, the shape in words, as in `"(num_seeds, num_epochs)"`; no axis may be empty.

    Raises:
        ValueError: they are no numbers, or of another shape.

    Example:

    >>> checked_array("mean", [[1.0]], "(num_points,)")
    Traceback (most recent call last):
    ValueError: `mean` must be an array of shape (num_points,), not empty. Received: shape (1, 1). Give so many axes.
    """
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be an array of numbers of shape {shape}. Received: {type(value).__name__} ({error}). "
            "Give rows of equal length."
        ) from error
    num_axes = len([axis for axis in shape.strip("()").split(",") if axis.strip()])
    if array.ndim != num_axes or not array.size:
        raise ValueError(
            f"`{name}` must be an array of shape {shape}, not empty. Received: shape {array.shape}. Give so many axes."
        )
    return array


def checked_length(name: str, array: np.ndarray, length: int, of: str):
    """Refuses an array that is not as long as another.

    Raises:
        ValueError: it is not.
    """
    if len(array) != length:
        raise ValueError(
            f"`{name}` must be as long as {of}, {length}. Received: length {len(array)}. Give one number for each."
        )


def checked_interval(name: str, interval) -> tuple[float, float]:
    """The two ends of an interval, which are NaN where there is none.

    Raises:
        ValueError: they are not two numbers, or the wrong way round.
    """
    ends = checked_array(name, interval, "(2,)")
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(
            f"`{name}` must be the low and the high end of an interval. Received: {ends.tolist()}. Give (low, high)."
        )
    return float(ends[0]), float(ends[1])
