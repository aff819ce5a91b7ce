"""`LayerScheduler`: which layers are noisy in each epoch of one compiled fit."""

import shutil

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LAdam, LayerScheduler, LRMSprop, describe
from keras_langevin.optimizers import gate_layers
from tests.callbacks.models import (
    EXECUTIONS,
    LAYERS,
    CountedLoss,
    States,
    eager_model,
    fit,
    policy,
    small_model,
    weights_of,
)
from tests.optimizers.cases import (
    BACKEND,
    MODES,
    is_second,
    make_common_step,
    make_gradients,
    make_variables,
    of_each_kind,
    values,
    with_each,
)

SHAPES = ((3, 4), (70_000, 3), (4, 2), (2,))  # three in a pool, and one drawn in pieces
CHOICES = [None, [1], ["layer_0", -1], 0, 0.5]


@pytest.mark.parametrize(("case", "mode"), with_each(MODES, of_each_kind((LAdam,))))  # P does not see the gate
def test_noise_is_that_of_layers_bit_for_bit(case, mode):
    """Compares an optimizer whose gate changes at each update with optimizers whose `layers` has that choice from the
    start. XLA, which on TensorFlow compiles the noise in every mode, may round differently by one unit in the last
    place for another set of variables. If only the noise is compiled, all variables are one set, so `layers=None` has
    the same bits in the noisy layers."""
    arguments = {"sigma": 0.5, "seed": 7}
    gated = case.make(**arguments, layers=[2])
    gate_layers(gated)
    optimizers = [gated, *(case.make(**arguments, layers=layers) for layers in CHOICES)]
    variables = [make_variables(*SHAPES) for _ in optimizers]
    step = make_common_step(list(zip(optimizers, variables, strict=True)), mode)
    assert gated.noisy_layers == ("layer_2",)
    gradients = make_gradients(variables[0], len(CHOICES))
    for update, layers in enumerate(CHOICES):
        gated.layers = layers
        step(gradients[update])
        mine, *others = map(values, variables)
        for actual, expected in zip(mine, others[update], strict=True):
            atol = 0 if mode == "eager" else 2 * np.spacing(np.abs(expected).max())
            np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)
        for number, (actual, all_noisy) in enumerate(zip(mine, others[0], strict=True)):
            if mode != "xla" and f"layer_{number}" in gated.noisy_layers:
                np.testing.assert_array_equal(actual, all_noisy)
        for own in variables:  # all start from the same weights
            for variable, value in zip(own, make_variables(*SHAPES), strict=True):
                variable.assign(value)
        if case.kept():  # and from the same momentum, which holds noise
            for optimizer in optimizers:
                for slot in optimizer.momentums:
                    slot.assign(ops.zeros(slot.shape))


