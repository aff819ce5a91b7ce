"""The comparison of ensembles: what it shows and how it chooses. A slow test trains it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_langevin import cli, datasets
from keras_langevin.cli.uncertainty import STUDIES
from keras_langevin.experiments import uncertainty
from keras_langevin.experiments.paper import SCALES

QUICK = {"limit": 200, "test_limit": 60, "outside": ["mnist", "cifar10"], "net": "dense", "width": 2, "epochs": 3}
QUICK |= {"dataset": "digits", "batch_size": 60, "adam_rate": 2e-3, "samples": 3, "search_seeds": [100, 101]}


def runs(**of_recipes):
    """Returns NLL and accuracy by recipe and seed."""
    names = {"deep": "deep ensemble of 5"}
    return {
        names.get(recipe, recipe): {str(seed): {"nll": v, "accuracy": 1 - v} for seed, v in enumerate(values)}
        for recipe, values in of_recipes.items()
    }


def test_differences_are_paired_by_seed_and_corrected_over_the_recipes():
    found = uncertainty.differences(runs(single=[0.4, 0.5, 0.6], deep=[0.2, 0.3, 0.41], SWAG=[0.3, 0.41, 0.5, 9.0]))
    assert set(found) == {
        f"{score}: {pair}"
        for score in ("nll", "accuracy")
        for pair in (
            "deep ensemble of 5 - single",
            "SWAG - single",
            "single - deep ensemble of 5",
            "SWAG - deep ensemble of 5",
        )
    }
    swag = found["nll: SWAG - single"]
    assert swag["mean"] == pytest.approx(-0.29 / 3) and swag["interval"][1] < 0
    ensemble = found["nll: deep ensemble of 5 - single"]
    assert swag["p"] > ensemble["p"] and swag["p_holm"] == swag["p"] and ensemble["p_holm"] == 2 * ensemble["p"]
    assert uncertainty.differences({}) == {}
    alone = uncertainty.differences(runs(single=[0.4], SWAG=[0.3]))
    assert alone == {}


def test_the_table_has_means_and_deviations():
    columns, rows = uncertainty.table(runs(SWAG=[0.25, 0.35], single=[0.5, 0.5]))
    assert columns == ("recipe", "nll", "accuracy")
    assert rows == [("single", "0.5 ± 0", "0.5 ± 0"), ("SWAG", "0.3 ± 0.071", "0.7 ± 0.071")]


def test_images_are_brought_to_another_shape():
    images = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype("float32")
    assert uncertainty.fitting(images, (8, 8, 3)) is images
    grey = uncertainty.fitting(images, (4, 12, 1))
    assert grey.shape == (2, 4, 12, 1) and not grey[:, :, :2].any() and not grey[:, :, 10:].any()
    np.testing.assert_allclose(grey[0, 0, 2, 0], images[0, 2, 0] @ [0.299, 0.587, 0.114], rtol=1e-5)
    assert uncertainty.fitting(grey, (4, 12, 3)).shape == (2, 4, 12, 3)


def test_every_recipe_has_equally_many_trials_and_what_is_known_is_not_tried_again(monkeypatch):
    """Each recipe's best value has the lowest NLL. The temperature is that of the best L-SGD."""
    tried = []

    class Setting:
        def __init__(self, options, data, seed):
            self.options = SimpleNamespace(seed=seed)

    def nll(name, options):
        tried.append(name)
        if getattr(options, "learning_rate", 0.0) == 1.0 and name == "SWAG":
            raise FloatingPointError
        own = options.dropout if name == "MC dropout" else getattr(options, "learning_rate", 0.0)
        return abs(own - 0.1) + abs(options.prior_scale - 3) + (name != "L-SGD T=0.01")

    recipes = {name: (lambda s, name=name: nll(name, s.options), 1) for name in uncertainty.RECIPES}
    monkeypatch.setattr(uncertainty, "Setting", Setting)
    monkeypatch.setattr(uncertainty, "RECIPES", recipes)
    monkeypatch.setattr(uncertainty, "probabilities", lambda setting, ensemble, x: ensemble)
    monkeypatch.setattr(uncertainty.scores, "all_scores", lambda found, y: {"nll": found})
    options = SimpleNamespace(search_seeds=[100, 101])
    data = SimpleNamespace(validation=SimpleNamespace(x=None, y=None))
    trials, kept = {}, []
    found = uncertainty.chosen(options, data, trials, lambda: kept.append(len(tried)), lambda line: None)
    assert found[""] == {"prior_scale": 3.0, "temperature": 0.01}
    assert found["MC dropout"] == {"dropout": 0.1} and found["SGHMC"] == {"learning_rate": 0.1}
    assert {name: tried.count(name) for name in tried} == dict.fromkeys(tried, 10) | {"single": 6}
    assert kept == [*range(1, 107)] and len(tried) == 6 + 10 * 10
    assert trials["SWAG: prior_scale=3, temperature=0.01, learning_rate=1"] == [None, None]  # diverged
    assert set(tried) == {"single", "MC dropout", *list(uncertainty.RECIPES)[4:]}
    before = len(tried)
    trials["SWAG: prior_scale=3, temperature=0.01, learning_rate=0.1"].pop()
    assert uncertainty.chosen(options, data, trials, lambda: kept.append(len(tried)), print) == found
    assert len(tried) == before + 1


