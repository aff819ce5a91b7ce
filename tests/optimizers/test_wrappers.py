"""`LossScaleOptimizer` and `MultiOptimizer`: the settings of the noise through them, independent noise of parts with
one seed, and the core of the contract in each, for one optimizer of each kind."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, SGHMC, LAdam, describe
from keras_langevin.optimizers import gate_layers, reference
from keras_langevin.optimizers.keras_classes import SETTINGS, langevin_parts
from keras_langevin.reading import innermost
from tests.callbacks.models import LAYERS, eager_model, fit, policy, small_model, weights_of
from tests.optimizers.cases import CASES, case_name, make_gradients, make_step, make_variables, normal, values

HAS_PARTS = hasattr(keras.optimizers, "MultiOptimizer")
needs_parts = pytest.mark.skipif(not HAS_PARTS, reason="this Keras has no MultiOptimizer")


def parts(default, **others):
    """Returns a `MultiOptimizer` with an optimizer per named layer."""
    chosen = {f"(.*/)?{layer}/.*": optimizer for layer, optimizer in others.items()}
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(default, chosen))


def zero_loss(target, prediction):
    return 0.0 * ops.mean(prediction)


class Calm(keras.callbacks.Callback):
    """Ends the noise as a user would."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.sigma = 0.0


def assert_equal(model, other):
    for ours, theirs in zip(weights_of(model), weights_of(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("wrapper", ["compile", "explicit", pytest.param("parts", marks=needs_parts)])
def test_sigma_that_is_set_in_a_compiled_fit_acts(wrapper):
    def trained(sigma, *callbacks):
        optimizer = LSGD(0.01, sigma=sigma, seed=0)
        if wrapper == "explicit":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        if wrapper == "parts":
            optimizer = parts(optimizer, second=keras.optimizers.SGD(0.01))
        with policy("float32" if wrapper == "parts" else "mixed_float16"):
            model = small_model(optimizer)
            fit(model, *callbacks, epochs=2)
        return model

    calm = trained(0.5, Calm())
    assert float(ops.convert_to_numpy(calm.optimizer.sigma)) == 0.0
    assert_equal(calm, trained(0.0))


def test_every_setting_is_read_and_set():
    inner = LAdam(layers=["second"], sigma=0.5, seed=3)
    with policy("mixed_float16"):
        model = eager_model(inner)
    outer = model.optimizer
    assert type(outer) is keras.optimizers.LossScaleOptimizer
    outer.build(model.trainable_variables)
    for name in SETTINGS[:-1]:
        assert getattr(outer, name) == getattr(inner, name)
    assert outer.noisy_layers == ("second",)
    outer.seed = 4
    assert inner.seed == 4
    with pytest.raises(ValueError, match="without a gate"):
        outer.layers = 0
    gate_layers(outer)
    outer.layers = ["first"]
    assert inner.noisy_layers == ("first",)
    with pytest.raises(ValueError, match="sigma"):
        outer.sigma = -1.0


def test_friction():
    outer = keras.optimizers.LossScaleOptimizer(SGHMC(friction=0.25))
    assert outer.friction == 0.25
    with pytest.raises(AttributeError, match="friction"):
        outer.friction = 0.5


def test_the_law_can_be_set_until_it_is_in_use():
    optimizer = LSGD(noise="normal")
    with pytest.raises(ValueError, match="law of the noise, must be"):
        optimizer.noise = "uniform"
    optimizer.noise = "rademacher"
    assert optimizer.get_config()["noise"] == "rademacher"
    optimizer.build([keras.Variable(np.zeros(2))])
    with pytest.raises(ValueError, match=r"before the optimizer is built\. Received: .* Create a new one"):
        optimizer.noise = "normal"


def test_after_a_load(tmp_path):
    with policy("mixed_float16"):
        model = eager_model(LSGD(0.01, sigma=0.5, seed=0))
        fit(model)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
    before = weights_of(again)
    again.optimizer.sigma = 0.0
    again.optimizer.learning_rate = 0.0
    fit(again)
    for ours, theirs in zip(weights_of(again), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_noise_in_it_a_wrapper_is_as_keras_made_it():
    outer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    assert not hasattr(outer, "sigma")
    with pytest.raises(AttributeError, match="'LossScaleOptimizer' object has no attribute 'sigma'"):
        outer.sigma  # noqa: B018
    outer.sigma = 3
    assert outer.sigma == 3


@needs_parts
@pytest.mark.parametrize("outer", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer])
def test_of_several_parts_settings_are_refused(outer):
    optimizer = outer(parts(LSGD(sigma=0.5), second=LAdam(sigma=0.25)))
    for name in SETTINGS:
        assert not hasattr(optimizer, name)
        with pytest.raises(
            AttributeError, match=rf"each of its parts\. Received: `optimizer.{name} = 0` with 2 .* Use"
        ):
            setattr(optimizer, name, 0)
    assert [float(ops.convert_to_numpy(part.sigma)) for part in langevin_parts(optimizer)] == [0.25, 0.5]


# --- parts of one seed ---------------------------------------------------------------------------------------------


def draws_of(optimizer, tmp_path=None) -> list[np.ndarray]:
    """Returns what one update without a gradient adds to each weight, after a save and a load if a folder is given."""
    model = eager_model(optimizer, loss=zero_loss)
    if tmp_path:
        model.optimizer.build(model.trainable_variables)
        model.save(tmp_path / "model.keras")
        model = keras.models.load_model(tmp_path / "model.keras", custom_objects={"zero_loss": zero_loss})
    before = weights_of(model)
    fit(model, steps=1)
    return [after - start for after, start in zip(weights_of(model), before, strict=True)]


def three_parts():
    return parts(LSGD(1.0, sigma=0.1, seed=0), second=LSGD(1.0, sigma=0.1, seed=0), third=LSGD(1.0, sigma=0.1, seed=0))


@needs_parts
def test_parts_of_one_seed_have_different_noise():
    first, second, third = draws_of(three_parts())[::2]
    for ours, theirs in ((first, second), (first, third), (second, third)):
        size = min(ours.size, theirs.size)
        assert abs(ours.ravel()[:size] - theirs.ravel()[:size]).min() > 1e-5


@needs_parts
def test_it_is_the_same_in_each_model_and_after_a_load(tmp_path):
    expected = draws_of(three_parts())
    for again in (draws_of(three_parts()), draws_of(three_parts(), tmp_path)):
        for ours, theirs in zip(again, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7)  # the weights' rounding


@needs_parts
def test_parts_of_one_seed_are_uncorrelated():
    """Three parts, from a selector that makes an optimizer per variable, with 4,000 elements each: a correlation has a
    standard error of 0.016."""
    variables = [keras.Variable(np.zeros(4_000, "float32")) for _ in range(3)]
    optimizer = keras.optimizers.MultiOptimizer(lambda variable: LSGD(1.0, sigma=1.0, seed=5))
    optimizer.build(variables)
    for _ in range(2):
        optimizer.apply([ops.zeros(4_000) for _ in variables], variables)
    correlations = np.corrcoef([ops.convert_to_numpy(variable) for variable in variables])
    assert np.abs(correlations[np.triu_indices(3, 1)]).max() < 5 / np.sqrt(4_000)


@needs_parts
def test_the_first_langevin_part_has_the_noise_of_an_optimizer_by_itself():
    among_others = draws_of(parts(keras.optimizers.SGD(), second=LSGD(1.0, sigma=0.1, seed=0)))
    before = small_model("sgd").get_layer("second").trainable_variables
    alone = [keras.Variable(ops.zeros(variable.shape)) for variable in before]
    optimizer = LSGD(1.0, sigma=0.1, seed=0)
    optimizer.build(alone)
    optimizer.apply([ops.zeros(variable.shape) for variable in alone])
    for ours, theirs in zip(among_others[2:4], alone, strict=True):
        np.testing.assert_allclose(ours, ops.convert_to_numpy(theirs), rtol=0, atol=1e-7)
    assert not among_others[0].any()


# --- describe ------------------------------------------------------------------------------------------------------


@needs_parts
@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("outer", [lambda optimizer: optimizer, keras.optimizers.LossScaleOptimizer])
def test_describe_looks_at_each_part(built, outer):
    model = eager_model(outer(parts(LAdam(layers=1), third=keras.optimizers.Adam())))
    if built:
        model.optimizer.build(model.trainable_variables)
    assert [(row.path, row.noisy) for row in describe(model)] == list(zip(LAYERS, (True, False, False), strict=True))


@needs_parts
def test_a_layer_that_two_parts_share_has_two_rows():
    chosen = {".*bias": keras.optimizers.SGD()}
    model = eager_model(keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(LSGD(), chosen)))
    rows = [(row.path, row.parameters, row.noisy) for row in describe(model)]
    assert rows[:2] == [("first", 20, True), ("first", 5, False)]
    assert sum(row.share for row in describe(model)) == pytest.approx(1)


# --- the contract in wrappers --------------------------------------------------------------------------------------

STEP_RATE, LEVEL = 0.02, 0.5
# One of each kind: P = 1, noise in the momentum, elementwise P, P from slots before the step, P of a whole variable.
KINDS = [case for case in CASES if case_name(case) in ("LSGD", "SGHMC", "LAdam", "LAdadelta", "LLamb", "LAdafactor")]
ACCUMULATION = 2


def in_loss_scale(make):
    return keras.optimizers.LossScaleOptimizer(make(), initial_scale=8.0)


def in_parts(make):
    """Uses the optimizer for the first variable only, and another without noise for the rest."""
    first, rest = make(), keras.optimizers.SGD(STEP_RATE)
    return keras.optimizers.MultiOptimizer(lambda variable: first if variable.path.startswith("layer_0") else rest)


def accumulating(make):
    return make(gradient_accumulation_steps=ACCUMULATION)


def accumulating_in_loss_scale(make):
    return in_loss_scale(lambda: accumulating(make))


WRAPPERS = [
    in_loss_scale,
    pytest.param(in_parts, marks=needs_parts),
    accumulating,
    accumulating_in_loss_scale,
]


def wrapped_updates(wrapper, make, count) -> list[np.ndarray]:
    """Returns the first of two variables after each of `count` updates with falling gradients."""
    variables = make_variables((6, 4), (4,))
    optimizer = wrapper(make)
    step = make_step(optimizer, variables)
    scale = 8.0 if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else 1.0
    repeats = getattr(innermost(optimizer), "gradient_accumulation_steps", None) or 1
    found = []
    for gradients in make_gradients(variables, count, decay=0.7):
        for _ in range(repeats):
            step([scale * gradient for gradient in gradients])
        found.append(values(variables)[0])
    return found


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("case", KINDS, ids=case_name)
def test_in_a_wrapper_an_optimizer_is_what_it_is_alone(case, wrapper):
    """Without noise it is the parent in the same wrapper, bit for bit; with noise the formula, one draw per update."""
    count = 4
    theirs = wrapped_updates(wrapper, lambda **more: case.make_parent(learning_rate=STEP_RATE, **more), count)
    silent = wrapped_updates(wrapper, lambda **more: case.make(learning_rate=STEP_RATE, layers=0, **more), count)
    np.testing.assert_array_equal(silent, theirs)
    noisy = wrapped_updates(
        wrapper, lambda **more: case.make(learning_rate=STEP_RATE, sigma=LEVEL, seed=5, **more), count
    )
    start = values(make_variables((6, 4), (4,)))[0]
    gradients = [
        update[0].astype("float64") for update in make_gradients(make_variables((6, 4), (4,)), count, decay=0.7)
    ]
    expected = reference.run(
        case.reference,
        start.astype("float64"),
        gradients,
        [normal(5, update, start.shape) for update in range(count)],
        learning_rate=STEP_RATE,
        sigma=LEVEL,
        **case.of_reference,
    )
    for found, (theta, p) in zip(noisy, expected, strict=True):
        size = STEP_RATE + LEVEL * np.sqrt(STEP_RATE * np.max(p))
        np.testing.assert_allclose(found, theta, rtol=1e-4, atol=1e-4 * size)


@pytest.mark.parametrize("case", KINDS, ids=case_name)
def test_a_step_that_overflows_in_a_wrapper_adds_no_noise(case):
    """`LossScaleOptimizer` skips such a step: weights and update number stay, and the next step gets its noise."""
    variables = make_variables((6, 4))
    optimizer = in_loss_scale(lambda: case.make(learning_rate=STEP_RATE, sigma=LEVEL, seed=5))
    step = make_step(optimizer, variables)
    before = values(variables)
    step([np.full((6, 4), np.inf, "float32")])
    np.testing.assert_array_equal(values(variables), before)
    assert int(ops.convert_to_numpy(innermost(optimizer).iterations)) == 0
