"""Misuse: an optimizer then does what its parent does, or raises a clear error."""

import warnings
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, LayerScheduler
from tests.optimizers.cases import (
    BACKEND,
    CASES,
    all_of,
    make_step,
    make_variables,
    normal,
    of_each_kind,
    train,
    values,
    with_each,
)
from tests.quick import EAGERLY
from tests.reliability import nets
from tests.reliability.nets import X, Y, fit, make_layers, make_optimizer

make_model = partial(nets.make_model, run_eagerly=EAGERLY)  # these checks do not depend on a trace

every_case = pytest.mark.parametrize("case", all_of(CASES))
MEANS = ("Adafactor", "Muon")  # the step of an element depends on others


# --- gradients that are not finite ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "value"), with_each([np.nan, np.inf, -np.inf]))
def test_a_gradient_that_is_not_finite_does_what_it_does_to_the_parent(case, value):
    """The same elements stay finite as with the parent: all others, unless the parent mixes the elements of a variable.
    Without a noisy layer the weights equal the parent's."""
    gradients = [[np.ones((3, 4), "float32"), np.ones(4, "float32")] for _ in range(3)]
    gradients[1][0][1, 2] = value
    results = []
    for optimizer in (case.make_parent(), case.make(layers=0), case.make(sigma=0.1, seed=1)):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            results.append(train(optimizer, make_variables((3, 4), (4,)), gradients))
    for theirs, silent, noisy in zip(*results, strict=True):
        np.testing.assert_array_equal(silent, theirs)
        np.testing.assert_array_equal(np.isfinite(noisy), np.isfinite(theirs))
    assert np.isfinite(results[0][1]).all()
    assert np.isfinite(np.delete(results[0][0].ravel(), 6)).all() == (case.parent.__name__ not in MEANS)


@pytest.mark.parametrize("clip", [{"clipnorm": 1.0}, {"global_clipnorm": 1.0}])
def test_clipping_spreads_what_is_not_finite_as_it_does_with_the_parent(clip):
    gradients = [[np.array([np.nan, 1, 1], "float32"), np.ones(2, "float32")]]
    parent = train(keras.optimizers.SGD(0.1, **clip), make_variables((3,), (2,)), gradients)
    ours = train(LSGD(0.1, sigma=0.1, seed=0, **clip), make_variables((3,), (2,)), gradients)
    for theirs, noisy in zip(parent, ours, strict=True):
        np.testing.assert_array_equal(np.isfinite(noisy), np.isfinite(theirs))


@pytest.mark.parametrize("case", of_each_kind())
def test_terminate_on_nan_ends_the_fit(case):
    model = make_model(case.make(sigma=0.1, seed=0))
    y = Y.copy()
    y[20] = np.nan
    history = model.fit(
        X, y, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()]
    )
    assert len(history.history["loss"]) == 1


