"""Writes the latest results into the tables of docs/reliability.md.

    KERAS_BACKEND=jax pytest -m "slow or not slow" --junitxml jax.xml tests/reliability tests/fuzz
    python -m tests.reliability.table jax=jax.xml tensorflow=tensorflow.xml torch=torch.xml

Changes the cells for which the files have results. Several files of a backend are merged; for the same test, a later
file's result replaces an earlier one's.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from keras_langevin.files import replaced

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BACKENDS = ("tensorflow", "jax", "torch")  # the columns after promise and tests
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def rows(text: str) -> list[list[str]]:
    """Returns the cells of each row of the page's tables that names a test."""
    return [cells_of(line) for line in text.splitlines() if is_row(line)]


def is_row(line: str) -> bool:
    return line.startswith("| ") and bool(TEST.search(line))


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]


def outcomes(path: str | Path) -> dict[tuple[str, str], str]:
    """Returns passed, failed or skipped by (file, test with its parameters)."""
    found = {}
    for case in ElementTree.parse(path).iter("testcase"):
        file = case.get("classname").replace(".", "/") + ".py"
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[file, case.get("name")] = outcome
    return found


def cell(tests: list[tuple[str, str]], found: dict[tuple[str, str], str]) -> str | None:
    """Returns the result of these tests, or `None` if none of them was run.

    Args:
        tests: pairs of a file and a test in it; an empty name means all tests of the file.
        found: see `outcomes`.
    """
    counts = Counter(
        outcome
        for (file, name), outcome in found.items()
        if any(file == wanted and name.partition("[")[0] in (test or name.partition("[")[0],) for wanted, test in tests)
    )
    if not counts:
        return None
    if set(counts) == {"skipped"}:
        return "n/a"
    return ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed") if counts[kind])


def filled(text: str, results: dict[str, dict[tuple[str, str], str]]) -> str:
    """Returns the page with the results of these backends."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not is_row(line):
            continue
        cells = cells_of(line)
        for place, backend in enumerate(BACKENDS, start=2):
            value = cell(TEST.findall(cells[1]), results.get(backend, {}))
            cells[place] = cells[place] if value is None else value
        lines[number] = f"| {' | '.join(cells)} |"
    return "\n".join(lines) + "\n"


def main(arguments: list[str]):
    results = {}
    for argument in arguments:
        backend, _, path = argument.partition("=")
        if backend not in BACKENDS or not path:
            raise SystemExit(f"Expected BACKEND=FILE, of {', '.join(BACKENDS)}. Received: {argument}")
        results[backend] = results.get(backend, {}) | outcomes(path)
    text = filled(PAGE.read_text("utf-8"), results)
    with replaced(PAGE) as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
