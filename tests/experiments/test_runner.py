import dataclasses
import errno
import os
import shutil
from typing import NamedTuple

import keras
import numpy as np
import pytest

from keras_langevin import datasets
from keras_langevin.experiments import machine, runner, training
from keras_langevin.experiments.config import PRECISIONS, Comparison
from keras_langevin.experiments.engines import Local
from keras_langevin.experiments.examples import Batches
from keras_langevin.experiments.machine import jit_compile
from keras_langevin.experiments.progress import Watcher
from keras_langevin.experiments.store import Store
from keras_langevin.files import StorageError
from tests.experiments.records import created
from tests.optimizers.cases import double_precision
from tests.quick import JIT

NEEDS_CPP = pytest.mark.skipif(
    keras.backend.backend() == "torch" and not any(map(shutil.which, ("c++", "g++", "clang++"))),
    reason="torch.compile needs a C++ compiler",
)


ENGINE = Local()


def train_all(comparison, data, store, engine=None, **options):
    """Trains a comparison in this process, with one engine for all tests that keeps compiled steps."""
    runner.run([runner.Job(comparison, data, store)], engine or ENGINE, **options)


class Watching(Watcher):
    """Calls functions instead of methods."""

    def __init__(self, **functions):
        vars(self).update(functions)


SMALL = Comparison(
    jit=JIT, model="dense-2", optimizers=("adam", "ladam", "ladam@0.3"), epochs=3, batch_size=256, seeds=2
)


@pytest.fixture(scope="module")
def data():
    return runner.prepare(SMALL)


@pytest.fixture(scope="module")
def records(data, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("results"), SMALL)
    train_all(SMALL, data, store)
    return store.records()


def test_every_run_is_on_record(records):
    assert [(run["optimizer"], run["seed"], run["status"]) for run in records] == [
        (arm.spec, seed, "finished") for arm in SMALL.arms for seed in range(2)
    ]
    for run in records:
        assert {len(curve) for curve in run["curves"].values()} == {3}
        assert 0 <= run["test_accuracy"] <= 1
        assert run["provenance"]["backend"] == keras.backend.backend()
        assert run["peak_memory_mb"] > 0
        assert (run["accelerator_peak_memory_mb"] is not None) == machine.has_accelerator()
    assert records[0]["noisy_layers"] == []
    assert records[2]["noisy_layers"] == ["dense_1", "dense_2", "logits"]
    assert records[4]["noisy_layers"] == ["dense_1"]


def test_optimizers_and_seeds_give_different_runs(records):
    losses = [run["train_loss"] for run in records]
    assert len(set(losses)) == len(losses)


class Alone(NamedTuple):
    """Results of a separate trainer of L-Adam, which trained seed 1 and then seed 0.

    Attributes:
        first: the record of seed 1.
        calls: list of two ints, how often Python ran `train_step` for each seed.
        steered: learning rate and σ of each epoch of seed 0.
    """

    first: dict
    calls: list
    steered: list


@pytest.fixture(scope="module")
def alone(data):
    trainer = training.Trainer(SMALL, data, SMALL.arms[1])
    calls, steered = [], []
    trainer.model.train_step = _counted(trainer.model.train_step, calls)

    def look(epoch, logs):
        optimizer = trainer.optimizer
        steered.append((float(optimizer.learning_rate.numpy()), float(optimizer.sigma.numpy())))

    first = trainer.train(1)
    after_first = len(calls)
    trainer.train(0, on_epoch=look)
    return Alone(first, [after_first, len(calls) - after_first], steered)


def test_the_same_seed_gives_the_same_run_wherever_it_is_trained(records, alone):
    """Seed 1 trained first in a new trainer equals seed 1 trained after seed 0: a run leaves nothing behind."""
    assert alone.first["curves"] == records[3]["curves"]


def test_initial_weights_and_batches_are_the_same_for_all_optimizers(data):
    trainers = [training.Trainer(SMALL, data, arm) for arm in SMALL.arms]
    for trainer in trainers:
        trainer.reset(0)
    first, *others = [trainer.model.get_weights() for trainer in trainers]
    for weights in others:
        for a, b in zip(first, weights, strict=True):
            np.testing.assert_array_equal(a, b)


