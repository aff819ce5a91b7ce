"""The pages agree with the result files."""

import json
from pathlib import Path

import tables

ROOT = Path(__file__).parents[2]


def test_the_tables_are_those_of_the_results():
    for path in tables.PAGES:
        assert tables.page(path) == path.read_text("utf-8"), "run python benchmarks/tables.py"


def test_every_result_file_has_its_provenance():
    files = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert files
    for file in files:
        assert {"device", "cores", "commit", "versions"} <= set(json.loads(file.read_text("utf-8"))["provenance"]), file
