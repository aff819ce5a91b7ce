"""Which updates become samples, with what settings, and what is refused before a fit begins."""

import functools
import io
import json
import warnings
import zipfile

import keras
import numpy as np
import pytest

from keras_langevin import LSGD, CyclicalLangevin, LAdam, PosteriorSamples, archive
from keras_langevin.sampling import load
from tests.quick import JIT_COMPILE, LONG_ON_TENSORFLOW
from tests.sampling.cases import (
    BACKEND,
    assert_equal_arrays,
    classifier,
    data,
    fit,
    iterations,
    sample_arrays,
    trained,
    weights,
)

pytestmark = LONG_ON_TENSORFLOW


def test_samples_are_the_weights_after_the_updates_that_are_due():
    samples = fit(classifier(), PosteriorSamples(burn_in=4, thinning=3, max_samples=10), epochs=5)
    assert iterations(samples) == [7, 10, 13]
    for iteration, arrays in sample_arrays(samples).items():
        # the weights after that many updates of a separate training
        x, y = data()
        model = classifier()
        for update in range(iteration):
            batch = slice(update % 3 * 8, update % 3 * 8 + 8)
            model.train_on_batch(x[batch], y[batch])
        for array, variable in zip(arrays, model.weights, strict=True):
            np.testing.assert_allclose(array, keras.ops.convert_to_numpy(variable), rtol=2e-5, atol=1e-6)


def test_the_latest_samples_are_kept_oldest_first():
    samples = fit(classifier(), PosteriorSamples(burn_in=0, max_samples=4), epochs=3)
    assert iterations(samples) == [6, 7, 8, 9] and len(samples) == 4


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no steps_per_execution on PyTorch")
@pytest.mark.parametrize(
    ("thinning", "expected"),
    # 10 batches per epoch, 4 per execution: Keras calls back after 4, 8, 10, 14, 18, 20 updates
    [(1, [4, 8, 10, 14, 18, 20]), (5, [8, 10, 18, 20]), (6, [8, 14, 18]), (7, [8, 14])],
)
def test_with_several_steps_an_execution_a_sample_is_the_first_that_can_be_had(thinning, expected):
    x, y = np.tile(data()[0], (4, 1))[:80], np.tile(data()[1], 4)[:80]
    runs = {}
    for steps in (1, 4):
        samples = PosteriorSamples(burn_in=0, thinning=thinning if steps == 4 else 1)
        runs[steps] = fit(classifier(steps_per_execution=steps), samples, epochs=2, x=x, y=y)
    assert iterations(runs[4]) == expected
    every, found = sample_arrays(runs[1]), sample_arrays(runs[4])
    for iteration in expected:
        for array, other in zip(found[iteration], every[iteration], strict=True):
            np.testing.assert_allclose(array, other, rtol=2e-5, atol=1e-6)


def test_with_accumulated_gradients_updates_count_and_not_batches():
    optimizer = LSGD(0.05, sigma=0.3, seed=5, gradient_accumulation_steps=2)
    samples = fit(classifier(optimizer=optimizer), PosteriorSamples(burn_in=1, thinning=2), epochs=4)
    assert iterations(samples) == [3, 5]


def test_the_model_is_looked_at_only_when_a_sample_may_be_due():
    looks = []

    class Watched(PosteriorSamples):
        @property
        def model(self):
            looks.append(self.params and self.params.get("epochs"))
            return super().model

    samples = fit(classifier(), Watched(burn_in=10, thinning=10), epochs=10)
    assert iterations(samples) == [20, 30]
    assert len(looks) < 12  # for 30 batches: at 10, 20 and 30, and when the fit begins


def test_a_second_fit_goes_on():
    model, samples = classifier(), PosteriorSamples(burn_in=4, thinning=4)
    for _ in range(3):
        fit(model, samples, epochs=2)
    assert iterations(samples) == [8, 12, 16]


def test_each_sample_has_the_settings_that_made_it():
    decay = keras.optimizers.schedules.InverseTimeDecay(0.5, 1, 1.0)  # 0.5 / (1 + t)
    optimizer = LAdam(1e-3, sigma=decay, seed=11)
    samples = fit(classifier(optimizer=optimizer), PosteriorSamples(burn_in=0), epochs=1)
    json.dumps(samples.settings)
    for update, settings in enumerate(samples.settings, start=1):
        assert settings["iteration"] == update and settings["seed"] == 11
        assert settings["sigma"] == pytest.approx(0.5 / update)  # the schedule is called with 0, 1, 2
        assert settings["learning_rate"] == pytest.approx(1e-3)
        again = keras.saving.deserialize_keras_object(settings["optimizer"])
        assert type(again) is LAdam
        # built or not, it has the same layers; only a built one knows their variables
        found, expected = ({**each.get_config(), "layers": each.layers} for each in (again, optimizer))
        assert found == expected


