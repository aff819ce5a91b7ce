"""From a parent to its Langevin optimizer and back mid-training: files of weights load into both."""

import itertools
import os
import re
import subprocess
import sys
import warnings
from functools import partial

import h5py
import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, SGHMC, LAdam, LRMSprop
from keras_langevin.optimizers import gate_layers
from keras_langevin.reading import innermost
from tests.optimizers.cases import CASES, all_of, case_name, of_each_kind
from tests.quick import EAGERLY
from tests.reliability import nets
from tests.reliability.nets import fit

make_model = partial(nets.make_model, run_eagerly=EAGERLY)  # what files hold does not depend on a trace


def state(optimizer) -> dict[str, np.ndarray]:
    """Returns slots by the names that parent and child share; those outside the optimizer's scope by number."""
    number = itertools.count()
    names = [variable.path.partition("/")[2] or f"unscoped {next(number)}" for variable in optimizer.variables]
    return {
        name: np.array(ops.convert_to_numpy(variable))
        for name, variable in zip(names, optimizer.variables, strict=True)
    }


@pytest.mark.parametrize("case", of_each_kind())
def test_a_parents_file_and_back(case, tmp_path):
    """Training resumes as if the optimizer had not changed; without a noisy layer, bit for bit. Sigma and seed stay
    those of the new optimizer, and a message says so."""
    parent = fit(make_model(case.make_parent()), 2)
    parent.save_weights(tmp_path / "parent.weights.h5")
    ours = fit(make_model(case.make(layers=0, sigma=0.25, seed=7)), 1)
    with pytest.warns(UserWarning, match=r"no state of the noise: .* are loaded; seed(, sigma)? and \w+ stay"):
        ours.load_weights(tmp_path / "parent.weights.h5")
    found = state(ours.optimizer)
    assert int(found["iteration"]) == 8
    for name, value in state(parent.optimizer).items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert (ours.optimizer.seed, float(ours.optimizer.sigma)) == (7, 0.25)
    fit(ours, 1)
    ours.save_weights(tmp_path / "ours.weights.h5")
    back = fit(make_model(case.make_parent()), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        back.load_weights(tmp_path / "ours.weights.h5")
    fit(back, 1)
    whole = fit(parent, 2)
    for one, other in zip(back.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", all_of(CASES))
def test_its_own_file_has_all_of_its_state(case, tmp_path):
    """Seed, sigma and slots are loaded without a message."""
    first = fit(make_model(case.make(sigma=0.5, seed=2**40 + 1)), 1)
    second = fit(make_model(case.make(sigma=0.1, seed=2)), 1)
    first.save_weights(tmp_path / "first.weights.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        second.load_weights(tmp_path / "first.weights.h5")
    for theirs, ours in zip(*(state(model.optimizer).items() for model in (first, second)), strict=True):
        np.testing.assert_array_equal(ours[1], theirs[1], err_msg=theirs[0])


def test_an_optimizer_that_is_not_built_takes_nothing(tmp_path):
    """Keras warns; seed and sigma are not loaded either."""
    (case,) = (case for case in CASES if case_name(case) == "LAdam")
    fit(make_model(case.make(sigma=0.5, seed=1)), 1).save_weights(tmp_path / "first.weights.h5")
    fresh = make_model(case.make(sigma=0.1, seed=2))
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        fresh.load_weights(tmp_path / "first.weights.h5")
    assert (fresh.optimizer.seed, round(float(fresh.optimizer.sigma), 6)) == (2, 0.1)


def test_a_file_of_a_model_that_was_never_trained(tmp_path):
    """Keras warns that it has no slots. Seed and sigma are loaded, and no message claims that moments were loaded."""
    (case,) = (case for case in CASES if case_name(case) == "LAdam")
    make_model(case.make(sigma=0.5, seed=1)).save_weights(tmp_path / "fresh.weights.h5")
    ours = fit(make_model(case.make(sigma=0.1, seed=2)), 1)
    with pytest.warns(UserWarning) as messages:
        ours.load_weights(tmp_path / "fresh.weights.h5")
    (message,) = [str(each.message) for each in messages if each.category is UserWarning]
    assert message.startswith("Skipping variable loading for optimizer")
    assert (ours.optimizer.seed, float(ours.optimizer.sigma), int(ours.optimizer.iterations)) == (1, 0.5, 4)


# --- files that do not fit: all of the optimizer is loaded, or nothing ---------------------------------------------


def net(optimizer, frozen=0, units=(3, 2), gated=False, wrapped=False):
    """Returns a model of dense layers with a built optimizer; its first `frozen` layers are frozen."""
    layers = [keras.layers.Dense(each, name=f"d{i}") for i, each in enumerate(units)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    for layer in model.layers[:frozen]:
        layer.trainable = False
    inner = optimizer
    if wrapped:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    if gated:
        gate_layers(inner)
    model.compile(optimizer, loss="mse")
    optimizer.build(model.trainable_variables)
    return model


def step(model, times=3):
    for _ in range(times):
        innermost(model.optimizer).apply([ops.ones(v.shape) for v in model.trainable_variables])
    return model


def whole_state(model) -> list[np.ndarray]:
    return [np.array(ops.convert_to_numpy(variable)) for variable in model.optimizer.variables]


def load_unfitting(model, path, **options) -> list[str]:
    """Loads a file, checks that the optimizer did not change, and returns the messages."""
    before = whole_state(model)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.load_weights(path, **options)
    for old, new in zip(before, whole_state(model), strict=True):
        np.testing.assert_array_equal(new, old)
    return [str(each.message).strip() for each in found if each.category is UserWarning]


@pytest.mark.parametrize("wrapped", [False, True], ids=["", "LossScaleOptimizer"])
@pytest.mark.parametrize("case", of_each_kind())
def test_a_file_of_a_model_with_more_layers_changes_nothing(case, wrapped, tmp_path):
    """Like the parent: one message with the parent's count, and no error."""
    path = tmp_path / "first.weights.h5"
    slots = {"momentum": 0.9} if case.langevin is LSGD else {}  # without it the counts match, and everything is loaded
    step(net(case.make(sigma=0.5, seed=1, **slots), wrapped=wrapped)).save_weights(path)
    for skip_mismatch in (False, True):
        ours = net(case.make(sigma=0.0, seed=2, **slots), frozen=1, wrapped=wrapped)
        found = load_unfitting(ours, path, skip_mismatch=skip_mismatch)
        parent = net(case.make_parent(**slots), frozen=1)
        expected = load_unfitting(parent, path, skip_mismatch=skip_mismatch) if not wrapped else found
        assert len(found) == 1
        assert [re.findall(r"has (\d+) variables", each) for each in found] == [
            re.findall(r"has (\d+) variables", each) for each in expected
        ]
        assert all(message.startswith("Skipping variable loading for optimizer") for message in found)


@pytest.mark.parametrize("wrapped", [False, True], ids=["", "LossScaleOptimizer"])
@pytest.mark.parametrize("case", of_each_kind())
def test_an_optimizer_that_is_not_built_takes_nothing_of_any_file(case, wrapped, tmp_path):
    """For any number of variables in the file."""
    slots = {"momentum": 0.9} if case.langevin is LSGD else {}
    for units in ((3,), (3, 2)):
        path = tmp_path / f"{len(units)}.weights.h5"
        step(net(case.make(sigma=0.5, seed=1, **slots), units=units, wrapped=wrapped)).save_weights(path)
        inner = case.make(sigma=0.0, seed=2, **slots)
        model = keras.Sequential(
            [keras.Input((4,)), *(keras.layers.Dense(n, name=f"d{i}") for i, n in enumerate(units))]
        )
        model.compile(keras.optimizers.LossScaleOptimizer(inner) if wrapped else inner, loss="mse")
        messages = load_unfitting(model, path)
        assert any("is not built yet" in message for message in messages)


def test_a_gate_that_does_not_fit(tmp_path):
    path = tmp_path / "gated.weights.h5"
    step(net(LAdam(1e-3, sigma=0.5, seed=1), gated=True, units=(3, 3, 2))).save_weights(path)
    model = net(LAdam(0.7, sigma=0.0, seed=2), frozen=1, gated=True, units=(3, 3, 2))
    for skip_mismatch in (False, True):
        (message,) = load_unfitting(model, path, skip_mismatch=skip_mismatch)
        assert message.startswith("Skipping variable loading for optimizer")


UNFITTING = """
import pathlib, sys
from tests.optimizers.test_switch import test_a_gate_that_does_not_fit
test_a_gate_that_does_not_fit(pathlib.Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("hash_seed", [0, 1])
def test_a_gate_that_does_not_fit_in_any_order_of_names(hash_seed, tmp_path):
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", UNFITTING, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("skip_mismatch", [False, True])
def test_a_noise_state_that_does_not_fit_takes_the_moments_back(skip_mismatch, tmp_path):
    """The parent's variables fit and are loaded first."""
    path = tmp_path / "gated.weights.h5"
    step(net(LAdam(1e-3, sigma=0.5, seed=1), gated=True, units=(3, 3))).save_weights(path)
    with h5py.File(path, "a") as file:
        state = file["optimizer/_noise_state/vars"]
        del state["layer_gate"]
        state["layer_gate"] = np.ones(5, "float32")
    other = step(net(LAdam(0.7, sigma=0.0, seed=2), gated=True, units=(3, 3)), 1)
    (message,) = load_unfitting(other, path, skip_mismatch=skip_mismatch)
    assert "its layer_gate has the shape (2,) whereas the saved one has (5,)" in message


def test_equal_counts_and_other_shapes(tmp_path):
    """An error is raised before the optimizer changes; with `skip_mismatch` Keras warns."""
    path = tmp_path / "wide.weights.h5"
    step(net(SGHMC(1e-3, sigma=0.5, seed=1), units=(5, 2))).save_weights(path)
    model = step(net(SGHMC(0.7, sigma=0.0, seed=2)), 1)
    before = whole_state(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.load_weights(path, skip_mismatch=True)
        for old, new in zip(before, whole_state(model), strict=True):
            np.testing.assert_array_equal(new, old)
    kept = {str(i): value for i, value in enumerate(before[:-2])} | {"1": np.zeros(3)}
    with pytest.raises(ValueError, match=r"of a model with the same weights.*Nothing of the optimizer is loaded"):
        model.optimizer.load_own_variables({key: kept[key] for key in map(str, range(len(kept)))})
    for old, new in zip(before, whole_state(model), strict=True):
        np.testing.assert_array_equal(new, old)


WRAPPERS = {
    "LossScaleOptimizer": keras.optimizers.LossScaleOptimizer,
    "MultiOptimizer": lambda optimizer: in_two(optimizer, LSGD(0.1, sigma=0.2, seed=3, momentum=0.5)),
    "with a parent": lambda optimizer: in_two(optimizer, keras.optimizers.Adam(0.1)),
    "parent first": lambda optimizer: in_two(keras.optimizers.Adam(0.1), optimizer),
    "both": lambda optimizer: keras.optimizers.LossScaleOptimizer(in_two(optimizer, keras.optimizers.SGD(0.1))),
}
if not hasattr(keras.optimizers, "MultiOptimizer"):
    WRAPPERS = {"LossScaleOptimizer": keras.optimizers.LossScaleOptimizer}
each_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)


def in_two(first, second):
    """`first` for all weights but those of layer `d1`."""
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(first, {r"(.*/)?d1/.*": second}))


def wrapped_net(wrapper, units, sigma=0.5, rate=0.1, built=True, **arguments):
    layers = [keras.layers.Dense(each, name=f"d{i}") for i, each in enumerate(units)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(wrapper(SGHMC(rate, sigma=sigma, seed=int(10 * sigma), **arguments)), loss="mse", run_eagerly=EAGERLY)
    if built:
        model.optimizer.build(model.trainable_variables)
        for variable in model.optimizer.variables:
            if variable.dtype == "float32" and len(variable.shape):
                variable.assign(np.full(variable.shape, rate, "float32"))
    return model


@each_wrapper
@pytest.mark.parametrize("units", [(5, 2, 2), (3, 2, 5)])
def test_a_wrapper_of_other_shapes_changes_nothing(wrapper, units, tmp_path):
    """The counts are equal and the first variables fit; either part may be the one that does not."""
    path = tmp_path / "other.weights.h5"
    wrapped_net(wrapper, units, sigma=0.5, rate=0.5).save_weights(path)
    model = wrapped_net(wrapper, (3, 2, 2), sigma=0.0, rate=0.25)
    before = whole_state(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.load_weights(path, skip_mismatch=True)
        with pytest.raises(ValueError, match="optimizer"):
            model.load_weights(path)
    for old, new in zip(before, whole_state(model), strict=True):
        np.testing.assert_array_equal(new, old)


@each_wrapper
def test_a_wrapper_with_more_layers_in_the_file_changes_nothing(wrapper, tmp_path):
    path = tmp_path / "more.weights.h5"
    wrapped_net(wrapper, (3, 2, 2), rate=0.5).save_weights(path)
    model = wrapped_net(wrapper, (3, 2, 2), sigma=0.0, rate=0.25, built=False)
    model.layers[0].trainable = False
    model.compile(model.optimizer)
    model.optimizer.build(model.trainable_variables)
    messages = load_unfitting(model, path)
    assert messages and all(message.startswith("Skipping variable loading for") for message in messages)
    assert len(messages) == (1 if wrapper is keras.optimizers.LossScaleOptimizer else 2)


@each_wrapper
def test_a_wrapper_that_is_not_built_takes_nothing(wrapper, tmp_path):
    path = tmp_path / "built.weights.h5"
    wrapped_net(wrapper, (3, 2)).save_weights(path)
    messages = load_unfitting(wrapped_net(wrapper, (3, 2), sigma=0.0, rate=0.25, built=False), path)
    assert messages and all(message.startswith("Skipping variable loading for") for message in messages)


@each_wrapper
def test_a_wrapper_of_the_same_loads_all(wrapper, tmp_path):
    path = tmp_path / "same.weights.h5"
    first = wrapped_net(wrapper, (3, 2, 2), rate=0.5)
    fit(first, 1)
    first.save_weights(path)
    second = wrapped_net(wrapper, (3, 2, 2), sigma=0.0, rate=0.25)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        second.load_weights(path)
    for old, new in zip(whole_state(first), whole_state(second), strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_loss_scale_goes_with_its_optimizer(tmp_path):
    """It is loaded from a file of the parent or of other noise settings, where variables have other numbers. It is not
    loaded if the file does not fit the optimizer."""
    path = tmp_path / "scaled.weights.h5"
    first = net(keras.optimizers.SGD(0.5, momentum=0.9), wrapped=True)
    first.optimizer.dynamic_scale.assign(64.0)
    first.save_weights(path)
    second = net(LSGD(0.25, sigma=0.0, seed=2, momentum=0.9), wrapped=True)
    with pytest.warns(UserWarning, match="no state of the noise") as messages:
        second.load_weights(path)
    assert len([each for each in messages if each.category is UserWarning]) == 1
    assert (float(second.optimizer.dynamic_scale), second.optimizer.seed) == (64.0, 2)
    assert float(ops.convert_to_numpy(second.optimizer.learning_rate)) == 0.5


def test_a_file_with_a_gate_in_place_of_sigma_has_the_same_count(tmp_path):
    """If variables were matched by number, a bias of the file would become another weight's momentum."""
    path = tmp_path / "gated.weights.h5"
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    first = step(net(LSGD(0.5, sigma=schedule, seed=1, momentum=0.9), gated=True, wrapped=True))
    first.save_weights(path)
    second = net(LSGD(0.25, sigma=0.125, seed=2, momentum=0.9), wrapped=True)
    assert len(first.optimizer.variables) == len(second.optimizer.variables)
    with pytest.warns(UserWarning, match="It has no sigma: the optimizer keeps its own. It has layer_gate"):
        second.load_weights(path)
    ours, theirs = innermost(second.optimizer), innermost(first.optimizer)
    for old, new in zip(theirs._parent_variables(), ours._parent_variables(), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(new), ops.convert_to_numpy(old))
    assert (float(ops.convert_to_numpy(ours.sigma)), ours.seed) == (0.125, 1)


def test_a_parents_file_of_other_layers_says_one_true_thing(tmp_path):
    """The message does not claim that moments were loaded, because Keras skipped them."""
    path = tmp_path / "adam.weights.h5"
    step(net(keras.optimizers.Adam())).save_weights(path)
    for wrapped in (False, True):
        messages = load_unfitting(net(LAdam(1e-3, seed=0), frozen=1, wrapped=wrapped), path)
        assert all("Skipping variable loading" in message for message in messages) and messages


def test_a_file_with_other_settings_of_the_noise(tmp_path):
    """A message names what either side lacks; everything else is loaded."""
    path = tmp_path / "gated.weights.h5"
    first = step(net(LRMSprop(1e-3, sigma=0.5, seed=1), gated=True))
    first.save_weights(path)
    second = net(LRMSprop(1e-3, sigma=0.1, seed=2))
    with pytest.warns(UserWarning, match="It has layer_gate, which the optimizer does not use. The rest is loaded"):
        second.load_weights(path)
    assert (second.optimizer.seed, float(second.optimizer.sigma), int(second.optimizer.iterations)) == (1, 0.5, 3)
    second.save_weights(path)
    first.optimizer.layers = 1
    with pytest.warns(UserWarning, match="It has no layer_gate: the optimizer keeps its own"):
        first.load_weights(path)
    assert len(first.optimizer.noisy_layers) == 1
