import csv
import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.store import Store
from keras_langevin.files import check_writable, replaced
from tests.experiments.records import COMPARISON, created, failed, record

ADAM, LADAM = COMPARISON.arms


def test_records_come_back_in_the_order_of_the_configuration(tmp_path):
    store = created(Store(tmp_path / "new" / "folder", COMPARISON))
    store.write(LADAM, 1, record("ladam", 1, 0.9))
    store.write(ADAM, 2, record("adam", 2, 0.8))
    store.write(ADAM, 0, record("adam", 0, 0.7))
    found = Store(tmp_path / "new" / "folder", COMPARISON).records()
    assert [(run["optimizer"], run["seed"]) for run in found] == [("adam", 0), ("adam", 2), ("ladam", 1)]
    assert found[0] == record("adam", 0, 0.7)


def test_opening_a_store_writes_nothing(tmp_path):
    store = Store(tmp_path / "results", COMPARISON)
    assert store.records() == [] and not store.finished(ADAM, 0)
    assert not list(tmp_path.iterdir())
    before = {path: path.stat().st_mtime_ns for path in created(store).folder.rglob("*")}
    Store(tmp_path / "results", replace(COMPARISON, seeds=9)).records()
    assert {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")} == before


def test_a_failed_run_is_tried_again_and_a_finished_one_is_not(tmp_path):
    store = created(Store(tmp_path, COMPARISON))
    store.write(ADAM, 0, failed("adam", 0))
    store.write(ADAM, 1, record("adam", 1, 0.7))
    store.write(ADAM, 2, record("adam", 2, 0.1, status="diverged"))
    assert [store.finished(ADAM, seed) for seed in range(3)] == [False, True, True]
    assert not store.finished(LADAM, 0)


def test_curves_have_a_line_for_each_epoch(tmp_path):
    store = created(Store(tmp_path, COMPARISON))
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
    created(Store(tmp_path, COMPARISON))
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
    created(Store(tmp_path, COMPARISON)).write(LADAM, 2, record("ladam", 2, 0.9))
    wider = Store(tmp_path, replace(COMPARISON, seeds=5))
    assert seeds_on_record(tmp_path) == 3
    with wider.locked():
        assert seeds_on_record(tmp_path) == 5
        assert wider.finished(LADAM, 2) and not wider.finished(LADAM, 4)
        wider.write(LADAM, 4, record("ladam", 4, 0.8))
    assert [run["seed"] for run in wider.records()] == [2, 4]


def test_a_folder_never_gives_up_seeds(tmp_path):
    created(Store(tmp_path, COMPARISON)).write(LADAM, 2, record("ladam", 2, 0.9))
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
    created(Store(tmp_path, COMPARISON)).path(ADAM, 0).write_text("{")
    with pytest.raises(ValueError, match=r"adam-seed-0.json must be the record of a run, in JSON"):
        Store(tmp_path, COMPARISON)


@pytest.mark.parametrize(
    "content", ["{}", "[]", "null", "5", '"text"', '{"optimizer": "adam", "seed": 0, "num_classes": 10}', "1e999"]
)
def test_other_json_in_place_of_a_record_is_named(content, tmp_path):
    store = created(Store(tmp_path, COMPARISON))
    store.path(ADAM, 1).write_text(content)
    for read in (lambda: Store(tmp_path, COMPARISON), store.records, lambda: store.finished(ADAM, 1)):
        with pytest.raises(
            ValueError, match=r"adam-seed-1.json is not a record of a run.*Remove it to repeat that run"
        ):
            read()


def test_the_record_of_another_run_is_refused(tmp_path):
    store = created(Store(tmp_path, COMPARISON))
    store.write(ADAM, 0, record("adam", 0, 0.5))
    store.path(ADAM, 0).rename(store.path(LADAM, 2))
    with pytest.raises(
        ValueError, match=r"must be the record of ladam, seed 2. Received one of 'adam', seed 0. Remove"
    ):
        Store(tmp_path, COMPARISON)


def test_other_data_of_the_same_name_are_refused(tmp_path):
    for again in range(2):
        store = Store(tmp_path, COMPARISON, "one")
        with store.locked():
            store.write(ADAM, again, record("adam", again, 0.5))
    assert json.loads((tmp_path / "config.json").read_text())["data_sha256"] == "one"
    with pytest.raises(ValueError, match=r"trained on other data of the same name.*'one'.*--data-file"):
        Store(tmp_path, replace(COMPARISON, seeds=9), "two")


def test_a_folder_of_an_older_version_takes_the_data_that_it_is_resumed_with(tmp_path):
    created(Store(tmp_path, COMPARISON))
    with Store(tmp_path, COMPARISON, "one").locked():
        pass
    with pytest.raises(ValueError, match="other data"):
        Store(tmp_path, COMPARISON, "two")
    assert Store(tmp_path, COMPARISON).data_sha256 == "one"


def test_of_two_that_begin_one_folder_with_other_settings_one_is_refused(tmp_path):
    """Eight start at a time, all delayed between looking for a configuration and writing their own."""
    for folder in (tmp_path / str(number) for number in range(20)):
        begin = threading.Barrier(8)

        def start(epochs, folder=folder, begin=begin):
            begin.wait()
            try:
                with Store(folder, replace(COMPARISON, epochs=epochs)).locked():
                    return json.loads((folder / "config.json").read_text())["epochs"] == epochs
            except ValueError as error:
                return str(error)

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(start, range(1, 9)))
        refused = [text for text in found if text is not True]
        assert found.count(True) == 1 and len(refused) == 7
        assert all("another configuration" in text or "Another process" in text for text in refused)


