"""Shared by all plots: the style, and the checks of arguments."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike as ArrayLike

from keras_langevin import extras
from keras_langevin.values import is_real

if TYPE_CHECKING:  # slow to import
    from matplotlib.axes import Axes
else:
    Axes = Any

extras.check("experiments", "matplotlib", what="keras_langevin.plots")
# Okabe and Ito's colours, which colour-blind readers can tell apart, without the yellow: it is too pale on white.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
GREY = "0.5"  # for lines that are not data: zero, a diagonal
FONT = 9

Styles = dict[str, tuple[str, str]]
_PAIRS = [(colour, line) for line in ("-", "--", ":", "-.") for colour in COLOURS]
_PARENTS = ("Adam", "SGD", "RMSprop", "Adadelta", "Adagrad", "AdamW", "Nadam", "Adamax", "Lamb")
_OWN = dict(zip((f"{kind}{name}" for name in _PARENTS for kind in ("", "L-", "30%-Layer L-")), _PAIRS, strict=False))


def styles(labels: Iterable[str]) -> Styles:
    """Returns a colour and a line style for each label. The order of the labels does not matter."""
    labels = list(dict.fromkeys(labels))
    own = {label: _OWN.get(label.partition(" − ")[0]) for label in labels}
    parents = {_OWN.get(label.partition(" − ")[2]) for label in labels}  # kept free: the next figure may draw them
    found: Styles = {}
    for label in sorted(labels, key=lambda label: (own[label] is None, label)):
        free = [pair for pair in _PAIRS if pair not in found.values()] or _PAIRS
        others = [pair for pair in free if pair not in parents] or free
        found[label] = own[label] if own[label] in free else others[0]
    return {label: found[label] for label in labels}


def chosen_styles(labels: Iterable[str], chosen: Styles | None) -> Styles:
    """Returns the given styles, or those of `styles`. Raises `ValueError` if a label has none."""
    labels = list(labels)
    chosen = styles(labels) if chosen is None else chosen
    if missing := [label for label in labels if label not in chosen]:
        raise ValueError(
            f"`styles` must have a colour and a line style for each of {', '.join(labels)}. Received: none for "
            f"{', '.join(missing)}. Leave `styles` out, or make it with `style.styles(labels)` for all labels."
        )
    return chosen


def axes_or_new(ax: Axes | None, width: float = 5.0, height: float = 3.4) -> Axes:
    """Returns the given Axes, or those of a new figure of this size in inches, which a notebook shows."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def quiet(ax: Axes, xlabel: str, ylabel: str, *, legend: bool = False, **options):
    """Labels the axes and removes the box around them. A legend goes above the axes, where it hides no data."""
    ax.set_xlabel(xlabel, fontsize=FONT)
    ax.set_ylabel(ylabel, fontsize=FONT)
    ax.tick_params(labelsize=FONT)
    ax.spines[["top", "right"]].set_visible(False)
    if legend and ax.get_legend_handles_labels()[1]:
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}
        ax.legend(frameon=False, fontsize=FONT, **options or above)
    return ax


def plain(text: str) -> str:
    r"""Escapes text for matplotlib: no mathematics between dollars, and no leading underscore, which hides a label.

    >>> plain("$5"), plain("_adam")
    ('\\$5', ' _adam')
    """
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def shortened(text: str, most: int = 50) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


_KEYS = {"labels": (lambda key: isinstance(key, str), "'L-Adam'"), "numbers": (is_real, "30")}


def checked_dict(name: str, value, what: str, *, keys: str = "labels") -> Mapping:
    """Returns the dict. Raises `ValueError` if it is empty or its keys are not labels (or numbers)."""
    is_key, example = _KEYS[keys]
    if not isinstance(value, Mapping) or not value or not all(map(is_key, value)):
        received = f"a dict with the keys {list(value)}" if isinstance(value, Mapping) else type(value).__name__
        raise ValueError(
            f"`{name}` must be a dict from {keys} to {what}, not empty. Received: {received}. "
            f"Give for example {{{example}: ...}}."
        )
    return value


def checked_arrays(name: str, value, shape: str, *, keys: str = "labels") -> dict:
    value = checked_dict(name, value, f"arrays of shape {shape}", keys=keys)
    return {key: checked_array(f"{name}[{key!r}]", array, shape) for key, array in value.items()}


def checked_array(name: str, value, shape: str, *, length: int | None = None, of: str = "") -> np.ndarray:
    """Returns a float array. It must have as many axes as `shape` (in words), and the length of what `of` names."""
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be an array of numbers of shape {shape}. Received: {type(value).__name__} ({error}). "
            "Give rows of equal length."
        ) from error
    if array.ndim != len(shape.replace(",)", ")").split(",")) or not array.size:
        expected = f"an array of shape {shape}, not empty"
        raise ValueError(f"`{name}` must be {expected}. Received: shape {array.shape}. Give that many axes.")
    if length is not None and len(array) != length:
        raise ValueError(
            f"`{name}` must be as long as {of}, {length}. Received: length {len(array)}. Give one number for each."
        )
    return array


def checked_interval(name: str, interval) -> np.ndarray:
    """Returns (low, high) as an array, or two NaN for `None`."""
    ends = checked_array(name, (np.nan, np.nan) if interval is None else interval, "(2,)")
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(f"`{name}` must be an interval. Received: {ends.tolist()}. Give its two ends, (low, high).")
    return ends
