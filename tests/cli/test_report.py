import contextlib
import csv
import dataclasses
import io
import json
import os
import subprocess
import sys

import pytest

from keras_langevin import cli
from tests.experiments.records import COMPARISON, failed, of_seeds, record, write_folder

SHALLOW = dataclasses.replace(COMPARISON, model="dense-3")


def results(path):
    """Returns a folder with the results of two depths."""
    write_folder(path / "results" / "deep", COMPARISON, of_seeds([0.1, 0.2, 0.3], [0.9, 0.8, 0.85]))
    write_folder(path / "results" / "shallow", SHALLOW, of_seeds([0.9, 0.8, 0.85], [0.9, 0.81, 0.84]))
    return path / "results"


@pytest.fixture
def folder(tmp_path):
    return results(tmp_path)


def report(folder, out) -> str:
    """Runs the command and returns what it shows."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        assert cli.main(["report", str(folder), "--out", str(out), "--title", "Depth <3>"]) == 0
    return shown.getvalue()


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Returns (the report's folder, what the command showed)."""
    path = tmp_path_factory.mktemp("reported")
    return path / "new" / "report", report(results(path), path / "new" / "report")


def test_a_report_has_all_its_files(reported):
    out, shown = reported
    pictures = [
        *("1-dense-3-digits-differences", "1-dense-3-digits-train-loss", "1-dense-3-digits-validation-accuracy"),
        *("2-dense-30-digits-differences", "2-dense-30-digits-train-loss", "2-dense-30-digits-validation-accuracy"),
        *("depth", "differences"),
    ]
    files = ["differences.csv", "report.html", "report.md", "results.csv", "table.tex"]
    assert sorted(path.name for path in out.iterdir()) == ["differences.csv", "figures", *files[1:]]
    found = sorted(path.name for path in (out / "figures").iterdir())
    assert found == [f"{name}.{ending}" for name in pictures for ending in ("pdf", "png", "svg")]
    starts = {".pdf": b"%PDF", ".png": b"\x89PNG", ".svg": b"<?xml", ".html": b"<!DOCTYPE html>"}
    for path in (*(out / name for name in files), *(out / "figures").iterdir()):
        assert path.read_bytes().startswith(starts.get(path.suffix, b""))
    assert f"In {out}: " in shown and all(name in shown for name in files)
    assert shown.splitlines()[-1] == f"Open {out / 'report.html'}", "the last line must say what to open"
    assert "dense-3 on digits, 3 epochs" in shown and "95% interval" in shown
    for name in ("report.html", "report.md"):
        text = (out / name).read_text("utf-8")
        assert "Depth &lt;3&gt;" in text
        assert "Of 2 differences to a parent without noise, the optimizer with noise is better in 0" in text
    with open(out / "results.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 12


def test_pictures_of_the_markdown_report_are_there(reported):
    out, _ = reported
    text = (out / "report.md").read_text()
    pictures = [part.partition(")")[0] for part in text.split("](")[1:]]
    assert len(pictures) == 8 and all((out / picture).is_file() for picture in pictures)


@pytest.mark.ci
def test_the_same_results_give_the_same_bytes(reported):
    out, _ = reported
    report(out.parents[1] / "results", out.parent / "again")
    for path in (path for path in out.rglob("*") if path.is_file()):
        assert path.read_bytes() == (out.parent / "again" / path.relative_to(out)).read_bytes(), path.name


@pytest.mark.usefixtures("blank_pictures")
def test_one_folder_gets_its_report_and_is_no_part_of_the_next(folder):
    for _ in range(2):
        assert cli.main(["report", str(folder)]) == 0
    assert (folder / "report.md").read_text("utf-8").startswith("# Langevin optimizers beside their parents\n")
    assert (folder / "report.html").is_file()


@pytest.mark.usefixtures("blank_pictures")
def test_several_folders_get_a_report_of_their_own(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", str(folder / "deep"), str(folder / "shallow")]) == 0
    assert (tmp_path / "keras-langevin-report" / "report.html").is_file()
    assert not (folder / "deep" / "report.html").exists()


@pytest.mark.usefixtures("blank_pictures")
def test_a_run_that_two_folders_have_counts_once(folder, tmp_path, capsys):
    write_folder(tmp_path / "again", COMPARISON, of_seeds([0.1, 0.2], [0.9]))
    assert cli.main(["report", str(folder), str(tmp_path / "again"), "--out", str(tmp_path / "out")]) == 0
    with open(tmp_path / "out" / "results.csv", newline="") as file:
        lines = [(line["model"], line["optimizer"], line["seed"]) for line in csv.DictReader(file)]
    assert len(lines) == len(set(lines)) == 12


@pytest.mark.usefixtures("blank_pictures")
def test_failed_runs_are_no_failure_of_the_report(tmp_path, capsys):
    write_folder(tmp_path, COMPARISON, [failed("adam", 0), record("ladam", 0, 0.5)])
    assert cli.main(["report", str(tmp_path)]) == 0
    assert "Adam, seed 0, ended with an error: MemoryError: no room" in capsys.readouterr().out


@pytest.mark.ci
def test_it_needs_no_keras(folder, tmp_path):
    """Runs in a process that cannot import Keras or any backend."""
    code = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"keras", "tensorflow", "jax", "torch"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
import keras_langevin_command
from keras_langevin import cli
sys.exit(cli.main(["report", RESULTS, "--out", OUT]))
"""
    code = code.replace("RESULTS", repr(str(folder))).replace("OUT", repr(str(tmp_path / "out")))
    result = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "report.html").is_file()


def corrupt(folder):
    (folder / "deep" / "runs" / "adam-seed-0.json").write_text("{")


def conflict(folder):
    write_folder(folder / "other", COMPARISON, of_seeds([0.11], []))


def foreign(folder):
    (folder / "deep" / "config.json").write_text(json.dumps({"architectures": []}))


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (corrupt, "adam-seed-0.json must be the record of a run, in JSON"),
        (conflict, "differ in test_accuracy"),
        (foreign, "config.json is not a configuration of a comparison"),
    ],
)
def test_bad_results_are_one_line_and_exit_status_2(prepare, message, folder, tmp_path, capsys):
    prepare(folder)
    out = tmp_path / "out"
    assert cli.main(["report", str(folder), "--out", str(out)]) == 2
    output = capsys.readouterr()
    assert message in output.err and output.err.startswith("keras-langevin: error: ") and output.err.count("\n") == 1
    assert output.out == "" and not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "DIR"),
        (["nowhere"], "Received: nowhere, which is not a folder"),
        (["."], "There must be results of a comparison in ."),
        (["results", "--out", "/proc/nowhere"], "choose another folder"),
        (["results", "--out", "results/deep/config.json"], "choose another folder"),
        (["results", "--nonsense"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(arguments, message, folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty" if arguments == ["."] else tmp_path)
    assert cli.main(["report", *arguments]) == 2
    output = capsys.readouterr()
    assert message in output.err and output.err.count("\n") == 1 and output.out == ""
