"""Settings of comparisons, configuration files, records: everything that is wrong raises a documented error."""

import dataclasses
import json
import tomllib

import pytest
from hypothesis import strategies as st

from keras_langevin.experiments import report, tuning
from keras_langevin.experiments.config import SETTINGS, Sweep, config_text, read_config
from keras_langevin.experiments.records import checked_run
from keras_langevin.experiments.store import Store
from tests.experiments.records import COMPARISON, created, of_seeds, record, write_folder
from tests.fuzz.many import ANYTHING, check, fuzzed, refused

GOOD = {
    "model": st.sampled_from(["dense-3", "dense", "resnet-20"]),
    "depth": st.integers(1, 40),
    "dataset": st.sampled_from(["digits", "mnist", "cifar10"]),
    "optimizers": st.sampled_from([["adam"], ["adam", "ladam", "ladam@0.3"], ["sgd", "lsgd@2"]]),
    "epochs": st.integers(1, 100),
    "batch_size": st.integers(1, 1000),
    "learning_rate": st.floats(1e-6, 10),
    "sigma": st.floats(0, 10),
    "seeds": st.integers(1, 20),
    "validation_fraction": st.floats(0.01, 0.9),
    "augment": st.sampled_from(["none", "crop-flip", "crop-flip-4"]),
    "standardize": st.booleans(),
    "precision": st.sampled_from(["float32", "mixed_bfloat16"]),
    "jit": st.sampled_from(["auto", "on", "off"]),
    "tuning_trials": st.integers(0, 9),
    "tuning_seeds": st.integers(1, 3),
    "tuning_epochs": st.integers(1, 3),
}
ANY_SETTINGS = st.fixed_dictionaries(
    {},
    optional={name: st.one_of(GOOD.get(name, ANYTHING), ANYTHING, st.lists(ANYTHING, max_size=3)) for name in SETTINGS},
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 100), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@fuzzed
def test_settings_are_taken_or_refused(cases):
    seen = {"taken": 0, "refused": 0}

    def agrees(settings):
        try:
            sweep = Sweep(settings)
        except ValueError as error:
            assert refused(error) or "Did you mean" in str(error) or "expected" in str(error).lower(), error
            seen["refused"] += 1
        else:
            seen["taken"] += 1
            for comparison in sweep.comparisons:
                assert comparison.folder_name() == dataclasses.replace(comparison).folder_name()
                json.dumps(comparison.as_dict(), allow_nan=False)

    check(cases, agrees, ANY_SETTINGS)
    assert seen["refused"] > cases // 4, seen


@fuzzed
def test_good_settings_survive_the_file(cases, tmp_path):
    path = tmp_path / "experiment.toml"

    def agrees(settings):
        settings.pop("depth", None) if settings.get("model") != "dense" else settings.setdefault("depth", 3)
        if settings.get("tuning_trials") and settings.get("sigma") == 0:
            del settings["sigma"]
        path.write_text(config_text(settings), "utf-8")
        assert read_config(path) == tomllib.loads(config_text(settings)) == settings
        assert Sweep(read_config(path)) == Sweep(settings)

    others = {name: strategy for name, strategy in GOOD.items() if name != "model"}
    good = st.fixed_dictionaries({"model": GOOD["model"]}, optional=others)
    check(max(100, cases // 10), agrees, good)


@fuzzed
def test_no_text_is_a_configuration_that_crashes(cases, tmp_path):
    path = tmp_path / "experiment.toml"

    def agrees(text):
        path.write_bytes(text)
        try:
            Sweep(read_config(path))
        except ValueError as error:
            assert "Received" in str(error) or "Did you mean" in str(error) or "nknown" in str(error), error

    lines = st.lists(
        st.tuples(
            st.sampled_from(list(SETTINGS)),
            st.sampled_from(["1", "-1", "[]", '"x"', "1e400", "nan", "{}", "true", "[1,1]"]),
        )
    )
    check(
        cases,
        agrees,
        st.one_of(st.binary(max_size=60), lines.map(lambda pairs: "".join(f"{k} = {v}\n" for k, v in pairs).encode())),
    )


@fuzzed
def test_records_are_read_or_refused(cases, tmp_path):
    good = record("adam", 0, 0.5)
    fields = [*good, "arguments", "provenance", "error"]

    def agrees(changes, removed):
        changed = {name: value for name, value in (good | changes).items() if name not in removed}
        try:
            run = checked_run(changed, tmp_path / "runs" / "adam-seed-0.json")
        except ValueError as error:
            assert refused(error)
        else:
            assert run.status == "failed" or 0 <= run.test_accuracy <= 1

    changes = st.dictionaries(st.sampled_from(fields), st.one_of(JSON, ANYTHING), max_size=3)
    check(cases, agrees, changes, st.sets(st.sampled_from(fields), max_size=2))


@fuzzed
def test_folders_are_reported_or_refused(cases, tmp_path):
    """With random entries in configuration, record and search, a report is written or the error names the file."""
    comparison = dataclasses.replace(COMPARISON, tuning_trials=2)
    folder = write_folder(tmp_path / "results", comparison, of_seeds([0.5, 0.6], [0.7, 0.8]))
    config, run = folder / "config.json", created(Store(folder, comparison)).path(comparison.arms[0], 0)
    search = folder / tuning.FILE
    search.write_text(json.dumps({"made_for": {}}))
    before = {path: json.loads(path.read_text()) for path in (config, run, search)}
    names = {path: [*content, "adam", "ladam"] for path, content in before.items()}

    def agrees(which, place, value):
        path = (config, run, search)[which]
        content = dict(before[path])
        content[names[path][place % len(names[path])]] = value
        try:
            path.write_text(json.dumps(content))
            report.analyse(report.collect([folder]))
        except ValueError as error:
            assert str(folder) in str(error)
        finally:
            path.write_text(json.dumps(before[path]))

    check(max(100, cases // 10), agrees, st.integers(0, 2), st.integers(0, 30), JSON)
    with pytest.raises(ValueError, match="adam-seed-0"):
        run.write_text("[" * 100_000)
        report.collect([folder])
