"""Runs every example of the README and the documentation as a reader would paste it, in an empty session."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from keras_langevin.cli import new_parser

ROOT = Path(__file__).parents[1]
# Their programs need several devices or are killed on purpose; tests/reliability runs them.
ELSEWHERE = {"distribution.md", "interruptions.md"}
PAGES = [ROOT / "README.md", *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in ELSEWHERE)]
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", re.DOTALL | re.MULTILINE)
FOUND = [
    pytest.param(kind, text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, (kind, text) in enumerate(BLOCK.findall(page.read_text("utf-8")))
]
PYTHON = [each for each in FOUND if each.values[0] == "python"]
BASH = [each for each in FOUND if each.values[0] == "bash"]


# The README's posterior trains 100 epochs; tests/sampling/test_readme.py runs it and checks its results.
@pytest.mark.ci
@pytest.mark.parametrize(("kind", "text"), [each for each in PYTHON if "max_samples=30" not in each.values[1]])
def test_a_program_runs(kind, text, tmp_path, monkeypatch, blank_pictures):
    monkeypatch.chdir(tmp_path)
    if text.startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(text, {}, "snippet", None, 0)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        assert runner.run(test).failed == 0
    else:
        exec(compile(text, "snippet", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(("kind", "text"), BASH)
def test_a_command_is_one_that_there_is(kind, text):
    for line in text.replace("\\\n", " ").splitlines():
        for command in re.findall(r"keras-langevin [^&|;#]*", line):
            try:
                new_parser().parse_args(shlex.split(command, comments=True)[1:])
            except SystemExit as ended:  # --help
                assert ended.code == 0
