import tomllib

import pytest

from keras_langevin.experiments.config import SETTINGS, SWEPT, Comparison, Sweep, config_text, read_config


def test_each_point_of_the_grid_is_a_comparison():
    sweep = Sweep({"model": "dense", "depth": [3, 20, 30], "sigma": [1e-4, 1e-3], "seeds": 5, "epochs": [7]})
    assert len(sweep.comparisons) == 6
    assert sweep.axes == {"depth": [3, 20, 30], "sigma": [1e-4, 1e-3]}
    assert [comparison.model for comparison in sweep.comparisons[::2]] == ["dense-3", "dense-20", "dense-30"]
    assert {(comparison.seeds, comparison.epochs) for comparison in sweep.comparisons} == {(5, 7)}


def test_without_lists_it_is_the_comparison_itself():
    sweep = Sweep({"model": "dense-3", "optimizers": ["adam", "ladam"]})
    assert sweep.comparisons == (Comparison(model="dense-3", optimizers=("adam", "ladam")),)
    assert sweep.folder_name(backend="jax") == sweep.comparisons[0].folder_name(backend="jax")
    assert Sweep({}).comparisons == (Comparison(),)


def test_equal_sweeps_share_a_folder_and_others_do_not():
    names = [Sweep({"sigma": values}).folder_name() for values in ([1e-4, 1e-3], (1e-4, 1e-3), [1e-4, 1e-2])]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("sweep-sigma-")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigmas": 1.0}, r"Unknown setting 'sigmas'\. Did you mean 'sigma'\?"),
        ({"backend": "jax"}, "Unknown setting 'backend'"),
        ({"seeds": [1, 2]}, r"`seeds` must have one value\. Received: \[1, 2\]"),
        ({"sigma": []}, "`sigma` must have at least one value"),
        ({"sigma": [1.0, 1.0]}, "The values of `sigma` must differ"),
        ({"sigma": [1.0, -1.0]}, "`sigma` must be a float >= 0"),
        ({"precision": "mixed_bf16"}, r"`precision` must be float32, .* Received: precision='mixed_bf16'\. Leave"),
        ({"jit": ["on", "maybe"]}, r"`jit` must be auto, on or off\. Received: jit='maybe'"),
        ({"model": "dense-3", "depth": 4}, "`depth` must go with a model's family"),
        ({"model": "dense", "depth": [3, 0]}, "`depth` must be an int >= 1"),
        ({"model": "dense", "depth": True}, "`depth` must be an int >= 1"),
    ],
)
def test_bad_settings_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        Sweep(settings)


def test_a_file_gives_what_was_written(tmp_path):
    settings = {
        "model": "dense",
        "depth": [3, 30],
        "sigma": [1e-4, 0.001],
        "optimizers": ("adam", 'ladam@"é\\d'),
        "standardize": True,
        "limit": None,
    }
    path = tmp_path / "experiment.toml"
    path.write_text(config_text(settings), "utf-8")
    read = read_config(path)
    assert read == {name: list(v) if isinstance(v, tuple) else v for name, v in settings.items() if v is not None}
    assert Sweep(read).comparisons == Sweep(settings).comparisons


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = ", "must be a TOML file"),
        ("[grid]\nsigma = 1", "Unknown setting 'grid'"),
        ("[sigma]\na = 1", "`sigma` must be a float"),
    ],
)
def test_a_bad_file_is_an_error(text, message, tmp_path):
    path = tmp_path / "experiment.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        Sweep(read_config(path))
    with pytest.raises(ValueError, match="No such file"):
        read_config(tmp_path / "none.toml")


def test_every_setting_is_explained_where_it_is_documented():
    """The command reads its help from the docstring."""
    for setting in SETTINGS.values():
        assert setting.text and setting.text.endswith(".") and "  " not in setting.text
    assert SETTINGS["seeds"].text == "how many, starting at 0; runs on record are reused."
    assert "Raises" not in SETTINGS["tuning_seeds"].text


def test_a_depth_goes_with_the_family():
    assert Comparison(model="dense", depth=3) == Comparison(depth=3) == Comparison(model="dense-3")
    with pytest.raises(ValueError, match="Received: model='dense-30', depth=3"):
        Comparison(model="dense-30", depth=3)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"depth": 3},
        {"model": "dense", "depth": [1, 2], "sigma": [1e-3, 1e-2]},
        {"dataset": ["digits", "mnist"], "optimizers": ["L-Adam", "SGD"]},
    ],
)
def test_completed_settings_are_the_same_comparisons_and_name_what_they_share(settings):
    sweep = Sweep(settings)
    read = tomllib.loads(config_text(sweep.completed))
    again = Sweep(read)
    assert again.comparisons == sweep.comparisons and again.folder_name() == sweep.folder_name()
    assert read["seeds"] == 3 and read["jit"] == "auto" and "sigma" not in {*read} - {*settings}
    assert ("epochs" in read) == (len({comparison.epochs for comparison in sweep.comparisons}) == 1)


def test_every_setting_can_be_written():
    """Tested with each setting's default as TOML."""
    defaults = vars(Comparison())
    text = config_text({name: defaults.get(name) for name in SETTINGS})
    assert tomllib.loads(text)["optimizers"] == list(Comparison().optimizers)
    assert set(SWEPT) <= set(SETTINGS)