AUGMENTED = Comparison(
    jit=JIT, model="dense-1", optimizers=("sgd", "lsgd@1"), epochs=2, batch_size=256, seeds=2, augment="crop-flip-1",
    standardize=True, limit=800,
)  # fmt: skip


@pytest.fixture(scope="module")
def augmented():
    return runner.prepare(AUGMENTED)


@pytest.mark.ci
def test_augmentation_is_a_function_of_the_seed(augmented):
    """A seed gives the same run whether it is trained first or second, by a new trainer or not. Seeds differ."""
    arm = AUGMENTED.arms[0]
    trainer = training.Trainer(AUGMENTED, augmented, arm)
    first, second = (trainer.train(seed)["curves"] for seed in range(2))
    assert first != second
    assert training.Trainer(AUGMENTED, augmented, arm).train(1)["curves"] == second


@pytest.mark.ci
def test_augmentation_is_the_same_for_all_optimizers(augmented):
    """With a learning rate of almost zero, only the augmentation makes two epochs' losses differ."""
    still = dataclasses.replace(AUGMENTED, optimizers=("sgd", "adam"), learning_rate=1e-30)
    losses = [training.Trainer(still, augmented, arm).train(0)["curves"]["train_loss"] for arm in still.arms]
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert losses[0][0] != losses[0][1]


def test_preprocessing_leaves_layer_selection_alone(augmented):
    assert training.Trainer(AUGMENTED, augmented, AUGMENTED.arms[1]).optimizer.noisy_layers == ("dense_1",)


@pytest.mark.ci
def test_a_random_layer_of_the_model_begins_anew_with_each_seed(augmented, monkeypatch):
    """Dropout's state is reset like the weights. (On PyTorch it has none without its own seed.)"""

    def with_dropout(name, input_shape, num_classes, images):
        flat, dropout, logits = (
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(num_classes),
        )
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, logits(dropout(flat(inputs))))

    monkeypatch.setattr(training.models, "build", with_dropout)
    trainer = training.Trainer(AUGMENTED, augmented, AUGMENTED.arms[0])
    trainer.train(0)
    second = trainer.train(1)["curves"]
    assert training.Trainer(AUGMENTED, augmented, AUGMENTED.arms[0]).train(1)["curves"] == second


def test_data_with_a_note_need_a_comparison_that_says_so(augmented, tmp_path):
    copy = dataclasses.replace(augmented, note="JPEG copy")
    with pytest.raises(ValueError, match="dataset_note='JPEG copy'"):
        train_all(AUGMENTED, copy, Store(tmp_path, AUGMENTED))


def test_batches_are_a_function_of_seed_epoch_and_step(data):
    batches = Batches(data.train, 256, epochs=2, seed=0)
    assert len(batches) == 2 * 5
    later_first = [batches[i][1] for i in (9, 0, 5)]
    again = Batches(data.train, 256, epochs=2, seed=0)
    for labels, index in zip(later_first, (9, 0, 5), strict=True):
        np.testing.assert_array_equal(labels, again[index][1])
    assert not np.array_equal(batches[0][1], batches[5][1])
    assert not np.array_equal(batches[0][1], Batches(data.train, 256, 2, seed=1)[0][1])


def test_an_epoch_holds_no_example_twice(data):
    batches = Batches(data.train, 256, epochs=2, seed=0)
    images = np.concatenate([batches[i][0] for i in range(5)]).reshape(5 * 256, -1)
    assert len(np.unique(images, axis=0)) == 5 * 256


def test_the_step_is_traced_once_for_all_seeds(alone):
    """On JAX and TensorFlow, Python runs `train_step` only to trace it."""
    first, second = alone.calls
    steps = 3 * 5 if keras.backend.backend() == "torch" else 0  # PyTorch runs each step in Python
    assert first > 0 and second == steps


