import dataclasses
import json
import shutil

import pytest

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.report.collecting import collect
from keras_langevin.experiments.store import Store
from tests.experiments.records import COMPARISON, created, failed, of_seeds, record, write_folder

DEEP = dataclasses.replace(COMPARISON, model="dense-30")
SHALLOW = dataclasses.replace(COMPARISON, model="dense-3")


def runs(cell):
    return [(run.arm.spec, run.seed, run.test_accuracy) for run in cell.runs]


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_folders_are_found_at_any_depth_and_sorted_by_depth_of_the_net(tmp_path):
    write_folder(tmp_path / "a" / "b" / "deep", DEEP, of_seeds([0.1], [0.9]))
    write_folder(tmp_path / "shallow", SHALLOW, of_seeds([0.8], [0.7]))
    cells = collect([tmp_path])
    assert [cell.comparison.model for cell in cells] == ["dense-3", "dense-30"]
    assert runs(cells[1]) == [("adam", 0, 0.1), ("ladam", 0, 0.9)]
    assert [cell.comparison.model for cell in collect([tmp_path / "shallow"])] == ["dense-3"]


def test_only_the_folder_itself_is_read_on_request(tmp_path):
    write_folder(tmp_path, SHALLOW, of_seeds([0.8], []))
    write_folder(tmp_path / "below", DEEP, of_seeds([0.1], []))
    assert len(collect([tmp_path])) == 2
    assert [cell.comparison.model for cell in collect([tmp_path], recursive=False)] == ["dense-3"]


def test_a_folder_counts_once_however_often_it_is_named(tmp_path):
    folder = write_folder(tmp_path / "results", DEEP, of_seeds([0.1], [0.9]))
    (tmp_path / "link").symlink_to(folder)
    (cell,) = collect([tmp_path, folder, folder / ".", tmp_path / "link"])
    assert len(cell.runs) == 2 and cell.folders == (str(folder),)


def test_cells_that_differ_in_optimizers_and_seeds_alone_are_merged(tmp_path):
    write_folder(tmp_path / "first", DEEP, of_seeds([0.1, 0.2], [0.9]))
    other = dataclasses.replace(DEEP, optimizers=("ladam@0.3", "Adam"), seeds=5)
    write_folder(
        tmp_path / "second", other, [record("ladam@0.3", 4, 0.7), record("Adam", 1, 0.2), record("Adam", 2, 1)]
    )
    (cell,) = collect([tmp_path / "first", tmp_path / "second"])
    assert runs(cell) == [
        ("adam", 0, 0.1),
        ("adam", 1, 0.2),
        ("adam", 2, 1.0),
        ("ladam", 0, 0.9),
        ("ladam@0.3", 4, 0.7),
    ]
    assert [arm.num_planned for arm in cell.arms] == [5, 3, 5]
    assert [arm.label for arm in cell.arms] == ["Adam", "L-Adam", "30%-Layer L-Adam"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"sigma": 0.1}, {}),
        ({"epochs": 4}, {}),
        ({"dataset": "mnist"}, {}),
        ({}, {"backend": "jax"}),
        ({}, {"dataset_note": "JPEG copy"}),
    ],
)
def test_other_settings_are_other_cells(change, found, tmp_path):
    write_folder(tmp_path / "first", DEEP, of_seeds([0.1], []))
    write_folder(tmp_path / "second", dataclasses.replace(DEEP, **change), of_seeds([0.2], []), **found)
    cells = collect([tmp_path])
    assert len(cells) == 2
    if "dataset_note" in found:
        assert {cell.dataset_label for cell in cells} == {"digits", "digits (JPEG copy)"}


def test_the_order_of_folders_does_not_change_the_runs(tmp_path):
    write_folder(tmp_path / "a", DEEP, of_seeds([0.1, 0.2], [0.9]))
    write_folder(tmp_path / "b", DEEP, of_seeds([0.1, 0.2, 0.3], [0.9, 0.8]))
    (forward,), (backward,) = collect([tmp_path / "a", tmp_path / "b"]), collect([tmp_path / "b", tmp_path / "a"])
    assert runs(forward) == runs(backward) and len(forward.runs) == 5


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"test_accuracy": 0.2}, "test_accuracy"),
        ({"train_loss": 7.0}, "train_loss"),
        ({"status": "diverged"}, "status"),
    ],
)
def test_the_same_run_with_other_numbers_is_an_error_that_names_both_files(change, what, tmp_path):
    for name in ("a", "b"):
        write_folder(tmp_path / name, DEEP, of_seeds([0.1], [0.9]))
    paths = [tmp_path / name / "runs" / "adam-seed-0.json" for name in ("a", "b")]
    edit(paths[1], **change)
    with pytest.raises(ValueError, match=rf"differ in {what}. Report them apart, or remove one") as caught:
        collect([tmp_path])
    assert all(str(path) in str(caught.value) for path in paths)


