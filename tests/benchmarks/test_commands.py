"""The scripts start modules that exist."""

import importlib.util
import re

import pytest

from tests.benchmarks.test_tables import ROOT

STARTED = re.compile(r'"-m",\s*"([\w.]+)"')
FOUND = [
    (path.relative_to(ROOT), module)
    for folder in ("benchmarks", "keras_langevin", "notebooks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    for module in STARTED.findall(path.read_text("utf-8"))
]


@pytest.mark.parametrize(("path", "module"), FOUND, ids=str)
def test_python_can_run_the_module(path, module):
    found = importlib.util.find_spec(module)
    assert found, f"{path} starts {module}"
    assert not found.submodule_search_locations or importlib.util.find_spec(f"{module}.__main__"), path
