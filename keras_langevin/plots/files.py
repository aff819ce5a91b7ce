"""Figures without a window, the files that they become, and one of labelled images."""

import warnings
from pathlib import Path

import numpy as np

from keras_langevin.files import replaced


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
