import base64
import copy

import checks
import pytest
from nbformat import v4

from keras_langevin import __version__
from tests.notebooks.small import FAST, FIGURE, notebook, png


def with_outputs(picture: bytes, **record):
    """Returns a notebook as if it had been executed."""
    made = notebook(FAST, FIGURE)
    for number, cell in enumerate(made.cells[1:], start=1):
        cell.execution_count = number
    data = {"image/png": base64.b64encode(picture).decode()}
    made.cells[-1].outputs = [v4.new_output("display_data", data=data)]
    made.metadata["keras_langevin"] = {"digest": checks.digest(made), "version": __version__, "fast": False} | record
    return made


@pytest.fixture
def line(tmp_path):
    return png(lambda axes: axes.plot([1, 2, 3], [1, 3, 1]), tmp_path / "line.png")


def test_stored_outputs_of_this_code_are_right(line):
    assert checks.stored_problems(with_outputs(line)) == []


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda axes: None, True),
        (lambda axes: axes.set(xlabel="epoch", ylabel="loss", title="Nothing in it"), True),
        (lambda axes: axes.set_axis_off(), True),
        (lambda axes: axes.plot([1, 2], [1, 2]), False),
        (lambda axes: axes.scatter([0, 1, 2], [0, 1, 2]), False),
    ],
)
def test_a_figure_into_which_nothing_was_drawn_is_empty(draw, expected, tmp_path):
    picture = png(draw, tmp_path / "figure.png")
    assert checks.is_empty(picture) == expected
    problems = checks.stored_problems(with_outputs(picture))
    assert problems == (["code cell 2 has an empty figure"] if expected else [])


def test_code_that_changed_since_is_found_and_prose_may_change(line):
    made = with_outputs(line)
    made.cells[0].source = "Another title."
    assert checks.stored_problems(made) == []
    made.cells[-1].source += "\nprint(1)"
    assert checks.stored_problems(made) == ["its outputs are from another version of its code"]


def test_the_switch_is_no_change_of_code():
    fast = notebook(FAST.replace("False", "True", 1), FIGURE)
    assert checks.digest(fast) == checks.digest(notebook(FAST, FIGURE))
    assert checks.digest(fast) != checks.digest(notebook(FAST, FIGURE + " "))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"version": "0.0.1"}, f"its outputs are from keras-langevin 0.0.1, this is {__version__}"),
        ({"fast": True}, "its outputs are from a fast run"),
        ({"digest": ""}, "its outputs are from another version of its code"),
    ],
)
def test_outputs_of_something_else_are_found(record, message, line):
    assert checks.stored_problems(with_outputs(line, **record)) == [message]


def test_errors_and_cells_that_were_not_executed_are_found(line):
    made = with_outputs(line)
    made.cells[1].outputs = [v4.new_output("error", ename="ValueError", evalue="no", traceback=[])]
    made.cells[2].execution_count = None
    assert checks.stored_problems(made) == [
        "code cell 1 ended with ValueError: no",
        "code cell 2 was not executed",
    ]


def test_outputs_without_a_record_or_a_figure_are_found(line):
    made = with_outputs(line)
    bare = copy.deepcopy(made)
    del bare.metadata["keras_langevin"]
    assert checks.stored_problems(bare) == ["it was not executed by notebooks/run.py"]
    made.cells[-1].outputs = []
    assert checks.stored_problems(made) == ["there is no figure"]


def test_paths_of_the_machine_are_found_in_outputs(line):
    made = with_outputs(line)
    made.cells[1].outputs = [v4.new_output("stream", text="results in /home/me/out")]
    assert checks.leaks(made, ["/home/me", "", "/elsewhere"]) == [
        "its outputs show a path of this machine, /home/me",
    ]
