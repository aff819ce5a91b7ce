"""The one style of all pictures: colours that colour-blind readers can tell apart, and no line that says nothing."""

from collections.abc import Iterable, Sequence
from itertools import cycle, islice

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
