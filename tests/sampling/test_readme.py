"""The README's example, as printed."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.ci
def test_the_example_of_a_posterior_runs(tmp_path, monkeypatch, capsys):
    section = README.read_text("utf-8").split("## Sample a posterior\n")[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    assert len(code.strip().splitlines()) <= 15
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    samples = names["samples"]
    assert len(samples) == len(list(Path("samples").glob("sample-*.npz"))) == 30
    assert [settings["iteration"] for settings in samples.settings] == list(range(520, 1101, 20))
    scores = samples.evaluate(*names["data"].test, verbose=0)
    assert str(scores) in capsys.readouterr().out
    assert scores["accuracy"] > 0.9 and scores["nll"] < 0.4