def test_pieces_of_files_of_killed_processes_are_removed_under_the_lock(tmp_path):
    store = created(Store(tmp_path, COMPARISON))
    for path in (store.path(ADAM, 0), store.checkpoint(ADAM, 0).path, tmp_path / "report.html", tmp_path / "a.png"):
        with replaced(path) as file:
            (piece,) = path.parent.glob(f".{path.name}.*.part")
            file.write("half")
        path.rename(piece)  # as after a kill
        if path.name == "report.html":
            os.utime(piece, (1, 1))
    assert len(list(tmp_path.rglob(".*.part"))) == 4
    kept = {".gitignore", ".notes.settings"}
    for name in kept:
        (tmp_path / "runs" / name).write_text("")
    with store.locked():
        pass
    # the newest one next to the runs may belong to a report that is being written
    assert [path.name.partition(".png")[0] for path in tmp_path.rglob(".*.part")] == [".a"]
    assert kept <= set(os.listdir(tmp_path / "runs"))


@pytest.mark.parametrize("name", ["x" * 300, "caf\udce9", "a/" + "é" * 200])
def test_a_name_that_a_file_system_or_a_report_cannot_have_is_one_line(name, tmp_path):
    with pytest.raises(
        ValueError, match=r"^(A file or folder|The name of a file or folder) must have.*Choose another"
    ) as e:
        Store(tmp_path / name, COMPARISON)
    str(e.value).encode()
    with pytest.raises(ValueError, match="must have"):
        check_writable(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_lock_that_is_a_link_is_one_line(tmp_path):
    store = created(Store(tmp_path, COMPARISON))
    (tmp_path / ".lock").unlink(missing_ok=True)
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"\.lock must be a plain file"), store.locked():
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_files_have_the_permissions_of_the_umask(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        created(Store(tmp_path, COMPARISON)).write(ADAM, 0, record("adam", 0, 0.5))
    finally:
        os.umask(before)
    paths = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]
    assert len(paths) == 3 and {stat.S_IMODE(path.stat().st_mode) for path in paths} == {mode}


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be written.*Choose another --out"):
        created(Store(tmp_path / "file" / "results", COMPARISON))


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
