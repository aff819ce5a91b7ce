"""The contents that every notebook of the project must have; `checks` checks its outputs."""

import re
from pathlib import Path

import checks
import nbformat
import pytest

PATHS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
ALL = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def sources(path):
    return [cell.source for cell in checks.code_cells(nbformat.read(path, as_version=4))]


@ALL
def test_stored_outputs_are_whole_and_of_this_code(path):
    assert checks.stored_problems(nbformat.read(path, as_version=4)) == []


@ALL
def test_the_first_cells_install_in_colab_alone_choose_the_backend_and_have_the_switch(path):
    install, backend, switch, *rest = sources(path)
    assert 'if "google.colab" in sys.modules:\n    %pip install' in install
    assert 'os.environ.setdefault("KERAS_BACKEND"' in backend
    assert len(re.findall(r"^FAST = False$", switch, re.MULTILINE)) == 1
    assert not any(re.search(r"import keras|from keras", source) for source in (install, backend, switch))
    assert "import keras" in rest[0]


@ALL
def test_every_figure_is_followed_by_what_to_see_in_it(path):
    cells = nbformat.read(path, as_version=4).cells
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if cell.cell_type == "code" and checks.figures(cell):
            assert following is not None and following.cell_type == "markdown", cell.source
            assert following.source.startswith("What to see:"), cell.source


@ALL
def test_the_first_words_link_to_the_paper(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown" and "https://arxiv.org/abs/2212.14718" in first.source
