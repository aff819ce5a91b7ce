import dataclasses
from pathlib import Path

import numpy as np
import pytest

from keras_langevin.experiments.config import OptimizerSpec
from keras_langevin.experiments.report.analysis import analyse
from keras_langevin.experiments.results import Results
from keras_langevin.experiments.store import Store
from tests.experiments.records import COMPARISON, cell_of, created, of_seeds, record

RECORDS = [*of_seeds([0.5, 0.5, 0.5], [0.6, 0.7]), record("ladam", 2, 0.1, status="diverged", epochs=2)]


def of_depths(*depths, records=RECORDS):
    cells = [cell_of(dataclasses.replace(COMPARISON, model=f"dense-{d}"), records) for d in depths]
    return Results(tuple(analyse(cells)), Path("out"))


def test_curves_are_of_what_finished_and_accuracies_in_percent():
    results = of_depths(30)
    assert results.curves("validation_accuracy")["L-Adam"].tolist() == [[10, 40, 60], [10, 40, 70]]
    assert results.curves("train_loss")["Adam"].shape == (3, 3)
    assert [curve.tolist() for curve in results.diverged("train_loss")["L-Adam"]] == [[2.0, 1.0]]
    with pytest.raises(ValueError, match="Unknown curve 'train_los'"):
        results.curves("train_los")


def test_differences_are_in_percentage_points_with_their_interval():
    results = of_depths(30)
    np.testing.assert_allclose(results.differences["L-Adam − Adam"], [10, 20, -40])
    low, high = results.intervals["L-Adam − Adam"]
    assert low < -10 / 3 < high


def test_differences_by_depth():
    results = of_depths(3, 30)
    (pairs,) = results.differences_by_depth.values()
    assert list(pairs) == [3, 30] and pairs[3].tolist() == pytest.approx([10, 20, -40])
    (intervals,) = results.intervals_by_depth.values()
    assert intervals[3] == of_depths(3).intervals["L-Adam − Adam"]
    with pytest.raises(ValueError, match="Received: 0 groups"):
        _ = of_depths(3).differences_by_depth


def test_one_setting_is_chosen_by_its_values():
    results = of_depths(3, 30)
    with pytest.raises(ValueError, match=r"those of one setting. Received: 2: dense-3 on digits; dense-30 on digits"):
        results.curves("train_loss")
    assert results.only(model="dense-30").cells == results.cells[1:]
    with pytest.raises(ValueError, match="There must be a setting with"):
        results.only(model="dense-4")
    with pytest.raises(ValueError, match="Unknown setting 'modle'"):
        results.only(modle="dense-30")


def test_a_folder_is_read(tmp_path):
    store = created(Store(tmp_path / "dense-30", COMPARISON))
    for each in RECORDS:
        store.write(OptimizerSpec(each["optimizer"]), each["seed"], each)
    results = Results.read(tmp_path)
    assert results.differences["L-Adam − Adam"].tolist() == of_depths(30).differences["L-Adam − Adam"].tolist()
    with pytest.raises(ValueError, match="Name a folder with results"):
        Results.read(tmp_path / "nowhere")


def test_provenance_is_a_sentence_for_each_place():
    made = {"device": "cpu:0, x86_64", "versions": {"keras": "3.15.1", "jax": "0.10.2"}}
    days = ["2026-11-25T23:00:00+0000", "2026-11-26T01:00:00+0000", "2026-11-26T02:00:00+0000"]
    records = [record("adam", n, 0.5) | {"provenance": made | {"finished_at": day}} for n, day in enumerate(days)]
    assert of_depths(30, records=[*records, record("ladam", 0, 0.5) | {"provenance": None}]).provenance == [
        "3 runs, trained on cpu:0, x86_64 with keras 3.15.1, jax 0.10.2, 2026-11-25 to 2026-11-26.",
        "1 run, trained on an unknown device with unknown versions, day unknown.",
    ]


def test_a_notebook_shows_tables_and_sentences():
    name = "ladam@<b>"
    comparison = dataclasses.replace(COMPARISON, optimizers=("adam", name))
    records = [*of_seeds([0.5, 0.5], []), record(name, 0, 0.6)]
    results = Results(tuple(analyse([cell_of(comparison, records)])), Path("out"))
    shown = results._repr_html_()
    assert shown.count("<table") == 1 and shown.count("<tr") == 3 and "L-Adam on &lt;b&gt;" in shown
    ((title, sentences),) = results.sentences.items()
    assert title == "dense-30 on digits" and sentences
    assert all(f"<li>{sentence}</li>".replace("<b>", "&lt;b&gt;") in shown for sentence in sentences)
    text = repr(results)
    assert (
        "\x1b" not in text
        and "dense-30 on digits, 3 epochs" in text
        and all(sentence in text for sentence in sentences)
    )


def test_results_are_tables_of_pandas():
    results = of_depths(3, 30)
    assert results.table.loc["dense-30 on digits", "optimizer"].tolist() == ["Adam", "L-Adam"]
    assert results.table["test %"].iloc[0] == "50.00 ± 0.00"
    assert results.runs.groupby(["model", "optimizer"])["test_accuracy"].max().tolist() == [0.5, 0.7, 0.5, 0.7]
    differences = results.differences_table.set_index("model")
    assert differences.loc["dense-3", "mean"] == pytest.approx(-10 / 3)
    assert differences[["mean", "low", "high", "p_value"]].dtypes.tolist() == [float] * 4  # they can be drawn
    assert (differences.loc["dense-3", "low"], differences.loc["dense-3", "high"]) == of_depths(3).intervals[
        "L-Adam − Adam"
    ]
