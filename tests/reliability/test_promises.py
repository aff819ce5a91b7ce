"""docs/reliability.md: each promise names its tests, and all of them exist."""

import ast
from pathlib import Path

import pytest

from tests.reliability.table import PAGE, TEST, filled, outcomes, rows

ROOT = Path(__file__).parents[2]
ROWS = rows(PAGE.read_text("utf-8"))


def names_in(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_promise_has_tests_and_results(row):
    promise, tests, *results = row
    assert promise
    assert len(results) == 3 and all(results), "a cell is empty: run the tests, and `python -m tests.reliability.table`"
    assert not any("failed" in result for result in results)
    for file, name in TEST.findall(tests):
        assert (ROOT / file).is_file(), file
        assert not name or name in names_in(ROOT / file), f"{file}::{name}"


def test_every_file_of_these_tests_holds_a_promise():
    named = {file for row in ROWS for file, _ in TEST.findall(row[1])}
    files = {f"tests/reliability/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}
    assert files - {"tests/reliability/test_promises.py"} <= named


JUNIT = """<testsuites><testsuite>
<testcase classname="tests.a.test_one" name="test_x[1]" />
<testcase classname="tests.a.test_one" name="test_x[2]"><skipped /></testcase>
<testcase classname="tests.a.test_one" name="test_y"><failure /></testcase>
<testcase classname="tests.a.test_two" name="test_x"><skipped /></testcase>
</testsuite></testsuites>"""


def test_results_are_written_into_their_cells(tmp_path):
    (tmp_path / "jax.xml").write_text(JUNIT)
    page = (
        "words\n"
        "| promise | tests | TensorFlow | JAX | PyTorch |\n"
        "| a | `tests/a/test_one.py::test_x` | old | | |\n"
        "| b | `tests/a/test_one.py` | | | |\n"
        "| c | `tests/a/test_two.py::test_x` and more | | | |\n"
        "| d | `tests/a/test_three.py` | | 5 passed | |\n"
    )
    page = filled(page, {"jax": outcomes(tmp_path / "jax.xml")})
    cells = [row[2:] for row in rows(page)]
    assert cells == [
        ["old", "1 passed", ""],
        ["", "1 passed, 1 failed", ""],
        ["", "n/a", ""],
        ["", "5 passed", ""],
    ]
    assert page.startswith("words\n")
