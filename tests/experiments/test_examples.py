import dataclasses
import gc
from typing import NamedTuple

import h5py
import keras
import numpy as np
import pytest

from keras_langevin.experiments import examples, machine, runner, training
from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.engines import Local
from keras_langevin.experiments.examples import ImageTable
from keras_langevin.experiments.progress import Watcher
from keras_langevin.experiments.store import Store
from tests.quick import JIT

SMALL = Comparison(
    jit=JIT, model="dense-1", optimizers=("adam", "ladam@0.3"), epochs=3, batch_size=128, seeds=2, limit=400,
    augment="crop-flip-1", standardize=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return runner.prepare(SMALL)


def trained(comparison, data, seeds, **options):
    """Returns (trainer, records) of the last optimizer."""
    trainer = training.Trainer(comparison, data, comparison.arms[-1], **options)
    return trainer, [trainer.train(seed) for seed in seeds]


class Pair(NamedTuple):
    """Two trainers of the last optimizer, shared by many tests.

    Attributes:
        elsewhere: a trainer whose data are sent to the device.
        on_device: a trainer whose data are on the device. It has trained seed 0.
        calls: list that grows with each call of `on_device`'s `train_step` from Python.
        calls_at_first: int, the number of calls for seed 0.
    """

    elsewhere: training.Trainer
    on_device: training.Trainer
    calls: list
    calls_at_first: int


@pytest.fixture(scope="module")
def pair(data):
    elsewhere, on_device = (trained(SMALL, data, (), data_on_device=where)[0] for where in (False, True))
    calls, step = [], on_device.model.train_step
    on_device.model.train_step = lambda *arguments: calls.append(1) or step(*arguments)
    on_device.train(0)
    return Pair(elsewhere, on_device, calls, len(calls))


def assert_equal_runs(one, other):
    assert (one["data_on_device"], other["data_on_device"]) == (False, True)
    for name in ("curves", "test_loss", "test_accuracy", "noisy_layers"):
        assert one[name] == other[name]


@pytest.mark.ci
def test_a_run_has_the_same_numbers_wherever_its_data_are(pair):
    """Equal bit for bit for each seed that a trainer trains; the same layers are noisy."""
    elsewhere, on_device = ([trainer.train(seed) for seed in (0, 1)] for trainer in pair[:2])
    for one, other in zip(elsewhere, on_device, strict=True):
        assert_equal_runs(one, other)
    assert on_device[0]["curves"] != on_device[1]["curves"]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"model": "conv-dense-1"}, {"precision": "mixed_float16"}])
def test_so_it_has_for_convolutions_and_in_other_precisions(data, settings):
    comparison = dataclasses.replace(SMALL, **settings)
    for seed in (0, 1):
        assert_equal_runs(*(trained(comparison, data, (seed,), data_on_device=on)[1][0] for on in (False, True)))


def test_indices_alone_are_sent(data, pair, monkeypatch):
    trainer, seen = pair.on_device, {}
    fit, evaluate = trainer.model.fit, trainer.model.evaluate

    def looked_at(x, **options):
        seen.update(train=x[0][0], validation=options["validation_data"][0])
        return fit(x, **options)

    def looked_at_too(*examples, **options):
        seen.update(test=(examples or [options["x"]])[0])
        return evaluate(*examples, **options)

    monkeypatch.setattr(trainer.model, "fit", looked_at)
    monkeypatch.setattr(trainer.model, "evaluate", looked_at_too)
    trainer.train(0)
    assert {name: (array.dtype, array.shape) for name, array in seen.items()} == {
        "train": (np.dtype("int32"), (128,)),
        "validation": (np.dtype("int32"), (40,)),
        "test": (np.dtype("int32"), (360,)),
    }
    for name in ("validation", "test"):
        images = keras.ops.convert_to_numpy(trainer.table(seen[name]))
        np.testing.assert_array_equal(images, getattr(data, name).x)


def test_the_step_is_traced_once_for_all_seeds(pair):
    """On JAX and TensorFlow, Python runs `train_step` only to trace it."""
    before = len(pair.calls)
    pair.on_device.train(1)
    assert pair.calls_at_first > 0
    assert len(pair.calls) - before == (3 * 2 if keras.backend.backend() == "torch" else 0)