@pytest.mark.ci
def test_the_step_is_traced_once_for_all_values_of_sigma_and_the_learning_rate(data, tmp_path, monkeypatch):
    """A run with a kept step equals a run with its own step."""
    calls, engine = [], Local()
    first, second = (
        dataclasses.replace(SMALL, optimizers=("ladam",), seeds=1, sigma=sigma, learning_rate=rate)
        for sigma, rate in ((1e-3, 1e-3), (1e-2, 3e-3))
    )
    train_all(first, data, Store(tmp_path / "first", first), engine=engine)
    for trainer in engine.trainers.kept.values():
        monkeypatch.setattr(trainer.model, "train_step", _counted(trainer.model.train_step, calls))
    kept, alone = (Store(tmp_path / name, second) for name in ("kept", "alone"))
    train_all(second, data, kept, engine=engine)
    assert len(calls) == (3 * 5 if keras.backend.backend() == "torch" else 0)
    train_all(second, data, alone)
    assert [run["curves"] for run in kept.records()] == [run["curves"] for run in alone.records()]
    assert [run["arguments"]["learning_rate"] for run in kept.records()] == [3e-3]


@pytest.mark.parametrize(
    "precision",
    [
        pytest.param(name, marks=pytest.mark.ci if name == "mixed_bfloat16" else pytest.mark.slow)
        for name in PRECISIONS[1:]
    ],
)
def test_a_model_is_trained_in_the_precision_that_was_said(data, precision):
    """The global policy stays, a run leaves nothing behind, and settings reach the optimizer."""
    comparison = dataclasses.replace(SMALL, precision=precision)
    policy = keras.dtype_policies.DTypePolicy(precision)
    with double_precision():
        trainer = training.Trainer(comparison, data, comparison.arms[2])
        trainer.train(0)
        record = trainer.train(1)
        assert training.Trainer(comparison, data, comparison.arms[2]).train(1)["curves"] == record["curves"]
    assert keras.config.dtype_policy().name == keras.config.floatx() == "float32"
    assert record["status"] == "finished"
    assert record["noisy_layers"] == ["dense_1"]
    assert {variable.dtype for variable in trainer.model.trainable_variables} == {policy.variable_dtype}
    assert {layer.compute_dtype for layer in trainer.model.layers[-1].layers} == {policy.compute_dtype}
    assert isinstance(trainer.model.optimizer, keras.optimizers.LossScaleOptimizer) == (precision == "mixed_float16")
    optimizer = trainer.optimizer
    assert (float(optimizer.sigma.numpy()), optimizer.seed) == (0.0, 1)
    np.testing.assert_allclose(float(optimizer.learning_rate.numpy()), 1e-4, rtol=1e-6)
    assert int(optimizer.iterations.numpy()) == 3 * 5


@pytest.mark.slow
def test_precisions_differ_by_their_rounding(data):
    """After one update with all examples, from equal initial weights."""
    losses = {}
    for precision in PRECISIONS:
        one_step = dataclasses.replace(SMALL, batch_size=len(data.train.x), epochs=1, precision=precision)
        with double_precision():
            losses[precision] = training.Trainer(one_step, data, SMALL.arms[0]).train(0)["test_loss"]
    assert losses["float64"] == pytest.approx(losses["float32"], rel=1e-5)
    for precision in PRECISIONS[1:4]:
        assert losses[precision] == pytest.approx(losses["float32"], rel=2e-2)
    assert len(set(losses.values())) == len(PRECISIONS)


def test_float64_is_float64_from_the_pixels_to_the_weights(data):
    """Compares an update of the logits' weights with NumPy. On PyTorch Keras still uses float32 in some operations."""
    tolerance = 1e-7 if keras.backend.backend() == "torch" else 1e-12
    one_step = Comparison(
        jit=JIT, model="dense-1", optimizers=("sgd",), epochs=1, batch_size=len(data.train.x), precision="float64",
        learning_rate=0.5, standardize=True,
    )  # fmt: skip
    with double_precision():
        trainer = training.Trainer(one_step, data, one_step.arms[0])
        trainer.reset(0)
        w1, b1, w2, b2 = trainer.model.get_weights()[-4:]
        pixels = data.train.x / 16
        pixels = (pixels - pixels.mean()) / pixels.std()
        hidden = np.maximum(pixels.reshape(len(pixels), -1) @ w1 + b1, 0)
        logits = hidden @ w2 + b2
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        gradient = (shares - np.eye(10)[data.train.y]) / len(pixels)
        trainer.train(0)
        updated = trainer.model.get_weights()[-2:]
    for after, before, step in zip(updated, (w2, b2), (hidden.T @ gradient, gradient.sum(axis=0)), strict=True):
        assert after.dtype == "float64"
        np.testing.assert_allclose(after, before - 0.5 * step, rtol=0, atol=tolerance)