@pytest.mark.parametrize(("case", "steps_per_execution"), with_each(EXECUTIONS, of_each_kind()))
def test_layers_of_each_epoch_move_and_others_do_not(case, steps_per_execution):
    """With a zero gradient only noise, and what a momentum keeps of it, moves weights. All epochs share one trace, and
    `noisy_layers` and `describe` always show what is noisy."""
    loss = CountedLoss(0.0)
    model = small_model(case.make(sigma=0.5, weight_decay=0.0), loss=loss, steps_per_execution=steps_per_execution)
    schedule = LayerScheduler({0: None, 1: ["second"], 3: 0.3, 4: 0})
    states = States(
        lambda model: (
            weights_of(model),
            model.optimizer.noisy_layers,
            tuple(row.path for row in describe(model) if row.noisy),
            loss.count,
        )
    )
    before = weights_of(model)
    fit(model, schedule, states, epochs=6)
    expected = [LAYERS, ("second",), ("second",), ("first",), (), ()]
    moving = LAYERS  # in the first epoch all are noisy
    for chosen, (weights, noisy, described, traces) in zip(expected, states.seen, strict=True):
        assert noisy == described == chosen
        for number, (old, new) in enumerate(zip(before, weights, strict=True)):
            layer = LAYERS[number // 2]
            moved = layer in chosen or (case.kept() > 0 and layer in moving)
            assert np.all((old != new) == moved)
        if BACKEND != "torch":
            assert traces == states.seen[0][3]
        before = weights


def test_an_optimizer_without_it_has_no_new_variable():
    plain, gated = (eager_model(LAdam(1e-3)) for _ in range(2))
    fit(plain)
    fit(gated, LayerScheduler({0: None}))
    assert len(gated.optimizer.variables) == len(plain.optimizer.variables) + 1
    assert gated.optimizer.variables[-1].shape == (3,)
    assert not any("gate" in variable.name for variable in plain.optimizer.variables)


def test_it_takes_effect_after_a_fit_without_it():
    """The step compiled then does not read the gate, so it is compiled again."""
    model = small_model(LAdam(1e-2, sigma=0.5), loss=CountedLoss(0.0))
    fit(model)
    before = weights_of(model)
    fit(model, LayerScheduler({0: ["third"]}))
    moved = [np.any(old != new) for old, new in zip(before, weights_of(model), strict=True)]
    assert moved == [False] * 4 + [True] * 2


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("backup_first", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_restarted_fit_is_the_uninterrupted_one(tmp_path, backup_first):
    """With `BackupAndRestore` before or after the callback in the list, in a new model with a new callback."""
    schedule = {0: ["first"], 2: ["second"], 4: 0}

    def run(*callbacks):
        model = eager_model(LAdam(1e-2, sigma=0.5, seed=1))
        gate, backup = LayerScheduler(schedule), keras.callbacks.BackupAndRestore(tmp_path / "backup")
        fit(model, *((backup, gate) if backup_first else (gate, backup)), *callbacks, epochs=5)
        return weights_of(model)

    whole = run()
    shutil.rmtree(tmp_path / "backup", ignore_errors=True)
    with pytest.raises(KeyboardInterrupt):
        run(Stop())
    for restarted, uninterrupted in zip(run(), whole, strict=True):
        np.testing.assert_array_equal(restarted, uninterrupted)


def test_it_is_saved_with_the_model(tmp_path):
    """A loaded model has the state and the last choice, and continues like the original."""
    model = eager_model(LAdam(1e-2, sigma=0.5, seed=1))
    fit(model, LayerScheduler({0: ["first"], 1: ["second"]}), epochs=2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.optimizer.noisy_layers == ("second",)
    for loaded, saved in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(loaded), ops.convert_to_numpy(saved))
    for each in (model, again):
        fit(each, LayerScheduler({0: ["third"]}))
    for loaded, saved in zip(weights_of(again), weights_of(model), strict=True):
        np.testing.assert_allclose(loaded, saved, rtol=1e-5, atol=1e-6)
    assert describe(again).__repr__().count(" yes ") == 1


def test_in_a_loss_scale_optimizer():
    with policy("mixed_float16"):
        model = small_model(LAdam(1e-2, sigma=0.5), loss=CountedLoss(0.0))
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        before = weights_of(model)
        states = States(weights_of)
        fit(model, LayerScheduler({0: [0], 1: [2]}), states, epochs=2)
    for chosen, weights in zip((0, 2), states.seen, strict=True):
        moved = [bool(np.any(old != new)) for old, new in zip(before, weights, strict=True)]
        assert moved == [number // 2 == chosen for number in range(6)]
        before = weights


def parts(wrapper=lambda optimizer: optimizer, **arguments):
    """Returns a `MultiOptimizer`: L-Adam for the kernel of `second`, SGD for the bias of `first`, else L-RMSprop."""
    chosen = {".*second/kernel": LAdam(1e-2, seed=1, **arguments), ".*first/bias": keras.optimizers.SGD(1e-2)}
    default = LRMSprop(1e-2, seed=2, **arguments)
    return wrapper(keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(default, chosen)))


KERNELS = {"first": [0], "second": [2, 3], "third": [4, 5]}  # variables with noise


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has no MultiOptimizer")
@pytest.mark.parametrize("wrapper", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer])
def test_over_the_parts_of_a_multi_optimizer(wrapper, capsys):
    """Layers are counted and named in the model, not in a part. A layer that two parts share is noisy in both."""
    model = eager_model(parts(wrapper, sigma=0.5), loss=CountedLoss(0.0))
    expected = {None: list(KERNELS), 1: ["first"], "second": ["second"], 0.7: ["first", "second"], 0: []}
    before, states = weights_of(model), States(weights_of)
    fit(model, LayerScheduler(dict(enumerate(expected)), verbose=1), states, epochs=len(expected), steps=1)
    for layers, weights in zip(expected.values(), states.seen, strict=True):
        moved = [number for number, pair in enumerate(zip(before, weights, strict=True)) if np.any(pair[0] != pair[1])]
        assert moved == [number for layer in layers for number in KERNELS[layer]]
        before = weights
    said = [line.partition("making ")[2] for line in capsys.readouterr().out.split("\n") if line]
    assert said == [f"{count} layers noisy." for count in (1, 1, 2, 0)]


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has no MultiOptimizer")
def test_parts_are_saved_with_their_choice(tmp_path):
    model = eager_model(parts())
    fit(model, LayerScheduler({0: ["second", "third"]}))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    rows = [(row.path.split("/")[-1], row.noisy) for row in describe(again)]
    assert rows == [("first", False), ("second", True), ("third", True)]
    for each in (model, again):
        fit(each, LayerScheduler({0: 2}))
    for loaded, saved in zip(weights_of(again), weights_of(model), strict=True):
        np.testing.assert_allclose(loaded, saved, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has no MultiOptimizer")
@pytest.mark.parametrize("later", ["fourth", [7], 4])
def test_what_does_not_fit_the_parts_is_refused_before_training(later):
    model = eager_model(parts())
    with pytest.raises(ValueError, match="The layers are: first, second, third"):
        fit(model, LayerScheduler({0: None, 100: later}))


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has no MultiOptimizer")
@pytest.mark.ci
def test_over_the_parts_that_a_function_makes():
    """These parts exist only after the optimizer is built."""
    model = eager_model(keras.optimizers.MultiOptimizer(lambda variable: LAdam(1e-2, sigma=0.5)))
    fit(model, LayerScheduler({0: ["second"]}))
    noisy = [bool(part.noisy_layers) for part in model.optimizer.optimizers]
    assert noisy == [False, False, True, True, False, False]


def test_gamma_correction_is_that_of_layers():
    """The memory of the noise covers the noisy layers, as with `layers=` from the start."""
    optimizers = [LRMSprop(0.02, sigma=0.5, seed=7, layers=[2], gamma_correction=True) for _ in range(2)]
    gate_layers(optimizers[0])
    variables = [make_variables(*SHAPES) for _ in optimizers]
    step = make_common_step(list(zip(optimizers, variables, strict=True)))
    for gradient in make_gradients(variables[0], 4):
        step(gradient)
    for gated, plain in zip(*map(values, variables), strict=True):
        np.testing.assert_array_equal(gated, plain)


@pytest.mark.parametrize("is_late", [pytest.param(False, marks=pytest.mark.slow), True])
def test_gamma_correction_gets_slots_for_every_layer(tmp_path, is_late):
    """From the start, or after training without the callback. A loaded model continues like the original."""
    optimizer = LRMSprop(0.01, sigma=0.5, seed=1, layers=["second"], gamma_correction=True)
    model = eager_model(optimizer)
    if is_late:
        fit(model)
        assert [variable.shape for variable in memories(optimizer)] == [(5, 3), (3,)]
    fit(model, LayerScheduler({0: ["first"], 1: ["third"]}), epochs=2)
    assert [variable.shape for variable in memories(optimizer)] == [variable.shape for variable in model.weights]
    assert optimizer.variables[-6:] == memories(optimizer)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, again):
        fit(each, LayerScheduler({0: ["second"]}))
    for loaded, saved in zip(weights_of(again), weights_of(model), strict=True):
        np.testing.assert_allclose(loaded, saved, rtol=1e-5, atol=1e-6)


def memories(optimizer):
    return [variable for variable in optimizer.variables if "noise_memory" in variable.path]


def test_verbose(capsys):
    fit(eager_model(LAdam(1e-3)), LayerScheduler({0: None, 1: 2}, verbose=1), epochs=3)
    assert capsys.readouterr().out == "\nEpoch 2: LayerScheduler making 2 layers noisy.\n"


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ([0, 1], r"must be a dict .* Received: schedule=\[0, 1\]\. Give"),
        ({}, r"including 0\) .* Received: schedule=\{\}\. Give"),
        ({5: None}, r"Received: schedule=\{5: None\}\. Give"),
        ({0: None, -1: 0}, r"Received: the epoch -1\. Epochs"),
        ({0: None, 1.5: 0}, r"Received: the epoch 1\.5\. Epochs"),
        ({0: None, 1: 1.5}, r"`layers` must be None .* Received: layers=1\.5\."),
    ],
)
def test_bad_schedules(schedule, message):
    with pytest.raises(ValueError, match=message):
        LayerScheduler(schedule)


