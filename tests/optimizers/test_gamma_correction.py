"""The drift Γ of a preconditioner that depends on the weights: its update against NumPy, its law against quadrature."""

import json

import keras
import numpy as np
import pytest
from scipy import integrate

from keras_langevin import LAdam, LRMSprop
from tests.optimizers.cases import (
    CONTRACT_CASES,
    FIRST_MODE,
    MODES,
    case_name,
    double_precision,
    make_common_step,
    make_gradients,
    make_step,
    make_variables,
    normals,
    train,
    values,
)

COMPILED = list(MODES)[-1]
SIGMA, SEED = 0.5, 2**40 + 3

# Each optimizer that offers it: the class, its other arguments, the name of ρ.
OFFERED = {
    "LRMSprop": (LRMSprop, {}, "rho"),
    "LRMSprop, ε outside": (LRMSprop, {"epsilon_inside_sqrt": False}, "rho"),
    "LAdam": (LAdam, {"beta_1": 0.0}, "beta_2"),
}
every_offer = pytest.mark.parametrize("offer", OFFERED)
# L-RMSprop in every mode, the others in the first.
OFFERS_IN_MODES = [
    pytest.param(offer, mode, marks=[pytest.mark.slow] * (offer != "LRMSprop" and mode != FIRST_MODE))
    for offer in OFFERED
    for mode in MODES
]


def make(offer, decay_rate=0.9, gamma_correction=True, **arguments):
    cls, needed, name = OFFERED[offer]
    return cls(**needed | {name: decay_rate, "gamma_correction": gamma_correction} | arguments)


# --- the update -------------------------------------------------------------------------------------------------------


def reference(offer, gradients, draws, rate, decay_rate, epsilon):
    """Returns θ after each update from 0, in float64: parent's step, noise and C_t = (1 + ρ)(√P_t − √P_{t−1})S_t.

    P_{t−1} is P of v_{t−1}, with LAdam's factor √(1 − β₂ᵗ) of the current update t.
    """
    (case,) = (case for case in CONTRACT_CASES if case_name(case) == offer)
    options = {OFFERED[offer][2]: decay_rate, "epsilon": epsilon}
    theta = memory = velocity = np.zeros_like(gradients[0])
    updates = zip(gradients, draws, case.preconditioners(gradients, **options), strict=True)
    for t, (g, z, p) in enumerate(updates, start=1):
        if offer == "LAdam":
            before = np.sqrt(1 - decay_rate**t) / (np.sqrt(velocity) + epsilon)
        elif "outside" in offer:
            before = 1 / (np.sqrt(velocity) + epsilon)
        else:
            before = 1 / np.sqrt(velocity + epsilon)
        velocity = decay_rate * velocity + (1 - decay_rate) * g**2
        fresh = SIGMA * np.sqrt(rate) * z
        theta = theta - rate * p * g + np.sqrt(p) * fresh
        theta = theta + (1 + decay_rate) * (np.sqrt(p) - np.sqrt(before)) * memory
        memory = decay_rate * memory + fresh
        yield theta


@pytest.mark.parametrize(("offer", "mode"), OFFERS_IN_MODES)
def test_update_is_the_formula(offer, mode):
    """Five updates of three noisy variables, one of them large, and of one without noise, which equals the parent's."""
    shapes, rate, epsilon = ((5,), (3, 4), (70_000, 2), (2, 3)), 0.02, 1e-2
    variables = make_variables(*shapes, seed=None)
    gradients = make_gradients(variables, 5)
    optimizer = make(offer, 0.8, learning_rate=rate, sigma=SIGMA, seed=SEED, layers=[1, 2, 3], epsilon=epsilon)
    step = make_step(optimizer, variables, mode)
    history = []
    for gradient in gradients:
        step(gradient)
        history.append(values(variables))
    draws = [normals(SEED, update, shapes) for update in range(5)]
    for index in range(4):
        noises = [z[index] * (index > 0) for z in draws]
        own = [gradient[index].astype("float64") for gradient in gradients]
        for weights, expected in zip(history, reference(offer, own, noises, rate, 0.8, epsilon), strict=True):
            np.testing.assert_allclose(weights[index], expected, rtol=1e-4, atol=1e-5)


@every_offer
def test_off_it_keeps_nothing_and_on_it_keeps_one_slot_of_each_noisy_variable(offer):
    variables = make_variables((3, 4), (4,))
    slots = {}
    for on in (False, True):
        optimizer = make(offer, gamma_correction=on, layers=[1])
        optimizer.build(variables)
        slots[on] = [tuple(variable.shape) for variable in optimizer.variables]
    assert OFFERED[offer][0]().gamma_correction is False
    assert slots[True] == [*slots[False], (4,)]