def test_seconds_and_machine_are_no_conflict(tmp_path):
    for name in ("a", "b"):
        write_folder(tmp_path / name, DEEP, of_seeds([0.1], []))
    edit(tmp_path / "b" / "runs" / "adam-seed-0.json", seconds=99.0, provenance={"device": "another"})
    (cell,) = collect([tmp_path])
    assert len(cell.runs) == 1


def test_a_failed_run_gives_way_to_the_same_run_that_did_not_fail(tmp_path):
    write_folder(tmp_path / "a", DEEP, [failed("adam", 0), record("ladam", 0, 0.9)])
    write_folder(tmp_path / "b", DEEP, [record("adam", 0, 0.3), failed("ladam", 0), failed("ladam", 1)])
    (cell,) = collect([tmp_path])
    assert runs(cell) == [("adam", 0, 0.3), ("ladam", 0, 0.9), ("ladam", 1, None)]


def test_settings_of_another_version_are_settings(tmp_path):
    write_folder(tmp_path / "new", DEEP, of_seeds([0.1], []))
    write_folder(tmp_path / "newer", DEEP, of_seeds([0.2], []))
    shutil.copytree(tmp_path / "new", tmp_path / "older")
    edit(tmp_path / "newer" / "config.json", momentum="half")
    config = json.loads((tmp_path / "older" / "config.json").read_text())
    del config["standardize"]  # older versions had no such option and behaved like its default
    (tmp_path / "older" / "config.json").write_text(json.dumps(config))
    cells = collect([tmp_path])
    assert {cell.settings.get("momentum"): len(cell.folders) for cell in cells} == {None: 2, "half": 1}


def test_what_the_package_calls_an_optimizer_with_must_agree(tmp_path):
    for name in ("a", "b"):
        write_folder(tmp_path / name, DEEP, of_seeds([0.1], []))
    arguments = json.loads((tmp_path / "b" / "config.json").read_text())["arguments"]
    edit(tmp_path / "b" / "config.json", arguments=arguments | {"adam": {"learning_rate": 0.5}})
    with pytest.raises(ValueError, match=r"must have equal arguments of adam\. Received: .*0\.001.* in .*0\.5"):
        collect([tmp_path])


