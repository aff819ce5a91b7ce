"""The engine vmap: many runs at once equal the same runs one after another, up to rounding."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_langevin.experiments import runner
from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.engines import Local, Vmap
from keras_langevin.experiments.progress import Watcher
from keras_langevin.experiments.store import Store
from tests.experiments.trained import trained
from tests.experiments.weights import arrays_of

on_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="the engine needs JAX")
# few steps, because rounding errors grow with every step
SMALL = Comparison(model="dense-2", optimizers=("ladam@0.5",), epochs=3, batch_size=256, seeds=3)


def assert_alike(store, other, rtol=2e-3):
    records, others = store.records(), other.records()
    assert not [record["traceback"] for record in records if record["status"] == "failed"]
    assert len(records) == len(others) > 0
    for record, expected in zip(records, others, strict=True):
        assert [record[name] for name in ("optimizer", "seed", "status", "noisy_layers", "arguments")] == [
            expected[name] for name in ("optimizer", "seed", "status", "noisy_layers", "arguments")
        ]
        for name, values in expected["curves"].items():
            np.testing.assert_allclose(record["curves"][name], values, rtol=rtol, atol=2e-3, err_msg=name)
        np.testing.assert_allclose(record["test_accuracy"], expected["test_accuracy"], atol=4e-3)
        np.testing.assert_allclose(record["test_loss"], expected["test_loss"], rtol=rtol)


@on_jax
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"augment": "crop-flip", "model": "bn-dense-1", "optimizers": ("ladam",), "seeds": 2, "standardize": True},
        {"precision": "mixed_float16", "optimizers": ("lsgd",), "seeds": 2},
        pytest.param({"model": "conv-dense-1", "optimizers": ("ladam",), "seeds": 2}, marks=pytest.mark.slow),
        pytest.param(
            {"model": "resnet-8", "optimizers": ("lrmsprop@0.3",), "seeds": 2, "epochs": 1}, marks=pytest.mark.slow
        ),
    ],
    ids=["dense", "augmented and normalized", "scaled loss", "convolutions", "residual"],
)
def test_runs_are_those_of_fit(settings, tmp_path):
    comparison = replace(SMALL, **{"limit": 900, **settings})
    data = runner.prepare(comparison)
    expected = trained(comparison, data, tmp_path / "local", Local(), save_weights=True)
    store = trained(comparison, data, tmp_path / "vmap", Vmap(), save_weights=True)
    loose = comparison.precision != "float32" or comparison.model in ("resnet-8", "bn-dense-1")
    assert_alike(store, expected, rtol=2e-2 if loose else 2e-3)
    for arm, seed in comparison.runs:
        found, others = (arrays_of(each.weights_path(arm, seed)) for each in (store, expected))
        assert found.keys() == others.keys() and found
        for name in found:
            np.testing.assert_allclose(found[name], others[name], rtol=0, atol=2e-2 if loose else 1e-3, err_msg=name)


@on_jax
def test_learning_rates_and_sigmas_are_trained_together(tmp_path):
    """A grid over numbers that a step reads from variables is one group; each run gets its own numbers."""
    data = runner.prepare(SMALL)
    grid = [replace(SMALL, sigma=sigma, optimizers=("ladam",)) for sigma in (1e-4, 1e-2)]
    stores = {}
    for engine in (Local(), Vmap()):
        jobs = [
            runner.Job(each, data, Store(tmp_path / type(engine).__name__ / str(each.sigma), each)) for each in grid
        ]
        runner.run(jobs, engine)
        stores[type(engine)] = [job.store for job in jobs]
    for store, expected in zip(stores[Vmap], stores[Local], strict=True):
        assert_alike(store, expected)
        assert {record["runs_at_once"] for record in store.records()} == {2 * SMALL.seeds}


class Stopper(Watcher):
    def __init__(self, epoch):
        self.at = epoch

    def epoch(self, task, epoch, logs):
        if epoch == self.at:
            raise KeyboardInterrupt


@on_jax
def test_an_interrupted_group_goes_on(tmp_path):
    data = runner.prepare(SMALL)
    expected = trained(SMALL, data, tmp_path / "whole", Vmap())
    with pytest.raises(KeyboardInterrupt):
        trained(SMALL, data, tmp_path / "parts", Vmap(), watchers=[Stopper(2)])
    store = trained(SMALL, data, tmp_path / "parts", Vmap())
    for record, other in zip(store.records(), expected.records(), strict=True):
        assert record["curves"] == other["curves"]
        assert record["test_loss"] == other["test_loss"]


@on_jax
def test_a_run_that_diverges_ends_there_and_the_others_go_on(tmp_path):
    """One learning rate is far too large: its loss is not finite, and the run's record ends there."""
    data = runner.prepare(SMALL)
    rates = [replace(SMALL, learning_rate=rate, optimizers=("sgd",), seeds=1) for rate in (1e-2, 1e30)]
    stores = {}
    for engine in (Local(), Vmap()):
        jobs = [
            runner.Job(each, data, Store(tmp_path / type(engine).__name__ / str(each.learning_rate), each))
            for each in rates
        ]
        runner.run(jobs, engine)
        stores[type(engine)] = [job.store.records()[0] for job in jobs]
    assert [record["status"] for record in stores[Vmap]] == ["finished", "diverged"]
    assert stores[Vmap][1]["curves"] == stores[Local][1]["curves"]
    assert stores[Vmap][1]["test_accuracy"] == pytest.approx(stores[Local][1]["test_accuracy"], abs=1e-6)
    assert len(stores[Vmap][0]["curves"]["train_loss"]) == SMALL.epochs


@on_jax
def test_a_group_that_does_not_fit_is_halved(tmp_path, monkeypatch):
    from keras_langevin.experiments.engines.vmap import StackedTrainer

    whole = StackedTrainer.train_all

    def limited(self, runs, ledger):
        if len(runs) > 1:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes.")
        return whole(self, runs, ledger)

    monkeypatch.setattr(StackedTrainer, "train_all", limited)
    comparison = replace(SMALL, epochs=1)
    store = trained(comparison, runner.prepare(comparison), tmp_path, Vmap())
    assert [(record["status"], record["runs_at_once"]) for record in store.records()] == [("finished", 1)] * 3


@on_jax
def test_an_error_is_on_record_for_every_run_of_its_group(tmp_path, monkeypatch):
    from keras_langevin.experiments.engines.vmap import StackedTrainer

    def broken(*arguments, **keywords):
        raise RuntimeError("no more")

    monkeypatch.setattr(StackedTrainer, "train_all", broken)
    comparison = replace(SMALL, optimizers=("adam",))
    store = trained(comparison, runner.prepare(comparison), tmp_path, Vmap())
    assert [(each["status"], each["error"]) for each in store.records()] == [("failed", "RuntimeError: no more")] * 3


@on_jax
def test_images_are_always_on_the_device(tmp_path):
    with pytest.raises(ValueError, match="keeps all images on the device"):
        trained(SMALL, runner.prepare(SMALL), tmp_path, Vmap(), data_on_device=False)


def test_wrong_arguments(monkeypatch):
    with pytest.raises(ValueError, match="`runs_at_once` must be an int >= 1"):
        Vmap(0)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ValueError, match="needs the JAX backend"):
        Vmap()