# --- numbers that are huge or tiny ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "sigma"), with_each([1e30, 1e10, 1e-10, 1e-30]))
def test_sigma_of_any_size_has_the_formula(case, sigma):
    """The noise is σ√γ√P·Z wherever that is a float32: no intermediate result overflows or underflows."""
    (variable,) = variables = make_variables((6, 4), seed=None)
    gradients = [[np.ones((6, 4), "float32")]]
    step = make_step(case.make(learning_rate=0.02, sigma=sigma, seed=3, weight_decay=0.0), variables)
    step(gradients[0])
    parent = train(case.make_parent(learning_rate=0.02, weight_decay=0.0), make_variables((6, 4), seed=None), gradients)
    (preconditioner,) = case.preconditioners([gradients[0][0].astype("float64")])
    expected = parent[0] + sigma * np.sqrt(0.02 * preconditioner) * normal(3, 0, (6, 4))
    np.testing.assert_allclose(values([variable])[0], expected, rtol=1e-3, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("sigma", [0.0, 1.0])
def test_a_learning_rate_of_zero_moves_nothing(sigma):
    variables = make_variables((6, 4))
    before = values(variables)
    np.testing.assert_array_equal(train(LSGD(0.0, sigma=sigma), variables, [[np.ones((6, 4), "float32")]]), before)


# --- variables and models that are not those it was built for ---------------------------------------------------------


def apply_one(optimizer, variable):
    optimizer.apply([ops.ones(variable.shape)], [variable])


@every_case
def test_another_variable_is_the_parents_error(case):
    """`apply` with an unknown variable after the optimizer was built."""
    messages = []
    for optimizer in (case.make(), case.make_parent()):
        known, unknown = make_variables((2, 3), (2, 3))
        apply_one(optimizer, known)
        with pytest.raises(ValueError, match="Unknown variable") as error:
            apply_one(optimizer, unknown)
        messages.append(str(error.value).partition(":")[0])
    assert messages[0] == messages[1]


def other_model(optimizer, units=5):
    layers = [keras.layers.Dense(units, name="first"), keras.layers.Dense(2, name="second")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="other")
    model.compile(optimizer, loss="mse", jit_compile=False, run_eagerly=EAGERLY)
    return model


def outcome(make):
    """Trains two models with a shared optimizer one after the other, and returns the type of the error, if any."""
    optimizer = make()
    fit(make_model(optimizer), epochs=1)
    try:
        fit(other_model(optimizer, units=3), epochs=1)  # with the same shapes
    except Exception as error:
        return type(error).__name__
    return "no error"


def test_two_models_that_share_an_optimizer_are_as_with_the_parent():
    """An error on TensorFlow and PyTorch. On JAX a step gets weights as arrays, so two models with the same shapes can
    share an optimizer; other shapes are an error (see the next test)."""
    expected = {"jax": "no error"}.get(BACKEND, "ValueError")
    assert outcome(make_optimizer) == outcome(lambda: keras.optimizers.Adam(0.01)) == expected


@pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras refuses stateless_apply there")
def test_weights_of_other_shapes_are_refused_by_name():
    """Keras itself compares only the number of weights."""
    variables = make_variables((2, 3), (3,))
    optimizer = make_optimizer(layers=None)
    optimizer.build(variables)
    state = [ops.convert_to_tensor(each) for each in optimizer.variables]
    for shapes, message in (
        (
            [(2, 3), (4,)],
            r"expected 'layer_1/kernel' of shape \(3,\) here\. .* this one of shape \(4,\)",
        ),
        ([(2, 3)], r"expected 'layer_1/kernel' of shape \(3,\) here\. Received: 1 weights, this one missing"),
        ([(2, 3), (3,), ()], r"expected no further weight here\. Received: 3 weights, this one of shape \(\)"),
    ):
        with pytest.raises(ValueError, match=f"built for 2 weights, and {message}.*new optimizer"):
            optimizer.stateless_apply(state, [ops.ones(s) for s in shapes], [ops.ones(s) for s in shapes])


@pytest.mark.parametrize("change", ["removed", "added", "wider"])
def test_a_layer_that_is_changed_after_the_optimizer_was_built(change):
    """A new model from its layers with the old optimizer: an error says what is wrong, the parent's error if there is
    one."""
    model = fit(make_model(), epochs=1)
    first, second = (model.get_layer(name) for name in ("first", "second"))
    layers = {"removed": [keras.layers.Dense(2)], "added": [first, keras.layers.Dense(3, name="between"), second]}
    layers["wider"] = [keras.layers.Dense(7), keras.layers.Dense(2)]
    changed = keras.Sequential([keras.Input((4,)), *layers[change]], name="net")
    changed.compile(model.optimizer, loss="mse", jit_compile=False, run_eagerly=EAGERLY)
    with pytest.raises(ValueError, match=r"Unknown variable|was built for 4 weights|belongs to another model"):
        fit(changed, epochs=1)


def test_a_layer_that_is_renamed_after_the_optimizer_was_built():
    """The choice stays: it was made when the optimizer was built, as positions."""
    model = fit(make_model(), epochs=1)
    model.get_layer("first").name = "renamed"
    assert model.optimizer.noisy_layers == ("first",)
    assert np.isfinite(fit(model, epochs=1).evaluate(X, Y, verbose=0))


def test_a_name_that_the_model_does_not_have_is_an_error_before_the_first_step():
    model = make_model(make_optimizer(layers="third"))
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"third.*first.*second"):
        fit(model)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_frozen_layer_is_no_layer_of_the_optimizer():
    """It is not trainable, so it is neither counted nor noisy."""
    layers = make_layers()
    layers[0].trainable = False
    model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    model.compile(make_optimizer(layers=1), loss="mse", jit_compile=False, run_eagerly=EAGERLY)
    before = model.get_layer("first").get_weights()
    fit(model)
    assert model.optimizer.noisy_layers == ("net/second",)
    for ours, theirs in zip(model.get_layer("first").get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_layer_that_is_frozen_in_the_middle_of_a_training():
    """After `compile` the frozen layer gets no update and no noise."""
    model = fit(make_model(make_optimizer(layers=None)), epochs=1)
    model.get_layer("second").trainable = False
    frozen = model.get_layer("second").get_weights()
    model.compile(make_optimizer(layers=None), loss="mse", jit_compile=False, run_eagerly=EAGERLY)
    fit(model, epochs=1)
    for ours, theirs in zip(model.get_layer("second").get_weights(), frozen, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_gate_with_a_schedule_of_no_such_layer_is_an_error_before_the_first_step():
    model = make_model()
    with pytest.raises(ValueError, match="nosuch"):
        fit(model, callbacks=[LayerScheduler({0: None, 1: "nosuch"})])
    assert int(model.optimizer.iterations) == 0


def test_a_model_without_weights():
    """Works as with the parent."""
    for optimizer in (LSGD(), keras.optimizers.SGD()):
        optimizer.build([])
        optimizer.apply([], [])
        assert int(optimizer.iterations) == 0