@pytest.mark.parametrize(("offer", "mode"), OFFERS_IN_MODES)
def test_without_noise_it_is_the_same_without_correction(offer, mode):
    pairs = [
        (make(offer, sigma=sigma, layers=layers, gamma_correction=on), make_variables((3, 4), (4,)))
        for sigma, layers, on in ((0.5, 0, False), (0.5, 0, True), (0.0, None, True))
    ]
    step = make_common_step(pairs, mode)
    for gradient in make_gradients(make_variables((3, 4), (4,)), 10):
        step(gradient)
    plain, unnoisy, silent = (values(variables) for _, variables in pairs)
    for theirs, ours, zero in zip(plain, unnoisy, silent, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_allclose(zero, theirs, rtol=1e-5)


@every_offer
def test_its_state_is_all_in_variables_and_its_config_is_json(offer):
    """A new optimizer with the old one's configuration and variables makes the same updates."""
    gradients = make_gradients(make_variables((4, 3), (3,)), 6)
    variables = make_variables((4, 3), (3,))
    old = make(offer, sigma=SIGMA, seed=1, learning_rate=0.01)
    step = make_step(old, variables)
    for gradient in gradients[:3]:
        step(gradient)
    new = keras.optimizers.deserialize(json.loads(json.dumps(keras.optimizers.serialize(old))))
    assert new.gamma_correction is True
    new_variables = make_variables((4, 3), (3,))
    new.build(new_variables)
    for to, of in zip(new_variables + new.variables, variables + old.variables, strict=True):
        to.assign(of)
    for gradient in gradients[3:]:
        step(gradient)
    for ours, theirs in zip(train(new, new_variables, gradients[3:]), values(variables), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@every_offer
def test_other_precisions_are_float32_to_rounding(offer, dtype):
    """Gradients are about 1, so that float16 can hold the slots."""
    trained = {}
    with double_precision():
        for precision in ("float32", dtype):
            (variable,) = variables = make_variables((8, 8), dtype=precision, seed=None)
            gradients = make_gradients(variables, 3, dtype=precision) if dtype != "bfloat16" else None
            optimizer = make(offer, learning_rate=0.01, sigma=SIGMA, seed=1, epsilon=0.1)
            optimizer.build(variables)
            for (gradient,) in gradients or make_gradients(variables, 3):
                optimizer.apply([keras.ops.cast(gradient, precision)], variables)
            trained[precision] = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32"))
    tolerance = {"float16": 5e-3, "bfloat16": 4e-2, "float64": 1e-5}[dtype]
    scale = np.abs(trained["float32"]).max()
    np.testing.assert_allclose(trained[dtype], trained["float32"], rtol=0, atol=tolerance * scale)


REFUSED = {
    "momentum": lambda: LRMSprop(momentum=0.9, gamma_correction=True),
    "centered": lambda: LRMSprop(centered=True, gamma_correction=True),
    "beta_1": lambda: LAdam(gamma_correction=True),
    "amsgrad": lambda: LAdam(beta_1=0.0, amsgrad=True, gamma_correction=True),
}


@pytest.mark.parametrize("argument", REFUSED)
def test_refuses_what_it_is_not_derived_for(argument):
    with pytest.raises(ValueError, match=rf"needs a step.*Received: {argument}=.*Pass `{argument}="):
        REFUSED[argument]()


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_refuses_what_is_not_a_bool(value):
    with pytest.raises(ValueError, match=r"must be True or False\. Received: gamma_correction="):
        LRMSprop(gamma_correction=value)


# --- the law ----------------------------------------------------------------------------------------------------------
# The chains are rows of one variable. θ² is averaged over time in each chain, then over chains, so that the standard
# error is that of independent numbers. V = θ²/2 + θ⁴/4 with σ = 1 and ε = 0.3; squared gradients are about 1.

CHAINS, EPSILON = 10_000, 0.3


def potential(theta):
    return theta**2 / 2 + theta**4 / 4


def exact_second_moment(weight=lambda theta: 1.0):
    """Returns E θ² under exp(−2V)·weight, by quadrature."""
    moments = [
        integrate.quad(lambda x: x**power * np.exp(-2 * potential(x)) * weight(x), -8, 8)[0]  # noqa: B023
        for power in (0, 2)
    ]
    return moments[1] / moments[0]


def one_over_p(theta):
    """Returns 1/P for v = g²."""
    return np.sqrt((theta + theta**3) ** 2 + EPSILON)


def coupled_gradient(theta):
    """Returns the gradient of V = (θ₁² + θ₂² + 3θ₁²θ₂²)/2 in columns; its Hessian is not diagonal."""
    return theta + 3 * theta * theta[:, ::-1] ** 2


def coupled_second_moment():
    def density(y, x):
        return np.exp(-(x**2 + y**2 + 3 * (x * y) ** 2))

    total, _ = integrate.dblquad(density, -6, 6, -6, 6)
    second, _ = integrate.dblquad(lambda y, x: x**2 * density(y, x), -6, 6, -6, 6)
    return second / total


def second_moment(optimizer, gradient, dimension=1, time=6.0):
    """Returns (mean of θ², its standard error) over the last two thirds of a run of `time / γ` updates."""
    (theta,) = make_variables((CHAINS, dimension), seed=None)
    step = make_step(optimizer, [theta], COMPILED)
    updates = round(time / float(optimizer.learning_rate))
    means = np.zeros(CHAINS)
    for update in range(updates):
        now = values([theta])[0]
        means += (now.astype("float64") ** 2).mean(axis=1) * (update >= updates // 3)
        step([gradient(now)])
    means /= updates - updates // 3
    return means.mean(), means.std() / np.sqrt(CHAINS)


# Each row has the decay rate ρ, γ, the bias left at this step size, and the smallest bias without the correction.
LAWS = {
    "LRMSprop-0.0": ("LRMSprop", 0.0, 0.02, 0.02, 0.6),
    "LRMSprop-0.5": ("LRMSprop", 0.5, 0.02, 0.03, 0.6),
    "LRMSprop-0.9": ("LRMSprop", 0.9, 0.01, 0.08, 0.5),
    "LAdam-0.5": ("LAdam", 0.5, 0.02, 0.04, 0.6),
}


@pytest.mark.parametrize(
    "law", [pytest.param(name, marks=[pytest.mark.slow] * (name not in ("LRMSprop-0.5", "LAdam-0.5"))) for name in LAWS]
)
def test_correction_mends_the_law(law):
    """Without the correction the variance is off by most of what 1/P makes of it; with it only by the few percent of a
    finite step. The margin is four standard errors."""
    offer, decay_rate, rate, left, without = LAWS[law]
    exact = exact_second_moment()
    biases = {}
    for on in (False, True):
        optimizer = make(offer, decay_rate, on, learning_rate=rate, sigma=1.0, seed=1, epsilon=EPSILON)
        mean, error = second_moment(optimizer, lambda theta: theta + theta**3)
        biases[on] = mean / exact - 1, 4 * error / exact
    (bias, margin), (plain_bias, plain_margin) = biases[True], biases[False]
    print(f"\n{law}: without {plain_bias:+.1%}, with {bias:+.1%}; 4 standard errors {margin:.1%}")
    assert plain_bias - plain_margin > without
    assert abs(bias) < left + margin


def test_without_it_small_steps_sample_the_law_over_p():
    """The law is exp(−2V/σ²)/P, whose variance is 75% too large here. This is why the correction exists."""
    limit = exact_second_moment(one_over_p)
    assert limit / exact_second_moment() - 1 == pytest.approx(0.752, abs=1e-3)
    optimizer = make("LRMSprop", 0.0, False, learning_rate=0.005, sigma=1.0, seed=1, epsilon=EPSILON)
    mean, error = second_moment(optimizer, lambda theta: theta + theta**3)
    print(f"\n{mean / limit - 1:+.1%}; 4 standard errors {4 * error / limit:.1%}")
    assert abs(mean / limit - 1) < 0.01 + 4 * error / limit


def test_other_elements_have_no_part_in_it():
    """The correction is right for a Hessian that is not diagonal."""
    exact = coupled_second_moment()
    biases = {}
    for on in (False, True):
        optimizer = make("LRMSprop", 0.0, on, learning_rate=0.02, sigma=1.0, seed=1, epsilon=EPSILON)
        mean, error = second_moment(optimizer, coupled_gradient, dimension=2)
        biases[on] = mean / exact - 1, 4 * error / exact
    print(f"\nwithout {biases[False][0]:+.1%}, with {biases[True][0]:+.1%}")
    assert biases[False][0] - biases[False][1] > 0.3
    assert abs(biases[True][0]) < 0.03 + biases[True][1]