@pytest.mark.parametrize("later", ["fourth", [7], 4])
def test_what_does_not_fit_the_model_is_refused_before_training(later):
    """Also a choice for a much later epoch."""
    model = small_model(LAdam(1e-3))
    before = weights_of(model)
    with pytest.raises(ValueError, match="The layers are: first, second, third"):
        fit(model, LayerScheduler({0: None, 100: later}))
    for old, new in zip(before, weights_of(model), strict=True):
        np.testing.assert_array_equal(new, old)


def test_layers_are_not_settable_without_a_gate():
    optimizer = LAdam(1e-3)
    optimizer.layers = [1]
    optimizer.build(make_variables(*SHAPES))
    assert optimizer.noisy_layers == ("layer_1",)
    with pytest.raises(ValueError, match=r"Received: layers=\[0\] for a built .* without a gate\. Use the callback"):
        optimizer.layers = [0]


def test_it_is_serializable():
    model = small_model(LAdam(1e-3))
    callback = LayerScheduler({3: is_second, 0: model.layers[1], 5: None, 7: 0.5}, verbose=1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(callback))
    assert again.get_config() == callback.get_config()
    chosen = []
    for own, each in ((model, callback), (small_model(LAdam(1e-3)), again)):
        states = States(lambda model: model.optimizer.noisy_layers)
        fit(own, each, states, epochs=8, steps=1)
        chosen.append(states.seen)
    assert chosen[1][3] == ("second",)
    assert chosen[0] == chosen[1]
