import dataclasses
import json

import keras
import pytest

from keras_langevin import cli, models
from keras_langevin.experiments import overhead
from keras_langevin.experiments.overhead import UpdateCase

QUICK = ["bench", "--cases", "dense 30×64", "--rounds", "1", "--steps", "1", "--starts", "0"]


@pytest.mark.ci
def test_bench_measures_shows_and_writes(tmp_path, capsys, monkeypatch):
    """A case that trains a net, here with one hidden layer instead of 30, which XLA compiles for a long time."""
    small = dataclasses.replace(
        overhead.CASES["dense 30×64"], build=lambda: models.dense(1, input_shape=(64,), num_classes=10)
    )
    monkeypatch.setitem(overhead.CASES, "dense 30×64", small)
    out = tmp_path / "overhead.json"
    assert cli.main([*QUICK, "--out", str(out)]) == 0
    assert "ratio" in capsys.readouterr().out
    results = json.loads(out.read_text("utf-8"))
    assert results["provenance"]["backend"] == keras.backend.backend()
    (case,) = results["cases"].values()
    assert case["step"]["ratio"] == pytest.approx(case["step"]["langevin_ms"] / case["step"]["parent_ms"])
    assert case["target"] == small.targets[overhead.BACKENDS.index(keras.backend.backend())] > 1
    # two words of the seed and sigma, four bytes each
    assert case["extra_bytes"] == 12


def test_bench_measures_an_update_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(overhead.CASES, "small", UpdateCase(((3, 4), (5,))))
    out = tmp_path / "overhead.json"
    assert cli.main(["bench", "--cases", "small", "--rounds", "2", "--steps", "2", "--out", str(out)]) == 0
    case = json.loads(out.read_text("utf-8"))["cases"]["small"]
    assert case["step"]["parent_ms"] > 0 and case["extra_bytes"] == 12 and case["target"] is None


def test_bench_goes_on_where_it_stopped(tmp_path, capsys, monkeypatch):
    """Finished cases are kept only for the same code and machine."""
    for name in ("small", "smaller"):
        monkeypatch.setitem(overhead.CASES, name, UpdateCase(((3,),)))
    out = tmp_path / "overhead.json"
    quick = ["bench", "--rounds", "1", "--steps", "1", "--out", str(out), "--cases"]
    assert cli.main([*quick, "small"]) == 0
    before = json.loads(out.read_text("utf-8"))
    assert cli.main([*quick, "small", "smaller"]) == 0
    after = json.loads(out.read_text("utf-8"))
    assert list(after["cases"]) == ["small", "smaller"] and after["cases"]["small"] == before["cases"]["small"]
    after["provenance"]["commit"] = "other"
    out.write_text(json.dumps(after), "utf-8")
    capsys.readouterr()
    assert cli.main([*quick, "small"]) == 2
    assert "holds results with commit 'other'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "must be the results of a benchmark, in JSON"), ("[]", "what `bench --out` wrote"), ('{"a": 1}', "wrote")],
)
def test_another_file_is_left_alone(tmp_path, capsys, content, message):
    out = tmp_path / "mine.json"
    out.write_text(content, "utf-8")
    assert cli.main(["bench", "--out", str(out)]) == 2
    assert message in capsys.readouterr().err and out.read_text("utf-8") == content


def test_every_case_has_a_target():
    for case in overhead.CASES.values():
        on = overhead.BACKENDS if case.only_on is None else (case.only_on,)
        assert len(case.targets) == len(overhead.BACKENDS)
        assert any(case.targets[overhead.BACKENDS.index(backend)] for backend in on)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cases", "dense 30x63"], "Did you mean 'dense 30x64'"),
        (["--cases", "none"], "There are: 'dense 30x64', 'dense 30x64, 30% noisy', "),
        (["--rounds", "0"], "`rounds` must be an int >= 1"),
        (["--steps", "two"], "--steps: invalid int value: 'two'"),
        (["--starts", "-1"], "`starts` must be an int >= 0"),
        (["--out", "/nowhere/file.json"], "Make /nowhere first"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(arguments, message, capsys):
    assert cli.main([*QUICK, *arguments]) == 2
    output = capsys.readouterr()
    assert message in output.err and output.err.count("\n") == 1