def test_a_sigma_that_changes_during_the_fit_is_that_of_its_update():
    class Halving(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.sigma = 0.5**batch

    samples = PosteriorSamples(burn_in=0)
    x, y = data()
    classifier_ = classifier()
    classifier_.fit(x, y, batch_size=8, verbose=0, callbacks=[samples, Halving()])
    assert [settings["sigma"] for settings in samples.settings] == [1, 0.5, 0.25]


def test_a_loss_scale_optimizer_is_looked_into():
    optimizer = keras.optimizers.LossScaleOptimizer(LSGD(0.05, sigma=0.25, seed=3), initial_scale=8.0)
    samples = fit(classifier(optimizer=optimizer), PosteriorSamples(burn_in=0), epochs=1)
    assert iterations(samples) == [1, 2, 3]
    assert samples.settings[0]["sigma"] == 0.25 and samples.settings[0]["seed"] == 3
    assert samples.settings[0]["optimizer"]["class_name"] == "LossScaleOptimizer"


def test_a_predicate_or_an_attribute_says_when():
    class Stage:
        is_sampling = False

    class Flipping(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            Stage.is_sampling = epoch % 2 == 1

    x, y = data()
    by_number = fit(classifier(), PosteriorSamples(burn_in=2, when=lambda update: update % 5 == 0))
    assert iterations(by_number) == [5, 10]
    by_stage = PosteriorSamples(burn_in=0, thinning=2, when=Stage())
    classifier().fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[by_stage, Flipping()])
    assert iterations(by_stage) == [4, 6, 10, 12]


def test_the_fit_is_the_same_with_samples_taken():
    plain, watched = classifier(), classifier()
    x, y = data()
    plain.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    fit(watched, PosteriorSamples(burn_in=0), epochs=3)
    assert_equal_arrays(weights(watched), weights(plain))


def test_a_sample_does_not_change_with_the_training_that_follows():
    model, samples = trained(epochs=1, max_samples=50)
    before = [np.array(array) for array in samples.ring.arrays(0)]
    fit(model, samples, epochs=3)
    assert_equal_arrays(samples.ring.arrays(0), before)


# --- on disk ----------------------------------------------------------------------------------------------------------


def test_samples_on_disk_are_those_in_memory(tmp_path):
    _, in_memory = trained()
    _, on_disk = trained(directory=tmp_path / "chain")
    assert iterations(on_disk) == iterations(in_memory) == [8, 9, 10, 11, 12]
    found, expected = sample_arrays(on_disk), sample_arrays(in_memory)
    for iteration in expected:
        assert_equal_arrays(found[iteration], expected[iteration])
    again = load(tmp_path / "chain", classifier())
    assert again.settings == on_disk.settings
    np.testing.assert_array_equal(again.predict(data()[0], verbose=0), on_disk.predict(data()[0], verbose=0))


def test_a_fit_that_is_restored_takes_its_later_samples_again_and_once(tmp_path):
    """As after a kill: the ring has samples of updates after the restored state."""
    model = classifier()
    whole = fit(model, PosteriorSamples(burn_in=0, max_samples=20), epochs=4)
    first = classifier()
    fit(first, PosteriorSamples(burn_in=0, max_samples=20, directory=tmp_path), epochs=2)
    first.save(tmp_path / "state.keras")
    fit(first, PosteriorSamples(burn_in=0, max_samples=20, directory=tmp_path), epochs=1)  # then the fit is lost
    restored = keras.saving.load_model(tmp_path / "state.keras")
    samples = fit(restored, PosteriorSamples(burn_in=0, max_samples=20, directory=tmp_path), epochs=2)
    assert iterations(samples) == list(range(1, 13))
    expected, found = sample_arrays(whole), sample_arrays(samples)
    for iteration in expected:
        assert_equal_arrays(found[iteration], expected[iteration])


def test_bfloat16_weights_survive_the_disk(tmp_path):
    keras.config.set_dtype_policy("bfloat16")
    try:
        model = classifier()
    finally:
        keras.config.set_dtype_policy("float32")
    samples = fit(model, PosteriorSamples(burn_in=0, max_samples=2, directory=tmp_path), epochs=1)
    model.predict(data()[0], verbose=0)
    last = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.weights]
    for arrays, _ in zip(samples.models(), range(2), strict=False):
        found = [np.array(keras.ops.convert_to_numpy(variable)) for variable in arrays.weights]
    assert_equal_arrays(found, last)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"burn_in": -1}, r"`burn_in`.* int >= 0. Received: burn_in=-1"),
        ({"burn_in": 1.5}, r"`burn_in`.* int >= 0. Received: burn_in=1.5"),
        ({"burn_in": 0, "thinning": 0}, r"`thinning`.* int >= 1. Received: thinning=0"),
        ({"burn_in": 0, "max_samples": 0}, r"`max_samples`.* int >= 1. Received: max_samples=0"),
        ({"burn_in": 0, "when": 3}, r"`when` must be .*Received: when=3. Give"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PosteriorSamples(**arguments)


def test_samples_of_another_model_are_refused_before_the_fit(tmp_path):
    trained(directory=tmp_path)
    model = classifier(units=4)
    before = weights(model)
    with pytest.raises(ValueError, match=r"must be of a model with the 4 weights .*\(4, 4\).* Received: .*\(4, 3\)"):
        fit(model, PosteriorSamples(burn_in=0, directory=tmp_path))
    assert_equal_arrays(weights(model), before)
    with pytest.raises(ValueError, match="another directory"):
        load(tmp_path, model)


def test_a_directory_that_cannot_be_used(tmp_path):
    trained(directory=tmp_path / "five")
    with pytest.raises(ValueError, match=r"at most max_samples=3 samples. Received: .* with 5. Raise"):
        PosteriorSamples(burn_in=0, max_samples=3, directory=tmp_path / "five")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="`directory` must be a folder"):
        PosteriorSamples(burn_in=0, directory=tmp_path / "file")
    with pytest.raises(ValueError, match=r"must be a folder with samples. Received: .*none"):
        load(tmp_path / "none", classifier())
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="at least one sample"):
        load(tmp_path / "empty", classifier())