def test_float64_on_jax_must_be_enabled():
    """Otherwise JAX would silently compute in float32."""
    comparison = dataclasses.replace(SMALL, precision="float64")
    if keras.backend.backend() == "jax":
        with pytest.raises(ValueError, match=r"Received: jax, which makes them float32\. On JAX set JAX_ENABLE_X64=1"):
            runner.prepare(comparison)
    with double_precision():
        assert runner.prepare(comparison).num_classes == 10


def after_one_update(data, jit):
    """Returns (trainer, test loss)."""
    few = {"model": "dense-1", "optimizers": ("lsgd",), "batch_size": 1000, "epochs": 1, "seeds": 1}
    comparison = dataclasses.replace(SMALL, **few, jit=jit)
    trainer = training.Trainer(comparison, data, comparison.arms[0])
    return trainer, trainer.train(0)["test_loss"]


@pytest.fixture(scope="module")
def loss_of_auto(data):
    return after_one_update(data, "auto")[1]


@pytest.mark.parametrize("jit", [pytest.param("on", marks=[NEEDS_CPP, pytest.mark.ci]), "off"])
def test_jit_is_what_was_said_and_the_curves_are_the_same(data, loss_of_auto, jit):
    """Equal up to rounding after one update."""
    trainer, loss = after_one_update(data, jit)
    assert trainer.model.jit_compile == (jit == "on")
    np.testing.assert_allclose(loss, loss_of_auto, rtol=1e-5)


def test_auto_leaves_convolutions_of_tensorflow_to_keras(data):
    """On PyTorch it compiles nothing."""
    comparisons = [dataclasses.replace(SMALL, model=model) for model in ("dense-1", "conv-dense-2")]
    built = [training.Trainer(comparison, data, comparison.arms[0]).model for comparison in comparisons]
    auto = {"torch": [False, False], "jax": [True, "auto"], "tensorflow": [True, "auto"]}[keras.backend.backend()]
    assert [jit_compile("auto", model) for model in built] == auto
    assert [jit_compile("on", model) for model in built] == [True, True]


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the other backends compile with their own XLA")
def test_without_a_compiler_jit_is_refused_before_training(monkeypatch):
    import torch

    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setattr(torch._inductor.config, "force_disable_caches", True)
    torch._dynamo.reset()
    machine._why_torch_cannot.cache_clear()
    try:
        runner.prepare(SMALL)
        with pytest.raises(ValueError, match="Install a C\\+\\+ compiler"):
            runner.prepare(dataclasses.replace(SMALL, jit="on"))
    finally:
        machine._why_torch_cannot.cache_clear()


def test_another_step_is_not_kept_for_another_jit():
    task = runner.Task(SMALL, SMALL.arms[0], 0, {})
    assert task.step_key == dataclasses.replace(task, comparison=dataclasses.replace(SMALL, sigma=0.5)).step_key
    other = "on" if JIT == "off" else "off"
    assert task.step_key != dataclasses.replace(task, comparison=dataclasses.replace(SMALL, jit=other)).step_key


@pytest.mark.ci
def test_another_model_is_another_step(data, tmp_path):
    engine = Local()
    for model in ("dense-2", "dense-3"):
        comparison = dataclasses.replace(SMALL, model=model, optimizers=("sgd",), seeds=1)
        train_all(comparison, data, Store(tmp_path / model, comparison), engine=engine)
        assert engine.trainers.kept["sgd"].comparison.model == model
        assert len(engine.trainers.kept["sgd"].of_images.trainable_variables) == 2 * (int(model[-1]) + 1)


