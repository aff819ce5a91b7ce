"""Without noise, twelve updates of each optimizer are what its formula says, step by step, in NumPy.

`tests/optimizers/test_contract.py` holds that they are the installed Keras's; these, that both are what is published.
"""

import numpy as np
import pytest

from keras_langevin.optimizers import LSGD, SGHMC, LAdadelta, LAdagrad, LAdam, LAdamW, LRMSprop
from tests.optimizers.cases import CASES, make_gradients, make_step, make_variables, values

UPDATES, RATE = 12, 0.05
PRECONDITIONERS = {case.langevin: case.preconditioners for case in CASES}


# --- what an update adds, from g_1, g_2, ... and P_1, P_2, ... --------------------------------------------------------


def gradient_step(gradients, preconditioners):
    """−γ·P·g."""
    for g, p in zip(gradients, preconditioners, strict=True):
        yield -RATE * p * g


def momentum_step(gradients, preconditioners, momentum, nesterov=False):
    """m ← momentum·m − γ·P·g; the step is m, with Nesterov's momentum·m − γ·P·g."""
    m = np.zeros_like(gradients[0])
    for step in gradient_step(gradients, preconditioners):
        m = momentum * m + step
        yield momentum * m + step if nesterov else m


def mean_step(gradients, preconditioners, beta_1=0.9):
    """−γ·P·m̂, m̂ the mean of the gradients that Adam takes."""
    m = np.zeros_like(gradients[0])
    for t, (g, p) in enumerate(zip(gradients, preconditioners, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * g
        yield -RATE * p * m / (1 - beta_1**t)


# class, its arguments, those of its P, and its step
GOLDEN = {
    "LSGD": (LSGD, {}, {}, gradient_step),
    "LSGD-momentum": (LSGD, {"momentum": 0.9}, {}, lambda *of: momentum_step(*of, 0.9)),
    "LSGD-nesterov": (LSGD, {"momentum": 0.9, "nesterov": True}, {}, lambda *of: momentum_step(*of, 0.9, True)),
    # P is of the noise alone here: the step is SGD's, whose own P is 1
    "SGHMC": (SGHMC, {"friction": 0.25}, {"friction": 1.0}, lambda *of: momentum_step(*of, 0.75)),
    "LAdam": (LAdam, {}, {}, mean_step),
    "LAdam-amsgrad": (LAdam, {"amsgrad": True, "beta_2": 0.5}, {"amsgrad": True, "beta_2": 0.5}, mean_step),
    "LAdam-beta_1": (LAdam, {"beta_1": 0.5}, {}, lambda *of: mean_step(*of, 0.5)),
    "LAdamW": (LAdamW, {"weight_decay": 0.0}, {}, mean_step),
    "LRMSprop": (LRMSprop, {}, {}, gradient_step),
    "LRMSprop-momentum": (LRMSprop, {"momentum": 0.9}, {}, lambda *of: momentum_step(*of, 0.9)),
    "LRMSprop-centered": (LRMSprop, {"centered": True}, {"centered": True}, gradient_step),
    "LAdadelta": (LAdadelta, {}, {}, gradient_step),
    "LAdagrad": (LAdagrad, {}, {}, gradient_step),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_twelve_updates(name):
    """Tolerance: float32 against float64, and Keras's `1 − β₂ᵗ`, which loses 3 of 7 digits at t = 1."""
    langevin, arguments, of_preconditioner, steps = GOLDEN[name]
    variables = make_variables((3, 4))
    (weights,) = values(variables)
    gradients = make_gradients(variables, UPDATES, decay=0.9)
    single = [gradient.astype("float64") for (gradient,) in gradients]
    preconditioners = PRECONDITIONERS[langevin](single, **of_preconditioner)
    step = make_step(langevin(RATE, sigma=0.0, **arguments), variables)
    expected = weights.astype("float64")
    for gradient, added in zip(gradients, steps(single, preconditioners), strict=True):
        step(gradient)
        expected = expected + added
        np.testing.assert_allclose(values(variables)[0], expected, rtol=1e-4, atol=1e-4 * RATE)


def test_decoupled_weight_decay():
    """θ ← θ − γ·λ·θ before the step, at each of twelve updates."""
    variables = make_variables((3, 4))
    (weights,) = values(variables)
    gradients = make_gradients(variables, UPDATES, decay=0.9)
    single = [gradient.astype("float64") for (gradient,) in gradients]
    step = make_step(LAdamW(RATE, weight_decay=0.2, sigma=0.0), variables)
    expected = weights.astype("float64")
    for gradient, added in zip(gradients, mean_step(single, PRECONDITIONERS[LAdamW](single)), strict=True):
        step(gradient)
        expected = expected - RATE * 0.2 * expected + added
        np.testing.assert_allclose(values(variables)[0], expected, rtol=1e-4, atol=1e-4 * RATE)