def test_nothing_is_unpickled(tmp_path):
    bad = np.array([lambda: None, object], dtype=object)
    with open(tmp_path / "sample-00000.npz", "wb") as file:
        np.savez(file, head=np.array([print], dtype=object), arr_0=bad[1:])
    with pytest.raises(ValueError, match=r"must hold a sample .*Received: .*sample-00000.npz.*Remove it"):
        PosteriorSamples(burn_in=0, directory=tmp_path)


def test_a_sum_over_the_batch_is_warned_of():
    model = classifier()
    model.compile(LSGD(0.01), loss=keras.losses.SparseCategoricalCrossentropy(reduction="sum"))
    with pytest.warns(UserWarning, match="must be a mean over the batch.*reduction='sum'.*default reduction"):
        fit(model, PosteriorSamples(burn_in=0), epochs=1)


# --- one chain --------------------------------------------------------------------------------------------------------


def line(optimizer=None):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer or LSGD(0.2, sigma=0.2, seed=0), loss="mse", jit_compile=JIT_COMPILE)
    return model


X = np.linspace(-1, 1, 50)[:, None].astype("float32")


def fit_line(model, updates, *callbacks, slope=1.0):
    """Fits full batches in one epoch, because starting an epoch costs more than a step."""
    x = np.tile(X, (updates, 1))
    model.fit(x, slope * x, batch_size=50, shuffle=False, verbose=0, callbacks=list(callbacks))


def sampled(directory=None, optimizer=None, slope=2.0, epochs=20, model=None, **arguments):
    """Returns samples of updates 5, 6, ..., of full batches."""
    samples = PosteriorSamples(burn_in=4, **({"max_samples": 10} | arguments), directory=directory)
    fit_line(model or line(optimizer), epochs, samples, slope=slope)
    return samples