def _counted(function, calls):
    def wrapper(*arguments):
        calls.append(1)
        return function(*arguments)

    return wrapper


def test_the_learning_rate_and_sigma_fall_in_the_last_third(alone):
    np.testing.assert_allclose(alone.steered, [(1e-3, 1e-3), (1e-3, 1e-3), (1e-4, 0)], rtol=1e-6)


def test_finished_runs_are_not_trained_again(data, tmp_path, records):
    store = created(Store(tmp_path, SMALL))
    for arm in SMALL.arms:
        store.write(arm, 0, next(r for r in records if (r["optimizer"], r["seed"]) == (arm.spec, 0)))
    started = []
    train_all(SMALL, data, store, watchers=[Watching(start=lambda task: started.append((task.arm.spec, task.seed)))])
    assert started == [(arm.spec, 1) for arm in SMALL.arms]
    assert [run["curves"] for run in store.records()] == [run["curves"] for run in records]


@pytest.mark.parametrize(
    "precision", ["float32", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mixed_float16", "bfloat16"))]
)
def test_an_interrupted_run_ends_as_if_it_had_not_been(data, tmp_path, precision):
    """Interrupted before the learning rate falls, and again after the last epoch, before the record is written."""
    comparison = dataclasses.replace(SMALL, optimizers=("ladam",), seeds=1, precision=precision)
    (arm,) = comparison.arms
    whole, broken = (Store(tmp_path / name, comparison) for name in ("whole", "broken"))
    engine = Local()
    train_all(comparison, data, whole, save_weights=True, engine=engine)

    for interrupted_after in (1, 3):

        def interrupt(task, epoch, logs, interrupted_after=interrupted_after):
            if epoch == interrupted_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_all(comparison, data, broken, watchers=[Watching(epoch=interrupt)], checkpoint_seconds=0)
        assert broken.checkpoint(arm, 0).read().epoch == interrupted_after
        assert not broken.path(arm, 0).exists()

    seen = []
    train_all(comparison, data, broken, watchers=[Watching(epoch=lambda *call: seen.append(call))], save_weights=True)
    assert not seen
    (before,), (after,) = whole.records(), broken.records()
    assert after["curves"] == before["curves"]
    assert after["test_loss"] == before["test_loss"]
    weights = []
    for store in (whole, broken):
        engine.trainers.kept["ladam"].model.load_weights(store.weights_path(arm, 0))
        weights.append(engine.trainers.kept["ladam"].model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert {path.suffix for path in (broken.folder / "runs").iterdir()} == {".json", ".h5"}


@pytest.mark.ci
def test_a_state_of_another_model_is_refused_by_name(data, tmp_path):
    comparison = dataclasses.replace(SMALL, optimizers=("adam",), seeds=1)
    (arm,) = comparison.arms
    store = Store(tmp_path, comparison)
    engine, states = Local(), []

    def interrupt(task, epoch, logs):
        states.append(store.checkpoint(arm, 0).read())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_all(comparison, data, store, watchers=[Watching(epoch=interrupt)], checkpoint_seconds=0, engine=engine)
    (state,) = states
    others = (
        [np.zeros(3)],
        state.arrays[:-1],
        [*state.arrays, np.zeros(3)],
        [array.astype("float64") for array in state.arrays],
        [np.zeros_like(array, shape=(*array.shape, 1)) for array in state.arrays],
    )
    for arrays in others:
        store.checkpoint(arm, 0).write(state._replace(arrays=arrays))
        train_all(comparison, data, store, engine=engine)
        (run,) = store.records()
        assert run["status"] == "failed"
        assert "adam-seed-0.checkpoint.npz must hold the state of this model" in run["error"]
    store.checkpoint(arm, 0).write(state)
    train_all(comparison, data, store, engine=engine)
    assert store.records()[0]["status"] == "finished"


def test_a_state_of_another_seed_or_epoch_is_refused_by_name(data, tmp_path):
    """Tested with a genuine state under another name or with another header."""
    comparison = dataclasses.replace(SMALL, optimizers=("adam",), seeds=2)
    (arm,) = comparison.arms
    store = Store(tmp_path, comparison)

    def interrupt(task, epoch, logs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_all(comparison, data, store, watchers=[Watching(epoch=interrupt)], checkpoint_seconds=0)
    first, second = (store.checkpoint(arm, seed) for seed in (0, 1))
    second.path.write_bytes(first.path.read_bytes())
    first.write(first.read()._replace(epoch=10**12))
    train_all(comparison, data, store)
    early, renamed = (record["error"] for record in store.records())
    assert "its epoch is 1000000000000, which is not an int from 1 to 3" in early
    assert "it is of another run: another seed" in renamed and "Remove it to restart that run" in renamed


def test_a_full_disk_ends_the_command_and_loses_nothing(data, tmp_path, monkeypatch):
    """No failed run and no partial run is on record."""
    comparison = dataclasses.replace(SMALL, optimizers=("adam",))
    store = Store(tmp_path, comparison)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(task, epoch, logs):
        if (task.seed, epoch) == (1, 1):
            monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageError, match=r"No space left on device.*same command again"):
        train_all(comparison, data, store, watchers=[Watching(epoch=fill)])
    monkeypatch.undo()
    assert [run["seed"] for run in store.records()] == [0]
    train_all(comparison, data, store)
    assert [(run["seed"], run["status"]) for run in store.records()] == [(0, "finished"), (1, "finished")]


def test_a_failed_run_is_recorded_and_the_others_finish(data, tmp_path, monkeypatch):
    comparison = Comparison(jit=JIT, model="dense-1", optimizers=("sgd", "lsgd"), epochs=1, batch_size=256, seeds=2)
    train = training.Trainer.train

    def sometimes(self, seed, *arguments, **options):
        if self.arm.spec == "sgd" and seed == 0:
            raise MemoryError("no room")
        return train(self, seed, *arguments, **options)

    monkeypatch.setattr(training.Trainer, "train", sometimes)
    store = Store(tmp_path, comparison)
    train_all(comparison, data, store)
    assert [run["status"] for run in store.records()] == ["failed", "finished", "finished", "finished"]
    assert store.records()[0]["error"] == "MemoryError: no room"


def test_a_diverging_run_is_recorded_as_such(data, tmp_path):
    comparison = Comparison(
        jit=JIT, model="dense-2", optimizers=("sgd",), learning_rate=1e30, epochs=3, batch_size=256, seeds=1
    )
    store = Store(tmp_path, comparison)
    train_all(comparison, data, store)
    (run,) = store.records()
    assert run["status"] == "diverged"
    assert len(run["curves"]["train_loss"]) < 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "dens-2"}, "Did you mean 'dense-2'"),
        ({"dataset": "digit"}, "Did you mean 'digits'"),
        ({"optimizers": ("ladm",)}, "Did you mean 'ladam'"),
        ({"optimizers": ("ladam@9",)}, "at most 3"),
        ({"optimizers": ("ladam@nosuch",)}, "The layers are: dense_1, dense_2, logits"),
        ({"batch_size": 2000}, "at most 1293"),
    ],
)
def test_bad_input_is_an_error_before_anything_is_trained(wrong, message):
    with pytest.raises(ValueError, match=r"Received|Unknown") as error:
        runner.prepare(Comparison(**({"model": "dense-2"} | wrong)))
    assert message in str(error.value)


def test_no_split_leaks_into_another(data):
    """The runner trains on the training split, monitors validation, and uses the test split only in `evaluate`."""
    assert isinstance(data, datasets.Data)
    trainer = training.Trainer(SMALL, data, SMALL.arms[0])
    seen = {}
    fit, evaluate = trainer.model.fit, trainer.model.evaluate
    trainer.model.fit = lambda x, **options: (
        seen.update(train=x, validation=options["validation_data"]) or fit(x, **options)
    )
    trainer.model.evaluate = lambda *arguments, **options: (
        seen.setdefault("test", []).append(arguments or options["x"]) or evaluate(*arguments, **options)
    )
    trainer.train(0)
    assert seen["train"].split is data.train
    assert seen["validation"] is data.validation
    assert seen["test"][-1][0] is data.test.x