def test_weights_and_state_are_those_of_the_model_alone(pair, tmp_path):
    """Weights and state have equal structure and values, so a run may end with its data in another place."""
    files, states = [], []
    for trainer in pair[:2]:
        trainer.train(0, keep=states.append, keep_seconds=0)
        path = tmp_path / f"{len(files)}.weights.h5"
        path.write_bytes(trainer.weights())
        entries = {}
        with h5py.File(path) as file:
            file.visititems(lambda name, item, entries=entries: entries.update({name: np.array(item).tolist()}))
        files.append(entries)
    assert files[0] == files[1]
    assert any(np.size(value) > 1000 for value in files[0].values())
    elsewhere, on_device = states[:3], states[3:]
    for one, other in zip(elsewhere, on_device, strict=True):
        for a, b in zip(one.arrays, other.arrays, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.ci
def test_a_run_goes_on_where_its_data_are_elsewhere(data, tmp_path):
    comparison = dataclasses.replace(SMALL, optimizers=("ladam",), seeds=1)
    elsewhere = Local()  # one engine, so that it compiles once
    whole, broken = (runner.Job(comparison, data, Store(tmp_path / name, comparison)) for name in ("whole", "broken"))
    runner.run([whole], elsewhere, data_on_device=False)

    class Interrupt(Watcher):
        def epoch(self, task, epoch, logs):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run([broken], Local(), watchers=[Interrupt()], checkpoint_seconds=0, data_on_device=True)
    assert broken.store.checkpoint(comparison.arms[0], 0).read().epoch == 2
    runner.run([broken], elsewhere, data_on_device=False)
    assert [run["curves"] for run in broken.store.records()] == [run["curves"] for run in whole.store.records()]


@pytest.mark.ci
def test_there_is_one_copy_of_the_images(data):
    """The trainers of two optimizers share it, also if they get equal arrays in another `Data`."""
    first = training.Trainer(SMALL, data, SMALL.arms[0], data_on_device=True)
    second = training.Trainer(SMALL, dataclasses.replace(data, source="copy"), SMALL.arms[1], data_on_device=True)
    assert first.table is second.table
    for trainer in (first, second, first):
        trainer.train(0)
    assert keras.backend.standardize_dtype(first.table.images.dtype) == "uint8"
    if keras.backend.backend() == "jax":
        import jax

        gc.collect()
        size = 360 + 40 + 360
        assert sum(array.shape[0] == size for array in jax.live_arrays() if array.shape) == 1


def test_other_images_are_another_table(data):
    other = dataclasses.replace(data, test=data.validation)
    assert ImageTable.of(other) is not ImageTable.of(data)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only Keras's step on JAX donates the variables' memory")
@pytest.mark.parametrize("failed", ["deleted", "taken"])
def test_after_a_step_that_failed_the_images_are_there_again(data, failed):
    trainer, (before,) = trained(SMALL, data, (0,), data_on_device=True)
    if failed == "deleted":
        trainer.table.images.value.delete()
    else:
        trainer.table.images._value = None
    assert trainer.train(0)["curves"] == before["curves"]


@pytest.mark.parametrize("accelerator", [False, True])
def test_where_nothing_is_said_the_accelerator_decides(data, accelerator, monkeypatch):
    monkeypatch.setattr(examples, "has_accelerator", lambda: accelerator)
    trainer, _ = trained(SMALL, data, ())
    assert (trainer.table is not None) == accelerator
    assert [examples.is_wanted(said) for said in (True, False)] == [True, False]


def test_on_this_machine(data):
    assert examples.is_wanted(None) == machine.has_accelerator()


@pytest.mark.parametrize("wrong", ["yes", 1, 0])
def test_what_is_neither_is_an_error_before_any_work(data, tmp_path, wrong):
    store = Store(tmp_path, SMALL)
    with pytest.raises(ValueError, match=r"`data_on_device` must be True, False, or None .* Received: data_on_device="):
        runner.run([runner.Job(SMALL, data, store)], Local(), data_on_device=wrong)
    assert not store.records()