OTHERS = {
    "sigma": LSGD(0.2, sigma=0.1, seed=0),
    "learning rate": LSGD(0.1, sigma=0.2, seed=0),
    "seed": LSGD(0.2, sigma=0.2, seed=1),
    "momentum": LSGD(0.2, sigma=0.2, seed=0, momentum=0.5),
    "LAdam": LAdam(0.2, sigma=0.2, seed=0),
    "noisy": LSGD(0.2, sigma=0.2, seed=0, layers=0),
    "noise": LSGD(0.2, sigma=0.2, seed=0, noise="rademacher"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_samples_of_other_settings_are_refused_before_the_fit(tmp_path, name):
    first = sampled(tmp_path)
    before = sample_arrays(first)
    other = type(OTHERS[name]).from_config(OTHERS[name].get_config())
    model = line(other)
    with pytest.raises(ValueError, match=rf"of the chain that this fit.*Received: .*{name}.* there.*Choose another"):
        sampled(tmp_path, model=model)
    assert int(other.iterations) == 0 and not model.get_weights()[0].any()
    found = sample_arrays(first)
    assert list(found) == list(before)
    for iteration in before:
        assert_equal_arrays(found[iteration], before[iteration])


def test_samples_of_another_start_are_refused(tmp_path):
    sampled(tmp_path)
    model = line()
    model.layers[0].kernel.assign([[1.0]])
    with pytest.raises(ValueError, match=r"Received: other weights at update 0"):
        sampled(tmp_path, model=model)


@pytest.mark.parametrize("epochs", [20, 8])
def test_other_data_are_refused_where_they_are_seen_and_replace_nothing(tmp_path, epochs):
    """They are refused at the first update with a stored sample, also if the ring is full and that update is late."""
    first = sampled(tmp_path, epochs=epochs)
    before = sample_arrays(first)
    with pytest.raises(ValueError, match=r"Received: other weights after update .* its data or .*another directory"):
        sampled(tmp_path, slope=-2.0, epochs=30)
    assert sample_arrays(first).keys() == before.keys()
    for iteration, arrays in sample_arrays(first).items():
        assert_equal_arrays(arrays, before[iteration])


def test_the_same_fit_again_adds_to_its_samples(tmp_path):
    first = sampled(tmp_path)
    assert iterations(sampled(tmp_path, epochs=30)) == list(range(21, 31))
    with pytest.raises(ValueError, match=r"must hold the sample of update 11 .*Received: another, of update 2.*load"):
        first.predict(X, outputs="values", verbose=0)


def test_settings_that_change_in_a_chain_do_not_part_it(tmp_path):
    """Changed by callbacks, by a schedule, or by a state that is restored before or after this callback begins."""

    class Halving(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.sigma = float(0.2 * 0.5**epoch)
            self.model.optimizer.learning_rate = float(0.2 * 0.9**epoch)

    samples = PosteriorSamples(burn_in=1, directory=tmp_path / "one")
    model = line()
    for _ in range(2):
        model.fit(X, X, batch_size=50, epochs=4, verbose=0, callbacks=[Halving(), samples])
    model.save(tmp_path / "state.keras")
    again = keras.saving.load_model(tmp_path / "state.keras")
    more = PosteriorSamples(burn_in=1, directory=tmp_path / "one")
    again.fit(X, X, batch_size=50, epochs=2, verbose=0, callbacks=[more])
    assert iterations(more) == list(range(2, 11))

    def restored(order):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
        of_both = PosteriorSamples(burn_in=1, directory=tmp_path / "two", when=lambda update: update != 4)
        cyclical = CyclicalLangevin(cycles=2, total_steps=20)
        callbacks = {"s": of_both, "b": backup, "c": cyclical}
        model = line()
        epochs, chosen = {"bcs": 4, "sbc": 6}[order], [callbacks[each] for each in order]
        model.fit(X, X, batch_size=50, epochs=epochs, verbose=0, callbacks=chosen)
        return of_both

    restored("bcs")
    assert iterations(restored("sbc"))[-1] == 6


def test_a_sample_belongs_to_one_model():
    """As in cross-validation: another model is refused before it is trained, and the samples stay with theirs."""
    samples = PosteriorSamples(burn_in=0, max_samples=20)
    first, second = line(), line(LSGD(0.2, sigma=0.2, seed=1))
    first.fit(X, X, batch_size=25, verbose=0, callbacks=[samples])
    before = second.get_weights()
    with pytest.raises(
        ValueError, match=r"collects samples of one model. Received: a fit of another .* its 2 samples. Make"
    ):
        second.fit(X, X, batch_size=25, verbose=0, callbacks=[samples])
    assert_equal_arrays(second.get_weights(), before)
    assert samples.model is first and len(samples) == 2
    first.fit(X, X, batch_size=25, verbose=0, callbacks=[samples])  # the same model adds to them
    assert iterations(samples) == [1, 2, 3, 4]
    first.compile(LSGD(0.2, sigma=0.2, seed=0), loss="mse", jit_compile=JIT_COMPILE)
    with pytest.raises(ValueError, match=r"The samples in memory must be of the chain"):
        first.fit(X, X, batch_size=25, verbose=0, callbacks=[samples])


def test_a_callback_without_samples_may_take_another_model():
    samples = PosteriorSamples(burn_in=3)
    for seed in (0, 1):
        line(LSGD(0.2, sigma=0.2, seed=seed)).fit(X, X, batch_size=25, epochs=seed + 1, verbose=0, callbacks=[samples])
    assert {settings["seed"] for settings in samples.settings} == {1}


def test_a_directory_with_samples_of_two_chains_is_refused(tmp_path):
    for seed in (0, 1):
        sampled(tmp_path / str(seed), LSGD(0.2, sigma=0.2, seed=seed), max_samples=3)
    head, arrays = archive.read(tmp_path / "1" / "sample-00000.npz")
    archive.write(tmp_path / "0" / "sample-00003.npz", head | {"slot": 3, "number": 99}, arrays)
    with pytest.raises(ValueError, match=r"samples of one chain. Received: .*samples of 2 chains"):
        load(tmp_path / "0", line())


def test_burn_in_that_leaves_out_nothing_is_warned_of():
    model = line()
    fit_line(model, 10)
    with pytest.warns(UserWarning, match=r"leaves out nothing. Received: burn_in=5 after 10 updates. .*`burn_in=15`"):
        samples = PosteriorSamples(burn_in=5)
        model.fit(X, X, batch_size=50, epochs=2, verbose=0, callbacks=[samples])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.fit(X, X, batch_size=50, epochs=2, verbose=0, callbacks=[samples])
        for burn_in in (0, 20):
            model.fit(X, X, batch_size=50, epochs=2, verbose=0, callbacks=[PosteriorSamples(burn_in=burn_in)])


# --- NaN --------------------------------------------------------------------------------------------------------------


class Breaking(keras.callbacks.Callback):
    """Multiplies the weights before every batch after update 11."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) >= 11:
            kernel = self.model.layers[0].kernel
            kernel.assign(self.factor * kernel)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e5])
def test_a_chain_that_diverges_loses_no_sample(tmp_path, factor, on_disk):
    """Whether the weights become NaN at once or first grow without bound."""
    samples = PosteriorSamples(burn_in=4, max_samples=5, directory=tmp_path if on_disk else None)
    with pytest.warns(UserWarning, match=r"must be finite.*after update 12: the chain has diverged") as found:
        fit_line(line(), 40, Breaking(factor), samples)
    assert iterations(samples) == [7, 8, 9, 10, 11]
    assert all(np.isfinite(arrays[0]).all() for arrays in sample_arrays(samples).values())
    assert len([each for each in found if "diverged" in str(each.message)]) == 1
    prediction = samples.predict(X, outputs="values", verbose=0)
    assert np.abs(prediction.mean).max() < 2


def test_nan_in_moving_statistics_is_no_sample():
    layers = [keras.Input((1,)), keras.layers.BatchNormalization(center=False, scale=False), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(LSGD(0.1, sigma=0.1, seed=0), loss="mse", jit_compile=JIT_COMPILE)
    samples = PosteriorSamples(burn_in=0)
    model.fit(X, X, batch_size=50, verbose=0, callbacks=[samples])
    model.layers[0].moving_variance.assign([np.nan])
    with pytest.warns(UserWarning, match="the chain has diverged"):
        model.fit(X, X, batch_size=50, verbose=0, callbacks=[samples])
    assert iterations(samples) == [1]


# --- files that are no samples ----------------------------------------------------------------------------------------


def damaged(path, kind):
    """Damages the file of a sample."""
    raw = bytearray(path.read_bytes())
    central = [at for at in range(len(raw)) if raw[at : at + 4] == b"PK\x01\x02"]
    if kind == "encrypted":
        for at in central:
            raw[at + 8] |= 1
    elif kind == "unknown compression":
        for at in central:
            raw[at + 10 : at + 12] = (99).to_bytes(2, "little")
    elif kind == "deflate":
        for at in central:
            raw[at + 10 : at + 12] = (8).to_bytes(2, "little")
    elif kind == "deep":
        np.savez(path, head=np.array("[" * 200_000))
        return
    elif kind == "a huge shape":
        head, (array,) = archive.read(path)
        with zipfile.ZipFile(path, "w") as file:
            for name, content in (("arr_0", array), ("head", np.array(json.dumps(head)))):
                written = io.BytesIO()
                np.lib.format.write_array(written, content)
                raw = written.getvalue()
                if name == "arr_0":
                    raw = raw.replace(b"(1, 1), }            ", b"(1000000000000, 1), }")
                file.writestr(f"{name}.npy", raw)
        return
    path.write_bytes(raw)


@pytest.mark.parametrize("kind", ["encrypted", "unknown compression", "deflate", "deep", "a huge shape"])
def test_archives_that_cannot_be_read(tmp_path, kind):
    sampled(tmp_path)
    damaged(tmp_path / "sample-00001.npz", kind)
    with pytest.raises(ValueError, match=r"must hold a sample .*Received: .*sample-00001.npz.*Remove it"):
        load(tmp_path, line()).predict(X, outputs="values", verbose=0)
    if kind != "a huge shape":
        with pytest.raises(ValueError, match=r"must hold a sample .*Received: .*sample-00001.npz.*Remove it"):
            PosteriorSamples(burn_in=0, directory=tmp_path)


HEADS = {
    "layout": [None, [1, 2], "text", [[[1.5], "float32"]], [[[-1], "float32"]], {}],
    "settings": [[], None, {}, {"seed": 0}, {"seed": "0", "iteration": 5}, {"seed": 0, "iteration": "5"}],
    "number": ["a", None, 1.5, True, -1],
    "slot": [None, "1", True, [1], 7],
    "chain": [[], 5, {"begin": "0"}],
    "levels": [None, 5],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in HEADS.items() for value in values])
def test_heads_of_other_types_are_refused(tmp_path, name, value):
    path = tmp_path / "sample-00001.npz"
    head = {"settings": {"seed": 0, "iteration": 5}, "layout": [[[1, 1], "float32"]], "slot": 1, "number": 0}
    archive.write(path, head, [np.zeros((1, 1), "float32")])
    assert len(load(tmp_path, line())) == 1
    archive.write(path, head | {name: value}, [np.zeros((1, 1), "float32")])
    for read in (lambda: load(tmp_path, line()), lambda: PosteriorSamples(burn_in=0, directory=tmp_path)):
        with pytest.raises(ValueError, match=r"must hold a sample .*Received: .*sample-00001.npz.*Remove it"):
            read()


@pytest.mark.parametrize("head", [None, [], 5, "text", {}])
def test_heads_that_are_no_dict_are_refused(tmp_path, head):
    archive.write(tmp_path / "sample-00001.npz", head, [np.zeros((1, 1), "float32")])
    with pytest.raises(ValueError, match=r"must hold a sample .*Received: .*sample-00001.npz.*Remove it"):
        load(tmp_path, line())


RIGHT = np.zeros((1, 1), "float32")


@pytest.mark.parametrize("arrays", [[], [np.zeros((1, 2), "float32")], [RIGHT.astype("float64")], [RIGHT, RIGHT]])
def test_arrays_that_differ_from_their_layout_are_refused(tmp_path, arrays):
    head = {"settings": {"seed": 0, "iteration": 5}, "layout": [[[1, 1], "float32"]], "slot": 1, "number": 0}
    archive.write(tmp_path / "sample-00001.npz", head, arrays)
    with pytest.raises(ValueError, match=r"must hold a sample .*Received: .*its arrays are .*its layout says"):
        load(tmp_path, line()).predict(X, outputs="values", verbose=0)


class Plain(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule without `get_config`."""

    def __call__(self, step):
        return 0.01


class Chooses:
    def __call__(self, path):
        return True


@pytest.mark.parametrize(
    "arguments",
    [
        {"layers": lambda path: True},
        {"layers": functools.partial(str.startswith, "d")},
        {"layers": Chooses()},
        {"sigma": functools.partial(float, 0.1)},
        {"sigma": Plain()},
        {"learning_rate": Plain()},
    ],
    ids=["lambda", "partial", "object", "sigma partial", "sigma schedule", "rate schedule"],
)
def test_an_optimizer_that_cannot_be_put_down_is_refused_before_training(arguments):
    """The error comes before training, not at the first sample after burn-in."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="d")])
    model.compile(LSGD(**arguments), loss="mse")
    samples = PosteriorSamples(burn_in=100)
    with pytest.raises(
        ValueError, match=r"`PosteriorSamples` saves the optimizer's configuration.*Received.*[Rr]egister"
    ):
        model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0, callbacks=[samples])
    assert not model.optimizer.built or int(model.optimizer.iterations) == 0
