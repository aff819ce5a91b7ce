"""Small notebooks."""

from pathlib import Path

from nbformat import v4

FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2], [2, 1]); plt.show()"
EMPTY = "import matplotlib.pyplot as plt\nplt.subplots(); plt.show()"
FAST = "FAST = False  # True: in seconds"


def notebook(*sources):
    """Returns a notebook with these code cells, without outputs."""
    cells = [v4.new_markdown_cell("# A title"), *map(v4.new_code_cell, sources)]
    return v4.new_notebook(cells=cells)


def png(draw, path: Path) -> bytes:
    """Returns the picture that `draw(axes)` draws."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3))
    draw(figure.subplots())
    figure.savefig(path)
    return path.read_bytes()
