"""`CyclicalLangevin`: learning rate, noise and stage of each step, against algorithm 1 of the paper in NumPy."""

import math
import shutil

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, CyclicalLangevin, LogSchedule, PosteriorSamples
from keras_langevin.optimizers import CyclicalCosine, CyclicalNoise
from tests.callbacks.models import EXECUTIONS, CountedLoss, States, eager_model, fit, policy, small_model, weights_of
from tests.optimizers.cases import BACKEND, normal
from tests.optimizers.test_fit import SEED, SHAPE, noise_model, run_epochs

RATE, SIGMA = 0.02, 0.5


def reference(total, cycles, fraction) -> list[tuple[float, float]]:
    """Returns γ_k and σ_k of the steps k = 1, ..., K by the paper's formulas."""
    length = math.ceil(total / cycles)
    settings = []
    for k in range(1, total + 1):
        place = math.fmod(k - 1, length)
        rate = RATE / 2 * (math.cos(math.pi * place / length) + 1)
        settings.append((rate, SIGMA * (place / length >= fraction)))
    return settings


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.55, 0.7, 0.94])
@pytest.mark.parametrize(("total", "cycles"), [(12, 3), (100, 7), (300, 3), (5, 5)])
def test_schedules_are_the_papers_formulas(total, cycles, fraction):
    length = math.ceil(total / cycles)
    rate, sigma = CyclicalCosine(RATE, length), CyclicalNoise(SIGMA, length, fraction)
    for step, expected in enumerate(reference(total, cycles, fraction)):
        step = ops.convert_to_tensor(step)
        actual = float(ops.convert_to_numpy(rate(step))), float(ops.convert_to_numpy(sigma(step)))
        assert actual == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_schedules_are_exact_far_out():
    """Tests steps beyond float32's integers."""
    for step in (2**24 + 1, 2**31 - 2):
        place = step % 1000
        rate = ops.convert_to_numpy(CyclicalCosine(RATE, 1000)(ops.convert_to_tensor(step, "int32")))
        np.testing.assert_allclose(rate, RATE / 2 * (math.cos(math.pi * place / 1000) + 1), rtol=1e-5)
        noise = ops.convert_to_numpy(CyclicalNoise(SIGMA, 1000)(ops.convert_to_tensor(step, "int32")))
        assert noise == SIGMA * (place >= 500)


@pytest.mark.parametrize("steps_per_execution", EXECUTIONS)
def test_every_step_of_a_fit_has_its_noise(steps_per_execution):
    """With a zero gradient, the weights after each epoch of three steps are the sum of σ_k√γ_k·Z_k."""
    model = noise_model(LSGD(RATE, sigma=SIGMA, seed=SEED), steps_per_execution=steps_per_execution)
    draws = run_epochs(model, 5, CyclicalLangevin(cycles=2, exploration_fraction=0.4), steps=3)
    noise = [sigma * math.sqrt(rate) * normal(SEED, k, SHAPE) for k, (rate, sigma) in enumerate(reference(15, 2, 0.4))]
    expected = np.array(noise).reshape(5, 3, *SHAPE).sum(axis=1)
    assert not expected[0].any()
    np.testing.assert_allclose(draws, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["float32", "mixed_float16"])
