"""Figures without a window, and the files that they become."""

import warnings
from pathlib import Path

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