def test_the_studies_are_complete_and_no_data_set_is_its_own_outside():
    for scales in STUDIES.values():
        assert set(scales) == set(SCALES)
        for settings in scales.values():
            assert settings["epochs"] % 3 == 0 and settings["dataset"] not in settings["outside"]
            assert len(set(settings["outside"])) >= 2


def test_wrong_input_is_refused_before_data_are_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(datasets, "load", None)
    for change, seeds in (({"epochs": 4}, [0]), ({}, [0, 101])):
        with pytest.raises(ValueError, match=r"`seeds` must leave out \[100, 101\]"):
            uncertainty.run(QUICK | change, tmp_path / "r.json", seeds=seeds, recipes=[])
    assert cli.main(["uncertainty", "mnist", "--recipes", "SWAGG"]) == 2
    assert "SWAG" in capsys.readouterr().err


@pytest.mark.ci
def test_every_recipe_is_trained_scored_and_resumed(tmp_path, monkeypatch):
    """Trains on digits; the other images are noise."""
    load = datasets.load

    def small(name, **where):
        data = load("digits", limit=where.get("limit"))
        return data if name == "digits" else SimpleNamespace(label=name, sha256=name, test=data.test)

    monkeypatch.setattr(datasets, "load", small)
    path, lines = tmp_path / "r.json", []
    how = {"seeds": [0, 1], "recipes": list(uncertainty.RECIPES), "say": lines.append}
    results = uncertainty.run(QUICK, path, **how)
    assert json.loads(path.read_text("utf-8")) == results
    assert results["commits"] == [results["provenance"]["commit"]]
    assert set(results["runs"]) == set(uncertainty.RECIPES) and len(results["trials"]) == 3 + 10 * 5
    for recipe, of_seeds in results["runs"].items():
        for scores in of_seeds.values():
            assert all(np.isfinite(list(scores.values()))) and 0 <= scores["auroc mnist"] <= 1, recipe
    made = {recipe: of_seeds["0"] for recipe, of_seeds in results["runs"].items()}
    assert made["deep ensemble of 5"]["epochs"] == 15 and made["SWAG"]["epochs"] == 5
    assert made["partly Bayesian"]["bytes"] < made["SGHMC"]["bytes"]
    whole, count = path.read_text("utf-8"), len(lines)
    uncertainty.run(QUICK, path, **how)
    assert path.read_text("utf-8") == whole and len(lines) == count
    with pytest.raises(ValueError, match="of these settings and data"):
        uncertainty.run(QUICK | {"width": 3}, path, **how)