@pytest.mark.parametrize("steps_per_execution", EXECUTIONS)
def test_what_a_collector_sees(steps_per_execution, name):
    """After each execution `is_sampling` and `cycle` are those of its last step, also for callbacks earlier in the
    list. `logs` have the learning rate and σ of each epoch's last step."""
    with policy(name):
        cyclical = CyclicalLangevin(cycles=2, exploration_fraction=0.5)
        first, last = (States(lambda model: (cyclical.is_sampling, cyclical.cycle), batches=True) for _ in range(2))
        model = small_model(LSGD(RATE, sigma=SIGMA), steps_per_execution=steps_per_execution)
        history = fit(model, first, cyclical, last, epochs=4, steps=3).history
    settings = reference(12, 2, 0.5)[steps_per_execution - 1 :: steps_per_execution]
    stages = [sigma > 0 for _, sigma in settings]
    cycles = [step // 6 for step in range(12)][steps_per_execution - 1 :: steps_per_execution]
    assert first.seen == last.seen == list(zip(stages, cycles, strict=True))
    rates, sigmas = zip(*reference(12, 2, 0.5)[2::3], strict=True)
    assert history["learning_rate"] == pytest.approx(rates)
    assert history["sigma"] == pytest.approx(sigmas)


@pytest.mark.parametrize("steps_per_execution", EXECUTIONS)
def test_posterior_samples_are_those_of_the_sampling_stages(steps_per_execution):
    """Two cycles of six steps with noise in the last three; each sample has the rate and the σ of its step."""
    cyclical = CyclicalLangevin(cycles=2, exploration_fraction=0.5)
    samples = PosteriorSamples(burn_in=0, when=cyclical)
    model = small_model(LSGD(RATE, sigma=SIGMA), steps_per_execution=steps_per_execution)
    fit(model, cyclical, samples, epochs=4, steps=3)
    expected = [k for k in (4, 5, 6, 10, 11, 12) if k % steps_per_execution == 0]
    assert [settings["iteration"] for settings in samples.settings] == expected
    for settings in samples.settings:
        made_by = reference(12, 2, 0.5)[settings["iteration"] - 1]
        assert (settings["learning_rate"], settings["sigma"]) == pytest.approx(made_by)


def test_nothing_is_sampled_before_a_fit():
    cyclical = CyclicalLangevin(2)
    assert not cyclical.is_sampling
    seen = []

    class Begin(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(cyclical.is_sampling)

    fit(small_model(LSGD(RATE)), cyclical, Begin(), steps=4)
    assert seen == [False, False, True, False]


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("backup_first", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_restarted_fit_is_the_uninterrupted_one(tmp_path, backup_first):
    def run(*callbacks):
        model = eager_model(LSGD(RATE, sigma=SIGMA, seed=1))
        cyclical, backup = CyclicalLangevin(2), keras.callbacks.BackupAndRestore(tmp_path / "backup")
        fit(model, *((backup, cyclical) if backup_first else (cyclical, backup)), *callbacks, epochs=5)
        return weights_of(model)

    whole = run()
    shutil.rmtree(tmp_path / "backup", ignore_errors=True)
    with pytest.raises(KeyboardInterrupt):
        run(Stop())
    for restarted, uninterrupted in zip(run(), whole, strict=True):
        np.testing.assert_array_equal(restarted, uninterrupted)


def test_a_second_fit_begins_its_cycles_anew():
    """After training without it and after a fit with it, cycles start at the optimizer's counter with γ₀ and σ₀."""
    model = noise_model(LSGD(RATE, sigma=SIGMA, seed=SEED))
    run_epochs(model, 1, steps=3)
    for begin in (3, 7):
        (draws,) = run_epochs(model, 1, CyclicalLangevin(2), steps=4)
        expected = sum(
            sigma * math.sqrt(rate) * normal(SEED, begin + k, SHAPE)
            for k, (rate, sigma) in enumerate(reference(4, 2, 0.5))
        )
        np.testing.assert_allclose(draws, expected, rtol=1e-3, atol=1e-5)


def test_one_trace_a_fit():
    loss = CountedLoss()
    model = small_model(LSGD(RATE, sigma=SIGMA), loss=loss)
    counts = States(lambda model: loss.count)
    fit(model, CyclicalLangevin(3), counts, epochs=3)
    if BACKEND != "torch":
        assert len(set(counts.seen)) == 1


def test_total_steps_are_those_given():
    cyclical = CyclicalLangevin(cycles=2, total_steps=20, learning_rate=0.5, sigma=0.25)
    model = small_model(LSGD(LogSchedule(0.1), sigma=LogSchedule(0.1)))
    history = fit(model, cyclical, epochs=2, steps=4).history
    assert history["learning_rate"] == pytest.approx([0.25 * (math.cos(math.pi * k / 10) + 1) for k in (3, 7)])
    assert history["sigma"] == pytest.approx([0.0, 0.25])


def test_it_is_saved_with_the_model(tmp_path):
    model = small_model(LSGD(RATE, sigma=SIGMA))
    fit(model, CyclicalLangevin(2, exploration_fraction=0.25), epochs=2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").optimizer
    for name in ("_learning_rate", "_sigma"):
        loaded, saved = getattr(again, name), getattr(model.optimizer, name)
        assert type(loaded) is type(saved)
        assert loaded.get_config() == saved.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cycles": 0}, r"`cycles` must be an int >= 1\. Received: cycles=0\. Give"),
        ({"cycles": 2.0}, r"Received: cycles=2\.0\. Give"),
        ({"cycles": 2, "exploration_fraction": 0.0}, r"in \(0, 1\)\. Received: exploration_fraction=0\.0\. For noise"),
        ({"cycles": 2, "exploration_fraction": 1.0}, r"Received: exploration_fraction=1\.0\. For noise"),
        ({"cycles": 2, "exploration_fraction": math.nan}, r"Received: exploration_fraction=nan\. For noise"),
        ({"cycles": 2, "learning_rate": -1.0}, r"Received: learning_rate=-1\.0\. Pass one"),
        ({"cycles": 2, "sigma": 0.0}, r"Received: sigma=0\.0\. Pass one"),
        ({"cycles": 5, "total_steps": 4}, r"`total_steps` must be an int >= 5\. Received: total_steps=4\. Give"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CyclicalLangevin(**arguments)


@pytest.mark.parametrize(
    ("optimizer", "cycles", "message"),
    [
        (lambda: LSGD(RATE), 7, r"at most the number of steps, which is 6 .* Received: cycles=7\. Take fewer"),
        (lambda: LSGD(LogSchedule(0.1)), 2, r"whose `learning_rate` is .* Create .* `CyclicalLangevin\(learning_rate="),
        (lambda: LSGD(RATE, sigma=LogSchedule(0.1)), 2, r"whose `sigma` is .* Create the optimizer with a float"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(optimizer, cycles, message):
    model = small_model(optimizer())
    before = weights_of(model)
    with pytest.raises(ValueError, match=message):
        fit(model, CyclicalLangevin(cycles), epochs=2)
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(new, old)


def test_data_of_unknown_length_need_total_steps():
    def batches():
        yield np.ones((2, 4), "float32"), np.ones((2, 2), "float32")

    with pytest.raises(ValueError, match=r"Received data whose length is not known\. Pass `total_steps`"):
        small_model(LSGD(RATE)).fit(batches(), callbacks=[CyclicalLangevin(2)], shuffle=False, verbose=0)


@pytest.mark.parametrize("cls", [CyclicalCosine, CyclicalNoise])
@pytest.mark.parametrize("arguments", [{"initial_value": -1.0}, {"cycle_length": 0}, {"cycle_length": 1.5}])
def test_bad_schedules(cls, arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=rf"`{name}`(, .*,)? must be .* Received: {name}=.*\. "):
        cls(**{"initial_value": 0.1, "cycle_length": 10} | arguments)
