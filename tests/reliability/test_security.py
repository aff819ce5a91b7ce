"""Files from untrusted sources are data: nothing in them is run, unpickled or followed out of its folder."""

import ast
import dataclasses
import functools
import inspect
import itertools
import json
import os
import pickle
import stat
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_langevin
from keras_langevin import archive, datasets, models
from keras_langevin.experiments import report
from keras_langevin.experiments.config import Comparison, Sweep
from keras_langevin.experiments.engines import processes
from keras_langevin.experiments.records import Checkpoint
from keras_langevin.experiments.store import Store
from keras_langevin.optimizers import REGISTRY
from keras_langevin.sampling import GaussianPrior, samples
from tests.experiments.records import COMPARISON, created, of_seeds, write_folder
from tests.optimizers.cases import CASES, case_name

PACKAGE = Path(keras_langevin.__file__).parent
HOSTILE = ("../../outside", "/etc/outside", "a/../../../outside", "..", "a\\..\\outside", "a\0b", "con: ?*", "é" * 300)


# --- files are data ---------------------------------------------------------------------------------------------------


@functools.cache
def calls() -> list[tuple[str, str, dict[str | None, str]]]:
    """Returns (file, function, keyword arguments) for each call in the package's source. Cached, and without the syntax
    trees, which take long to build in a process with many objects."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                found.append((str(path.relative_to(PACKAGE)), ast.unparse(node.func), given))
    return found


def test_nothing_evaluates_text():
    names = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "marshal.loads", "shelve.open"}
    names |= {"yaml.load", "dill.loads", "cloudpickle.loads", "torch.load"}
    assert not [(file, name) for file, name, _ in calls() if name in names]
    assert not [file for file, name, given in calls() if "shell" in given]


def test_arrays_are_read_without_pickle():
    loads = [(file, given) for file, name, given in calls() if name == "np.load"]
    assert loads
    for file, given in loads:
        assert given["allow_pickle"] == "False", file


def test_only_worker_processes_are_sent_pickles(monkeypatch):
    """They are sent through a folder of this process that nobody else can write."""
    users = {file for file, name, _ in calls() if name.startswith(("pickle.", "joblib."))}
    assert users == {os.path.join("experiments", "engines", "processes.py")}
    assert "tempfile.TemporaryDirectory(" in inspect.getsource(processes)
    with tempfile.TemporaryDirectory() as folder:
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


READERS = {
    "checkpoint": lambda path: Checkpoint(path, {}, 1).read(),
    "archive": archive.read,
    "data": lambda path: datasets.load("mnist", data_file=path),
}


@pytest.mark.parametrize("kind", ["pickle", "array"])
@pytest.mark.parametrize("reader", READERS)
def test_a_pickle_in_place_of_a_file_is_not_opened(reader, kind, tmp_path):
    mark, path = tmp_path / "opened", tmp_path / "file.npz"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        with open(path, "wb") as file:
            np.savez(file, np.array([Bomb(mark)], dtype=object), head=np.array([Bomb(mark)], dtype=object))
    with pytest.raises((ValueError, *archive.UNREADABLE)):
        READERS[reader](path)
    assert not mark.exists()


def test_a_pickle_among_samples_is_not_opened(tmp_path):
    mark = tmp_path / "opened"
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "sample-0.npz").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ValueError):
        samples.load(folder, models.dense(1, input_shape=(4,), num_classes=2))
    assert not mark.exists()


# --- names do not lead out of a folder --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("setting", ["model", "dataset", "optimizers"])
def test_a_name_leads_out_of_no_folder(setting, name, tmp_path):
    """Every file of a comparison is in the chosen folder, whatever the names of model, data and optimizers."""
    results = tmp_path / "results"
    comparison = Comparison(**{setting: ["adam", f"ladam@{name}"] if setting == "optimizers" else name})
    folder = results / comparison.folder_name()
    assert len(Path(comparison.folder_name()).parts) == 1 and folder.resolve().parent == results.resolve()
    store = created(Store(folder, comparison))
    for arm, seed in comparison.runs:
        for path in (store.path(arm, seed), store.weights_path(arm, seed), store.checkpoint(arm, seed).path):
            assert path.resolve().parent == (folder / "runs").resolve()
            assert len(path.name.encode()) < 255
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents]
    assert not outside


def test_a_grid_has_a_folder_for_each_of_hostile_names(tmp_path):
    sweep = Sweep({"model": list(HOSTILE[:3]), "dataset": "digits"})
    folders = {(tmp_path / sweep.folder_name() / each.folder_name()).resolve() for each in sweep.comparisons}
    assert len(folders) == 3 and {path.parent for path in folders} == {(tmp_path / sweep.folder_name()).resolve()}


def test_no_two_optimizers_share_a_file(tmp_path):
    specs = ("ladam@a/b", "ladam@a_b", "ladam@A_b", "ladam@a b", "ladam@" + "x" * 200, "ladam@" + "x" * 201, "ladam@é")
    comparison = Comparison(optimizers=specs)
    store = created(Store(tmp_path, comparison))
    paths = [str(store.path(arm, 0)).lower() for arm in comparison.arms]
    assert len(set(paths)) == len(specs)
    assert store.path(Comparison(optimizers=("ladam@0.3",)).arms[0], 0).name == "ladam@0.3-seed-0.json"


def test_a_record_that_names_a_path_is_not_followed(tmp_path):
    """The path in the record is shown, and no file is opened."""
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden words")
    records = of_seeds([0.5, 0.6], [0.7, 0.8])
    records[0] |= {"label": str(secret), "error": f"file://{secret}", "provenance": {"device": str(secret)}}
    folder = write_folder(tmp_path / "results", COMPARISON, records)
    report.write(report.analyse(report.collect([folder])), tmp_path / "report")
    for path in (tmp_path / "report").rglob("*"):
        assert not path.is_file() or b"hidden words" not in path.read_bytes()


@pytest.mark.parametrize("place", ["optimizer", "dataset", "model"])
def test_a_report_of_hostile_names_has_no_script(place, tmp_path):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    settings = {
        "optimizer": {"optimizers": ("adam", f"ladam@{hostile}")},
        "dataset": {"dataset": hostile},
        "model": {"model": hostile},
    }[place]
    comparison = dataclasses.replace(COMPARISON, **settings)
    records = of_seeds([0.5, 0.6, 0.5], [0.7, 0.8, 0.6])
    for record in records:
        record["optimizer"] = {"adam": "adam"}.get(record["optimizer"], comparison.optimizers[1])
        record["label"] = hostile
    folder = write_folder(tmp_path / "results", comparison, records)
    report.write(report.analyse(report.collect([folder])), tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text("utf-8").lower()
    assert "<script" not in page and "<img src=x" not in page and "alert(1)" in page


# --- models from untrusted sources ------------------------------------------------------------------------------------


def registered() -> list[str]:
    return sorted(name for name in keras.saving.get_custom_objects() if name.startswith("keras_langevin>"))


OBJECTS = {
    "RandomCropFlip": lambda: keras_langevin.RandomCropFlip(2, seed=1),
    "Highway": lambda: models.build("highway-2", input_shape=(4,), num_classes=2),
    "CyclicalCosine": lambda: keras_langevin.optimizers.CyclicalCosine(0.1, 10),
    "CyclicalNoise": lambda: keras_langevin.optimizers.CyclicalNoise(0.1, 10, 0.5),
    "LogSchedule": lambda: keras_langevin.LogSchedule(0.1, 0.5),
    "NoiseBurst": lambda: keras_langevin.NoiseBurst(0.1, 5),
    "GaussianPrior": lambda: GaussianPrior(0.3, 100),
    "LangevinMonitor": lambda: keras_langevin.LangevinMonitor(),
    "CyclicalLangevin": lambda: keras_langevin.CyclicalLangevin(2),
    "LayerScheduler": lambda: keras_langevin.LayerScheduler({0: 0.5}),
    "StepDown": lambda: keras_langevin.StepDown(3),
    "ReduceSigmaOnPlateau": lambda: keras_langevin.ReduceSigmaOnPlateau(),
} | {case_name(case): case.make for case in CASES}
# Its function belongs to the user, who registers it.
WITHOUT_CONFIGURATION = {"SigmaScheduler"}


def test_every_registered_object_is_here():
    names = {name.removeprefix("keras_langevin>") for name in registered()}
    assert names - WITHOUT_CONFIGURATION == set(OBJECTS)
    assert set(REGISTRY) >= {case_name(case).lower() for case in CASES}


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_safe_mode_loads_it(name):
    """From its configuration and through JSON, in Keras's safe mode, which refuses code."""
    thing = OBJECTS[name]()
    text = json.dumps(keras.saving.serialize_keras_object(thing))
    assert "__lambda__" not in text
    again = keras.saving.deserialize_keras_object(json.loads(text), safe_mode=True)
    assert type(again) is type(thing)


def test_safe_mode_refuses_a_lambda_in_an_optimizer():
    """A hostile file could have it instead of σ or the layers. Nothing is run."""
    for argument, where in itertools.product(("sigma", "layers"), CASES[:1]):
        config = json.loads(json.dumps(keras.optimizers.serialize(where.make())))
        hostile = keras.saving.serialize_keras_object(lambda *_: 1 / 0)
        config["config"][argument] = hostile
        with pytest.raises((ValueError, TypeError)):
            keras.saving.deserialize_keras_object(config, safe_mode=True)


def test_a_whole_model_in_safe_mode(tmp_path):
    model = models.build("highway-2", input_shape=(4,), num_classes=2)
    model.compile(keras_langevin.LAdam(sigma=keras_langevin.LogSchedule(0.1, 0.5), layers=0.5), loss="mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(again.optimizer) is keras_langevin.LAdam
