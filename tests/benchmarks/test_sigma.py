"""The benchmarks of sigma: a kill loses at most one run; the adaptive noise and how it is judged."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_langevin import LAdam, LangevinMonitor
from keras_langevin.experiments.statistics import paired_difference
from tests.benchmarks.test_tables import ROOT
from tests.callbacks.models import eager_model, examples

SCRIPTS = ("bench", "find_sigma", "adaptive_sigma", "learning_rates")


@pytest.fixture(scope="module")
def scripts():
    """Returns the scripts as modules, by name."""
    pytest.importorskip("filelock")
    return SimpleNamespace(**{name: importlib.import_module(name) for name in SCRIPTS})


class Fake:
    """A `Bench` that trains nothing and is killed during a run.

    Args:
        killed_at: int, the number of the run, from 1, or `None`.
    """

    default = 1e-3

    def __init__(self, killed_at=None):
        self.runs, self.killed_at = [], killed_at

    def trained(self, seed, sigma, *_, callbacks=()):
        self.runs.append((seed, sigma))
        if len(self.runs) == self.killed_at:
            raise KeyboardInterrupt
        return {"sigma": sigma, "seconds": 0.1, "validation": 90 - abs(np.log10(sigma or 1e-9)), "test": 90.0}

    def suggestion(self, seed, *_):
        return {"sigma": 0.5 + seed, "reason": "", "loss_without_noise": 1.0}


def test_a_killed_search_resumes(scripts, monkeypatch):
    pair = scripts.find_sigma.Pair("dense-3", LAdam, {}, seeds=2, trials=3)
    found, kept = {}, []

    def measure(bench, pair=pair):
        monkeypatch.setattr(scripts.find_sigma, "Bench", lambda *arguments: bench)
        monkeypatch.setattr(scripts.find_sigma.datasets, "load", lambda *arguments, **options: None)
        scripts.find_sigma.measure("pair", pair, found, None, lambda: kept.append(len(found)))
        return bench

    with pytest.raises(KeyboardInterrupt):
        measure(Fake(killed_at=6))
    assert len(found) == kept[-1] == 6  # five runs and a search
    assert len(measure(Fake()).runs) == 3 + 2 * 4 - 5
    assert measure(Fake()).runs == []
    best = found["searched 0"]["sigma"]
    more = measure(Fake(), pair._replace(trials=12)).runs
    assert len(more) == 9 + 2 and found["searched 0"]["sigma"] != best  # trained again with the new best
    assert scripts.find_sigma.table({"dense-3 L-Adam": found}).count("\n") == 2


def test_a_killed_comparison_resumes(scripts, monkeypatch, tmp_path):
    module, bench = scripts.adaptive_sigma, Fake(killed_at=20)
    monkeypatch.setattr(module.Measurement, "_bench", lambda self, net: bench)
    with pytest.raises(KeyboardInterrupt):
        module.Measurement(tmp_path, None, rehearse=False).measure("dense-3")
    bench.killed_at = None
    measurement = module.Measurement(tmp_path, None, rehearse=False)
    assert not measurement.is_complete("dense-3")
    found = measurement.measure("dense-3")
    assert measurement.is_complete("dense-3") and len(bench.runs) == 3 * (6 * 2 + 10) + 1
    assert found["chosen"]["fixed"] == pytest.approx(10**-1.5)
    assert len(found["test"]["held"]) == 10
    assert {seed for seed, _ in bench.runs} == {*module.SEEDS, *module.TUNING_SEEDS}
    assert "edge" in module.differences({"dense-3": found})


def test_the_regret_of_a_single_value(scripts):
    """Two nets have different best values; in one arm a single value suits both."""
    tuning = {
        "first": {"fixed": [[90, 92], [50, 50]], "held": [[90, 90], [10, 10]]},
        "second": {"fixed": [[40, 40], [95, 95]], "held": [[94, 94], [10, 10]]},
    }
    nets = {net: {"tuning": found} for net, found in tuning.items()}
    found = scripts.adaptive_sigma.transfer(nets, {"fixed": [1, 2], "held": [3, 4]})
    assert found["fixed"] == {"value": 2, "mean_regret": 20.5, "largest_regret": 41.0}
    assert found["held"] == {"value": 3, "mean_regret": 1.0, "largest_regret": 1.0}


def test_the_page_says_what_was_measured_of_the_adaptive_sigma_and_what_the_rule_decides(scripts):
    file = json.loads((ROOT / "benchmarks" / "results" / "adaptive_sigma.json").read_text("utf-8"))
    page = (ROOT / "docs" / "choosing-sigma.md").read_text("utf-8")
    assert scripts.adaptive_sigma.differences(file["nets"]) in page
    page = " ".join(page.split())
    found = {
        arm: {net: paired_difference(each["test"][arm], each["test"]["fixed"]) for net, each in file["nets"].items()}
        for arm in ("held", "decaying")
    }
    assert all(len(each["test"]["held"]) == 10 for each in file["nets"].values())
    fixed, held, decaying = (file["transfer"][arm] for arm in ("fixed", "held", "decaying"))
    for differences, single in ((found["held"], held), (found["decaying"], decaying)):
        is_better = any(each.low > 0 for each in differences.values())
        is_better &= not any(each.high < 0 for each in differences.values())
        assert not is_better and fixed["mean_regret"] - single["mean_regret"] < 1  # the rule excludes it
    assert max(abs(each.mean) for net, each in found["held"].items() if net != "dense-40") < 0.205
    lost, gained = found["held"]["dense-40"], found["held"]["highway-20"]
    assert f"a held ratio loses {-lost.mean:.0f} points" in page
    assert f"On highway-20 the interval, +{gained.low:.2f} to +{gained.high:.2f}, lies above zero" in page
    assert f"σ = {fixed['value']:g} is at most {fixed['largest_regret']:.2f} points below" in page
    worst = [each["largest_regret"] for each in (held, decaying)]
    assert f"up to {worst[0]:.2f} points below, the best falling one {worst[1]:.2f}" in page


@pytest.mark.parametrize("decades", [0.0, 2.0])
def test_the_ratio_is_what_is_wanted(scripts, decades):
    """`LangevinMonitor` measures the wanted ratio at the end of each epoch. A σ of zero stays zero."""
    x, y = examples(steps=1, batch=8)
    adaptive, monitor = scripts.adaptive_sigma.AdaptiveSigma(5.0, decades), LangevinMonitor(warn_ratio=None)
    model = eager_model(LAdam(1e-4, sigma=1e-6, seed=0))
    model.fit(x, y, batch_size=8, epochs=9, verbose=0, callbacks=[monitor, adaptive])
    ratios = [row.noise_to_drift for row in monitor.history if row.layer == "all"][1:]
    wanted = [5.0 * 10 ** (-decades * update / 6) for update in range(1, 9)]
    np.testing.assert_allclose(ratios, wanted, rtol=0.2)
    assert len(adaptive.levels) == 9 and all(level > 1e-6 for level in adaptive.levels)
    model.optimizer.sigma = 0.0
    model.fit(x, y, batch_size=8, epochs=2, initial_epoch=1, verbose=0, callbacks=[adaptive])
    assert float(model.optimizer.sigma) == 0


def test_the_page_has_the_table_of_learning_rates(scripts):
    cases = scripts.bench.stored(scripts.learning_rates.RESULTS)["cases"]
    page = (ROOT / "docs" / "choosing-sigma.md").read_text("utf-8")
    assert scripts.learning_rates.table(cases) in page, "paste what python benchmarks/learning_rates.py prints"


def test_the_page_says_how_good_the_suggestions_are(scripts):
    runs = scripts.bench.stored(scripts.find_sigma.RESULTS / "find_sigma-jax.json")["runs"]
    page = (ROOT / "docs" / "choosing-sigma.md").read_text("utf-8")
    assert scripts.find_sigma.table(runs) in page, "paste what python benchmarks/find_sigma.py prints"
    page = " ".join(page.split())
    pairs = {name: scripts.find_sigma.outcome(runs[name]) for name in scripts.find_sigma.PAIRS}
    below = {name: -each.difference for name, each in pairs.items() if each.difference < -each.error}
    assert len(pairs) == 11 and list(below) == ["dense-20 L-RMSprop", "dense-10 L-Adadelta"]
    words = "below by {:.2f} points with dense-20, L-RMSprop, and by {:.2f} with dense-10, L-Adadelta"
    assert words.format(*below.values()) in page
    assert min(pairs["dense-40 L-Adam"].arms["suggested"]) == pytest.approx(87.2, abs=0.05)
    assert all(min(each.arms["suggested"]) > 20 for each in pairs.values())
    lost = {name: np.mean(np.subtract(each.arms["searched"], each.arms["default"])) for name, each in pairs.items()}
    gained = pairs["dense-20 L-Adadelta"].difference
    above = gained, gained + lost["dense-20 L-Adadelta"]
    assert "suggestion is {:.1f} points above the search and {:.1f} above the default".format(*above) in page
    assert f"at most {max(lost.values()):.2f} points below the search" in page
    seconds = {
        name: np.mean([value["seconds"] for key, value in runs[name].items() if key.startswith("search ")])
        / (runs[name]["none 0"]["seconds"] / runs[name]["settings"]["epochs"])
        for name in runs
    }
    assert round(min(seconds.values())) >= 1 and max(seconds.values()) < 4, seconds
