import json

import keras
import pytest

from keras_langevin import cli

QUICK = ["bench", "--cases", "dense 30×64", "--rounds", "1", "--steps", "1", "--starts", "0"]


def test_bench_measures_shows_and_writes(tmp_path, capsys):
    out = tmp_path / "overhead.json"
    assert cli.main([*QUICK, "--out", str(out)]) == 0
    assert "ratio" in capsys.readouterr().out
    results = json.loads(out.read_text("utf-8"))
    assert results["provenance"]["backend"] == keras.backend.backend()
    (case,) = results["cases"].values()
    assert case["step"]["ratio"] == pytest.approx(case["step"]["langevin_ms"] / case["step"]["parent_ms"])
    # a seed of two words and sigma, of four bytes each
    assert case["extra_bytes"] == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cases", "dense 30x64"], "Did you mean 'dense 30×64'"),
        (["--rounds", "0"], "--rounds must be an int >= 1"),
        (["--starts", "-1"], "--starts must be an int >= 0"),
        (["--out", "/nowhere/file.json"], "Make /nowhere first"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(arguments, message, capsys):
    assert cli.main([*QUICK, *arguments]) == 2
    output = capsys.readouterr()
    assert message in output.err and output.err.count("\n") == 1
