"""Twelve updates of each optimizer follow its formula in NumPy, step by step; its noise has not changed.

`tests/optimizers/test_contract.py` checks that without noise they equal the installed Keras's.
"""

import numpy as np
import pytest

from keras_langevin.optimizers import reference
from tests.optimizers.cases import CONTRACT_CASES, case_name, make_gradients, make_step, make_variables, normal, values

UPDATES, RATE, SEED = 12, 0.05, 2**40 + 3
EVERY_FORMULA = [
    pytest.param(case, arguments, id=f"{case_name(case)}-{name}")
    for case in CONTRACT_CASES
    for name, arguments in ({"default": {}} | case.options).items()
]


@pytest.mark.parametrize("sigma", [0.0, 0.5])
@pytest.mark.parametrize(("case", "arguments"), EVERY_FORMULA)
def test_twelve_updates(case, arguments, sigma):
    """The tolerance is for float32 against float64, and for Keras's `1 − β₂ᵗ`, which loses 3 of 7 digits at t = 1."""
    variables = make_variables((3, 4))
    (weights,) = values(variables)
    gradients = make_gradients(variables, UPDATES, decay=0.9)
    step = make_step(case.make(learning_rate=RATE, sigma=sigma, seed=SEED, **arguments), variables)
    expected = reference.run(
        case.reference,
        weights.astype("float64"),
        [gradient.astype("float64") for (gradient,) in gradients],
        [normal(SEED, update, weights.shape) for update in range(UPDATES)],
        learning_rate=RATE,
        sigma=sigma,
        **case.of_reference | arguments,
    )
    for gradient, (theta, p) in zip(gradients, expected, strict=True):
        step(gradient)
        size = RATE + sigma * np.sqrt(RATE * np.max(p))
        np.testing.assert_allclose(values(variables)[0], theta, rtol=1e-4, atol=1e-4 * size)
