import csv
import json
import os
from dataclasses import replace

import pytest

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.store import Store
from keras_langevin.files import replaced
from tests.experiments.records import COMPARISON, failed, record

ADAM, LADAM = COMPARISON.arms


def test_records_come_back_in_the_order_of_the_configuration(tmp_path):
    store = Store(tmp_path / "new" / "folder", COMPARISON)
    store.write(LADAM, 1, record("ladam", 1, 0.9))
    store.write(ADAM, 2, record("adam", 2, 0.8))
    store.write(ADAM, 0, record("adam", 0, 0.7))
    found = Store(tmp_path / "new" / "folder", COMPARISON).records()
    assert [(run["optimizer"], run["seed"]) for run in found] == [("adam", 0), ("adam", 2), ("ladam", 1)]
    assert found[0] == record("adam", 0, 0.7)


def test_a_failed_run_is_tried_again_and_a_finished_one_is_not(tmp_path):
    store = Store(tmp_path, COMPARISON)
    store.write(ADAM, 0, failed("adam", 0))
    store.write(ADAM, 1, record("adam", 1, 0.7))
    store.write(ADAM, 2, record("adam", 2, 0.1, status="diverged"))
    assert [store.finished(ADAM, seed) for seed in range(3)] == [False, True, True]
    assert not store.finished(LADAM, 0)


def test_curves_have_a_line_for_each_epoch(tmp_path):
    store = Store(tmp_path, COMPARISON)
    store.write(ADAM, 0, record("adam", 0, 0.7))
    store.write(LADAM, 0, record("ladam", 0, 0.9, status="diverged", epochs=2))
    store.write(LADAM, 1, failed("ladam", 1))
    with open(tmp_path / "curves.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["optimizer"], line["epoch"]) for line in lines] == [
        ("adam", "1"),
        ("adam", "2"),
        ("adam", "3"),
        ("ladam", "1"),
        ("ladam", "2"),
    ]
    assert float(lines[2]["validation_accuracy"]) == 0.7


def test_results_of_another_configuration_are_left_alone(tmp_path):
    Store(tmp_path, COMPARISON)
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(ValueError, match=r"another configuration \(it differs in epochs, seeds\)"):
        Store(tmp_path, replace(COMPARISON, epochs=4, seeds=4))
    assert (tmp_path / "config.json").read_text() == before


def test_a_configuration_of_something_else_is_named(tmp_path):
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"config.json must be what `compare` wrote"):
        Store(tmp_path, COMPARISON)


def seeds_on_record(folder):
    return json.loads((folder / "config.json").read_text())["seeds"]


def test_a_folder_takes_more_seeds_once_it_is_locked(tmp_path):
    Store(tmp_path, COMPARISON).write(LADAM, 2, record("ladam", 2, 0.9))
    wider = Store(tmp_path, replace(COMPARISON, seeds=5))
    assert seeds_on_record(tmp_path) == 3
    with wider.locked():
        assert seeds_on_record(tmp_path) == 5
        assert wider.finished(LADAM, 2) and not wider.finished(LADAM, 4)
        wider.write(LADAM, 4, record("ladam", 4, 0.8))
    assert [run["seed"] for run in wider.records()] == [2, 4]


def test_a_folder_never_gives_up_seeds(tmp_path):
    Store(tmp_path, COMPARISON).write(LADAM, 2, record("ladam", 2, 0.9))
    fewer = Store(tmp_path, replace(COMPARISON, seeds=1))
    with fewer.locked():
        fewer.write(LADAM, 0, record("ladam", 0, 0.8))
    assert fewer.comparison.seeds == seeds_on_record(tmp_path) == 3
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert {line.split(",")[1] for line in lines[1:]} == {"0", "2"}


def test_of_two_that_add_seeds_the_larger_number_stays(tmp_path):
    first, second = (Store(tmp_path, replace(COMPARISON, seeds=seeds)) for seeds in (5, 4))
    with first.locked():
        pass
    with second.locked():
        assert second.comparison.seeds == seeds_on_record(tmp_path) == 5


def test_a_corrupt_record_is_named(tmp_path):
    Store(tmp_path, COMPARISON).path(ADAM, 0).write_text("{")
    with pytest.raises(ValueError, match=r"adam-seed-0.json must be the record of a run, in JSON"):
        Store(tmp_path, COMPARISON)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be written.*Choose another --out"):
        Store(tmp_path / "file" / "results", COMPARISON)


def test_an_optimizer_with_slashes_stays_in_the_folder(tmp_path):
    comparison = Comparison(optimizers=("ladam@../../x",))
    store = Store(tmp_path, comparison)
    assert store.path(comparison.arms[0], 0).parent == tmp_path / "runs"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "value.json"
    path.write_text('"old"')
    with pytest.raises(KeyboardInterrupt), replaced(path) as file:
        file.write('"half')
        raise KeyboardInterrupt
    assert json.loads(path.read_text()) == "old"
    with replaced(path) as file:
        file.write('"new"')
    assert json.loads(path.read_text()) == "new"
    assert os.listdir(tmp_path) == ["value.json"]
