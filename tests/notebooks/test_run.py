import nbformat
import pytest
import run

from tests.notebooks.small import EMPTY, FAST, FIGURE, notebook

SLOW = pytest.mark.slow  # a kernel takes seconds to start


def write(folder, made, name="01_small.ipynb"):
    nbformat.write(made, folder / name)
    return folder / name


@pytest.mark.ci
def test_a_fast_run_stores_nothing_and_a_full_one_outputs_that_pass_the_check(tmp_path, capsys):
    """Each run sets the switch, and finds no files of the other run."""
    seen = tmp_path / "seen"
    look = f"import os\nprint(FAST, sorted(os.listdir()), file=open({str(seen)!r}, 'a'))\nprint(FAST)"
    made = notebook(FAST, look, "open('left', 'w').close()", FIGURE)
    path = write(tmp_path, made)
    assert run.main(["--check"], tmp_path) == 1
    assert "01_small.ipynb: it was not executed by notebooks/run.py" in capsys.readouterr().err
    before = path.read_bytes()
    assert run.main(["--fast"], tmp_path) == 0
    assert path.read_bytes() == before and seen.read_text() == "True []\n"
    assert run.main([], tmp_path) == 0
    assert seen.read_text() == "True []\nFalse []\n"
    stored = nbformat.read(path, as_version=4)
    assert stored.cells[2].outputs[0].text == "False\n"
    record = stored.metadata["keras_langevin"]
    assert record["seconds"] > 0 and record["fast"] is False
    assert {"keras", "numpy", "keras-langevin"} <= set(record["provenance"]["versions"])
    assert [cell.source for cell in stored.cells] == [cell.source for cell in made.cells]
    before = path.read_bytes()
    assert run.main(["--check", "--html", str(tmp_path / "pages")], tmp_path) == 0
    assert path.read_bytes() == before
    assert "data:image/png;base64" in (tmp_path / "pages" / "01_small.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ((FAST, "1 / 0", FIGURE), "ZeroDivisionError"),
        pytest.param((FAST, EMPTY), "code cell 2 has an empty figure", marks=SLOW),
        pytest.param((FAST, "print('no picture')"), "there is no figure", marks=SLOW),  # test_checks.py has both
        pytest.param((FAST, FIGURE, "import os; print(os.getcwd())"), "show a path of this machine", marks=SLOW),
        ((FIGURE,), "must have its switch, a line `FAST = False`"),
        ((FAST, FAST, FIGURE), "Received: 2 such lines"),
        pytest.param((FAST, FIGURE, "import time; time.sleep(60)"), "time.sleep", marks=SLOW),
        pytest.param((FAST, FIGURE, "import os; os._exit(1)"), "Kernel died", marks=SLOW),
    ],
)
def test_a_notebook_that_fails_is_said_and_left_as_it_was(sources, message, tmp_path, capsys):
    path = write(tmp_path, notebook(*sources))
    before = path.read_bytes()
    assert run.main(["--cell-timeout", "20"], tmp_path) == 1
    assert message in capsys.readouterr().err
    assert path.read_bytes() == before


def test_notebooks_are_chosen_by_how_their_names_begin(tmp_path):
    for name in ("01_a.ipynb", "02_b.ipynb", "05_c.ipynb"):
        write(tmp_path, notebook(), name)
    assert [path.name for path in run.found(["01", "05_c"], tmp_path)] == ["01_a.ipynb", "05_c.ipynb"]
    assert len(run.found([], tmp_path)) == 3
    with pytest.raises(SystemExit, match="No notebook is called 04"):
        run.found(["04"], tmp_path)
