import csv
import dataclasses
import io

import numpy as np
import pytest

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.report.analysis import analyse
from keras_langevin.experiments.report.words import differences_frame, runs_frame
from keras_langevin.experiments.report.writing import csv as written
from tests.experiments.records import COMPARISON, cell_of, failed, of_seeds, record


def read_back(frame, *cells):
    return list(csv.DictReader(io.StringIO(written(frame(analyse(list(cells)))))))


def test_every_run_is_a_line_in_full_precision():
    ladam = record("ladam", 0, 1 / 3) | {"arguments": {"learning_rate": 1e-3, "sigma": 2e-3, "layers": None}}
    diverged = record("ladam", 1, 0.1, status="diverged", epochs=2)
    adam, first, second, last = read_back(
        runs_frame, cell_of(COMPARISON, [record("adam", 0, 0.1), ladam, diverged, failed("ladam", 2)])
    )
    assert (adam["optimizer"], adam["parent"], adam["at_chance"]) == ("adam", "", "True")
    assert (first["label"], first["parent"], float(first["test_accuracy"])) == ("L-Adam", "adam", 1 / 3)
    assert (float(first["arguments_learning_rate"]), float(first["arguments_sigma"])) == (1e-3, 2e-3)
    assert (first["model"], first["dataset"], first["epochs_done"], first["seconds"]) == (
        "dense-30",
        "digits",
        "3",
        "2.0",
    )
    assert (second["status"], second["at_chance"], second["epochs_done"]) == ("diverged", "False", "2")
    assert (float(second["train_loss"]), float(second["validation_loss"])) == (1.0, 1.1)
    assert (last["status"], last["test_accuracy"], last["error"]) == ("failed", "", "MemoryError: no room")
    assert last["file"] == "ladam-seed-2.json"


def test_every_difference_is_a_line_with_its_seeds():
    records = of_seeds([0.8, 0.81, 0.82, 0.5], [0.9, 0.91, 0.93])
    results = analyse([cell_of(COMPARISON, records)])
    (line,) = read_back(differences_frame, cell_of(COMPARISON, records))
    difference = results[0].pairs[0].difference
    assert (line["optimizer"], line["parent"], line["num_seeds"], line["seeds"]) == ("L-Adam", "Adam", "3", "0 1 2")
    assert [float(value) for value in line["values"].split()] == difference.values.tolist()
    for name in ("mean", "low", "high", "p_value"):
        assert float(line[name]) == getattr(difference, name)
    assert float(line["mean"]) == pytest.approx(np.mean([10, 10, 11]))
    assert (line["method"], line["contains_zero"], float(line["holm_p_value"])) == (
        "Student's t",
        "False",
        difference.p_value,
    )


def test_settings_of_all_cells_are_columns_under_names_of_their_own():
    cells = [
        cell_of(COMPARISON, of_seeds([0.5], [0.6]), sigma=0.1),
        cell_of(COMPARISON, of_seeds([0.5], []), status="x"),
    ]
    lines = read_back(runs_frame, *cells)
    assert [(line["sigma"], line["setting_status"], line["status"]) for line in lines] == [
        ("0.1", "", "finished"),
        ("0.1", "", "finished"),
        ("", "x", "finished"),
    ]


def test_names_with_commas_quotes_and_lines_come_back():
    name = 'a,"b"\'; c'
    comparison = Comparison(model=name, dataset=name, optimizers=("adam", f"ladam@{name}"), epochs=3)
    lines = read_back(runs_frame, cell_of(comparison, [record(f"ladam@{name}", 0, 0.5)]))
    assert [(line["model"], line["dataset"], line["optimizer"]) for line in lines] == [(name, name, f"ladam@{name}")]


@pytest.mark.parametrize(
    "text", ["=cmd|'/C calc'!A0", "+1+1", "@SUM(1+1)*cmd|'x'!A0", "-2+3", "\t=1", "\r=1", "a\r=1", "a\n=1"]
)
def test_no_cell_is_a_formula(text):
    foreign = {"error": text, "provenance": {"device": text, "commit": text, "finished_at": text}}
    cell = cell_of(COMPARISON, of_seeds([0.9, 0.9], [0.5, 0.6]), **{"model": text, text: text})
    arms = (
        dataclasses.replace(a, runs=tuple(dataclasses.replace(r, record=r.record | foreign) for r in a.runs))
        for a in cell.arms
    )
    cell = dataclasses.replace(cell, arms=tuple(arms))
    for write in (runs_frame, differences_frame):
        lines = read_back(write, cell)
        for line in lines:
            for value in (*line, *line.values()):
                assert not value.lstrip().startswith(("=", "+", "@")) and value.isprintable(), value
                if value.startswith("-"):
                    list(map(float, value.split()))  # a number, or numbers
            assert line["model"].lstrip("'").strip() == " ".join(text.split())
    assert lines[0]["mean"] == "-35.0" and lines[0]["values"] == "-40.0 -30.0"
