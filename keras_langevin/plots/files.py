"""Makes figures without a window, writes them to files, and draws a figure of labelled images."""

import io
import warnings
from pathlib import Path

import numpy as np

from keras_langevin.files import replaced

# No time stamps, so that the same figure gives the same bytes.
_METADATA = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
# Text as paths in SVG: it looks the same whatever fonts are installed. TrueType in PDF: journals refuse type 3.
_SETTINGS = {"svg.hashsalt": "keras-langevin", "svg.fonttype": "path", "pdf.fonttype": 42}

_DPI = 130


def new_figure(width: float, height: float):
    """Returns a figure of this size in inches, without a window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path: Path, *, photos: bool = False):
    """Writes a figure as PNG, SVG or PDF, by the suffix of the path. The same figure gives the same bytes.

    A PNG without photos has 128 colours, which makes its file a third as large.
    """
    import matplotlib
    from PIL import Image

    format = Path(path).suffix[1:]
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings(), replaced(Path(path), "wb") as file:
        warnings.filterwarnings("ignore", r"Glyph .* missing")  # a name in a script that the font lacks
        drawn = io.BytesIO() if format == "png" and not photos else file
        figure.savefig(drawn, format=format, dpi=_DPI, metadata=_METADATA.get(format))
        if drawn is not file:
            fewer = Image.open(drawn).convert("RGB").quantize(128, kmeans=1, dither=Image.Dither.NONE)
            fewer.save(file, format="png", optimize=True, dpi=(_DPI, _DPI))


def samples_figure(images, labels, class_names, *, title: str, path: Path):
    """Writes a PNG of the first images of each class, for up to 100 classes, with the class's name above each."""
    classes = np.unique(labels)[:100]
    columns, rounds = min(10, len(classes)), max(1, 60 // len(classes))  # `rounds`: images per class
    chosen = [np.flatnonzero(labels == number)[:rounds] for number in classes]
    # one round after another, each in rows of `columns`
    order = [indices[turn] for turn in range(rounds) for indices in chosen if turn < len(indices)]
    rows = -(-len(order) // columns)
    figure = new_figure(1.05 * columns, 1.2 * rows + 0.6)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    white = 1 if np.issubdtype(images.dtype, np.floating) else 255
    for ax, index in zip(axes, order, strict=False):
        grey = {"cmap": "gray", "vmin": 0, "vmax": white} if images.shape[-1] == 1 else {}
        ax.imshow(images[index].squeeze(-1) if grey else images[index], interpolation="nearest", **grey)
        ax.set_title(class_names[labels[index]], fontsize=8, pad=2)
    figure.suptitle(title, fontsize=9.5)
    save_figure(figure, path, photos=True)
