"""Made-up records in the runner's form."""

from pathlib import Path

from keras_langevin.experiments.config import Comparison, OptimizerSpec
from keras_langevin.experiments.records import checked_run
from keras_langevin.experiments.report.analysis import analyse
from keras_langevin.experiments.report.collecting import OptimizerResult, SettingResult, spec_key
from keras_langevin.experiments.store import Store

COMPARISON = Comparison(optimizers=("adam", "ladam"), epochs=3, seeds=3)


def record(optimizer, seed, test_accuracy, *, status="finished", epochs=3):
    curves = {
        "train_loss": [2.0, 1.0, 0.5],
        "train_accuracy": [0.2, 0.5, 0.9],
        "validation_loss": [2.1, 1.1, 0.6],
        "validation_accuracy": [0.1, 0.4, test_accuracy],
    }
    curves = {name: values[:epochs] for name, values in curves.items()}
    return {
        "optimizer": optimizer,
        "label": optimizer,
        "seed": seed,
        "num_classes": 10,
        "status": status,
        "test_accuracy": test_accuracy,
        "test_loss": 0.5,
        "train_loss": curves["train_loss"][-1] if epochs else None,
        "seconds": 2.0,
        "curves": curves,
    }


def failed(optimizer, seed):
    head = {"optimizer": optimizer, "label": optimizer, "seed": seed, "num_classes": 10}
    return head | {"status": "failed", "error": "MemoryError: no room", "traceback": "..."}


def of_seeds(adam, ladam):
    """Returns finished runs of Adam and L-Adam with these test accuracies, by seed."""
    return [record("adam", i, value) for i, value in enumerate(adam)] + [
        record("ladam", i, value) for i, value in enumerate(ladam)
    ]


def results_of(comparison, records):
    """Returns the results that a report computes from these records."""
    return analyse([cell_of(comparison, records)])


def cell_of(comparison, records, **settings):
    runs = [checked_run(run, Path(f"{run['optimizer']}-seed-{run['seed']}.json")) for run in records]
    arms = tuple(
        OptimizerResult(
            arm, arm.label, tuple(run for run in runs if spec_key(run.arm) == spec_key(arm)), comparison.seeds
        )
        for arm in comparison.arms
    )
    settings = {"model": comparison.model, "dataset": comparison.dataset} | settings
    return SettingResult(comparison, settings, arms, ("results",))


def write_folder(folder, comparison, records, **found):
    """Writes a folder like `compare`; `found` are arguments of `Store`."""
    store = created(Store(folder, comparison, **found))
    for run in records:
        store.write(OptimizerSpec(run["optimizer"]), run["seed"], run)
    return folder


def created(store):
    """Creates the folder and configuration of a store, and returns the store."""
    with store.locked():
        return store