RUN = "runs/adam-seed-0.json"
WRONG = [
    (RUN, "{", "must be the record of a run, in JSON"),
    (RUN, b"\xff\xfe", "must be the record of a run, in JSON"),
    (RUN, "[" * 100_000, "must be the record of a run, in JSON"),
    (RUN, "[]", "it must be a JSON object. Received: []"),
    (RUN, {"optimizer": None}, "`optimizer` must be a name. Received: None"),
    (RUN, {"optimizer": "a\u0000b"}, "`optimizer` must be a name"),
    (RUN, {"optimizer": "lsgd"}, "config.json names: adam, ladam. Received: 'lsgd'"),
    (RUN, {"seed": -1}, "`seed` must be an int >= 0. Received: -1"),
    (RUN, {"seed": True}, "`seed` must be an int >= 0. Received: True"),
    (RUN, {"num_classes": 0}, "`num_classes` must be an int >= 1"),
    (RUN, {"num_classes": 3}, "must have equal numbers of classes"),
    (RUN, {"status": "done"}, "`status` must be one of finished, diverged, failed"),
    (RUN, {"status": []}, "`status` must be one of"),
    (RUN, {"test_accuracy": 97.0}, "`test_accuracy` must be in [0, 1]. Received: 97.0"),
    (RUN, {"test_accuracy": None}, "`test_accuracy` must be in [0, 1]. Received: None"),
    (RUN, {"test_accuracy": float("nan")}, "`test_accuracy` must be in [0, 1]. Received: nan"),
    (RUN, {"seconds": "2"}, "`seconds` must be a finite number or null"),
    (RUN, {"error": 5}, "`error` must be text or null"),
    (RUN, {"curves": []}, "`curves` must be an object"),
    (RUN, {"curves": {"train_loss": ["a"]}}, "`curves` must be lists of finite numbers or null, all of one length"),
    (RUN, {"curves": {"train_loss": [1.0]}}, "`curves` must be lists of finite numbers or null, all of one length"),
    (RUN, {"provenance": "here"}, "`provenance` must be an object or null"),
    ("config.json", "{", "must be the configuration of a comparison, in JSON"),
    ("config.json", "[]", "is not a configuration of a comparison. It must be a JSON object. Received: list"),
    ("config.json", '{"architectures": ["Bert"]}', "It must have model, dataset, optimizers, epochs, seeds, trial, "),
    ("config.json", {"optimizers": "adam"}, "`optimizers` must be a list of names"),
    ("config.json", {"optimizers": ["adam", 5]}, "Names must be printable text. Received: 5"),
    ("config.json", {"model": "a\nb"}, "Names must be printable text"),
    ("config.json", {"optimizers": []}, "Received: optimizers=[]."),
    ("config.json", {"epochs": 0}, "`epochs` must be an int from 1 to"),
    ("config.json", {"sigma": "x"}, "is not a configuration of a comparison"),
    ("config.json", {"arguments": []}, "`arguments` must be an object"),
    *(("config.json", {"seeds": number}, "`seeds` must be an int from 1 to 100,000") for number in (10**9, 10**30)),
    *(("config.json", {"epochs": number}, "`epochs` must be an int from 1 to") for number in (2**31, 10**30)),
    *(("config.json", {"sigma": number}, "`sigma` must be a float >= 0 that float32") for number in (1e39, 10**400)),
    (RUN, {"test_loss": 10**400}, "`test_loss` must be a finite number or null"),
    ("config.json", {"data_sha256": 5}, "`data_sha256` must be text"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), WRONG, ids=range(len(WRONG)))
def test_a_corrupt_or_foreign_file_is_named(name, content, message, tmp_path):
    path = write_folder(tmp_path, DEEP, of_seeds([0.1], [0.9])) / name
    if isinstance(content, dict):
        edit(path, **content)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="Received") as caught:
        collect([tmp_path])
    assert message in str(caught.value) and str(path) in str(caught.value)
    assert str(caught.value).rstrip(".").rpartition(". ")[2].split()[0] in {"Remove", "Move", "Leave", "Report"}


def test_results_of_different_data_are_not_merged(tmp_path):
    for name, data in (("one", "1"), ("two", "2"), ("older", "")):
        created(Store(tmp_path / name, DEEP, data))
        write_folder(tmp_path / name, DEEP, of_seeds([0.1], [0.9]))
    assert len(collect([tmp_path / "one", tmp_path / "older"])) == 1
    with pytest.raises(ValueError, match=r"equal data\. Received: 1 in .*one, 2 in .*two\. Report them apart"):
        collect([tmp_path])


def test_a_folder_without_results_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"There must be results.*Name the folder that `keras-langevin compare` wrote"):
        collect([tmp_path])
    with pytest.raises(ValueError, match=r"nowhere, which is not a folder"):
        collect([tmp_path / "nowhere"])


def test_hidden_and_other_files_are_passed_over(tmp_path):
    """Files that a killed process leaves behind, and files that a runner may keep next to the records."""
    write_folder(tmp_path, DEEP, of_seeds([0.1], []))
    for name in (".adam-seed-1.json.x1y2", ".hidden.json", "adam-seed-1.csv", "notes.txt"):
        (tmp_path / "runs" / name).write_text("{")
    (cell,) = collect([tmp_path])
    assert len(cell.runs) == 1


def test_two_optimizers_that_would_be_called_alike_are_told_apart(tmp_path):
    first = Comparison(optimizers=("adam", "ladam@0.3"), epochs=3)
    write_folder(tmp_path / "a", first, [record("ladam@0.3", 0, 0.5)])
    second = dataclasses.replace(first, optimizers=("adam", "ladam@0.301"))
    write_folder(tmp_path / "b", second, [record("ladam@0.301", 0, 0.6)])
    (cell,) = collect([tmp_path])
    assert [arm.label for arm in cell.arms] == [
        "Adam",
        "30%-Layer L-Adam (ladam@0.3)",
        "30%-Layer L-Adam (ladam@0.301)",
    ]
