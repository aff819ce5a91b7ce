import dataclasses

import pytest

from keras_langevin import cli, datasets
from keras_langevin.experiments import tuning
from keras_langevin.experiments.comparing import compare, prepared
from keras_langevin.experiments.config import Sweep
from tests.quick import JIT

QUICK = {"model": "dense-1", "optimizers": ["sgd", "lsgd"], "epochs": 2, "batch_size": 256, "seeds": 2, "jit": JIT}
QUICK |= {"limit": 600}


def times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("**/runs/*.json")}


@pytest.mark.usefixtures("blank_pictures")
def test_it_trains_says_so_and_returns_numbers_and_the_second_time_trains_nothing(tmp_path, capsys):
    """The command does not train again either."""
    results = compare(tmp_path, **QUICK)
    assert "L-SGD, seed 1: test accuracy" in capsys.readouterr().out
    assert {name: curves.shape for name, curves in results.curves("train_loss").items()} == {
        "SGD": (2, 2),
        "L-SGD": (2, 2),
    }
    assert len(results.differences["L-SGD − SGD"]) == 2 and results.folder == tmp_path
    before = times(tmp_path)
    again = compare(tmp_path, **QUICK, verbose=False)
    assert times(tmp_path) == before and repr(again) == repr(results)
    assert cli.main(["compare", "--config", str(tmp_path / "experiment.toml"), "--out", str(tmp_path)]) == 0
    assert times(tmp_path) == before


def test_planning_makes_no_folders(tmp_path):
    jobs, out = prepared(Sweep(QUICK | {"epochs": [1, 2], "tuning_trials": 2}), tmp_path / "out")
    assert len(jobs) == 2 and out == tmp_path / "out"
    planned = []
    with pytest.raises(ValueError, match="must be on record"):
        tuning.settled(jobs, lambda trials, extends: planned.extend(trials))
    assert len(planned) == 8 and not out.exists()


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.ci
def test_a_list_is_a_grid_in_the_commands_own_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lists = {"model": "dense", "depth": [1, 2]}
    results = compare(**QUICK | lists | {"seeds": 1, "epochs": 1}, verbose=False)
    assert not capsys.readouterr().out
    assert results.folder.parts[0] == "keras-langevin-results"
    assert list(results.differences_by_depth["L-SGD − SGD"]) == [1, 2]


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.ci
def test_a_search_comes_first_where_it_is_asked_for(tmp_path):
    results = compare(tmp_path, **QUICK | {"tuning_trials": 2, "seeds": 1, "epochs": 1}, verbose=False)
    assert (tmp_path / "tuning.json").exists()
    assert len(results.differences["L-SGD − SGD"]) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modle": "dense-1"}, "Unknown setting 'modle'. Did you mean 'model'?"),
        ({"model": "dens-1"}, "Did you mean 'dense-1'"),
        ({"seeds": [1, 2]}, "`seeds` must have one value"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_written(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        compare(tmp_path / "out", **QUICK | settings)
    assert not (tmp_path / "out").exists()


def test_a_comparison_is_not_resumed_with_other_data_of_the_same_name(tmp_path, monkeypatch):
    """An unfinished run is not resumed either. Nothing is trained, and finished runs stay."""
    quickest = QUICK | {"epochs": 1, "seeds": 1, "optimizers": ["sgd"]}
    compare(tmp_path, **quickest, verbose=False)
    before = times(tmp_path)
    load = datasets.load

    def other(*arguments, **keywords):
        data = load(*arguments, **keywords)
        return dataclasses.replace(data, train=datasets.Split(data.train.x, data.train.y[::-1].copy()))

    monkeypatch.setattr(datasets, "load", other)
    with pytest.raises(ValueError, match=r"trained on other data of the same name.*--data-file.*another --out"):
        compare(tmp_path, **quickest | {"seeds": 4}, verbose=False)
    assert times(tmp_path) == before
