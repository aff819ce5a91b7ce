"""The contract of every Langevin optimizer, one update at a time: the parent's step, plus noise σ√γ√P·Z on the layers
in J, once per update. `test_fit.py` tests what needs a compiled `fit`."""

import keras
import numpy as np
import pytest
from scipy import stats

from tests.optimizers.cases import (
    COMMON_OPTIONS,
    CONTRACT_CASES,
    KINDS,
    MODES,
    all_of,
    case_name,
    increments,
    make_common_step,
    make_gradients,
    make_variables,
    normal,
    normals,
    of_each_kind,
    sparse,
    through_average,
    train,
    values,
    with_each,
    zero_gradients,
)

every_case = pytest.mark.parametrize("case", all_of(CONTRACT_CASES))

# Each optimizer with each option that changes P.
EVERY_PRECONDITIONER = [
    pytest.param(case, arguments, id=f"{case_name(case)}-{name}")
    for case in CONTRACT_CASES
    for name, arguments in ({"default": {}} | case.options).items()
]

STEPS = 20
SEED = 2**40 + 3
SIGMA = 0.5


@pytest.mark.parametrize(("case", "mode"), with_each(MODES, of_each_kind()))
def test_without_noise_it_is_the_parent(case, mode):
    """With every option that changes the parent's step, compiled or not, `layers=0` equals the parent bit for bit. So
    does σ = 0 if no compiler fuses the step. This includes the weights after training, when an EMA replaces them.

    Under XLA the step and the noise (zero) are one kernel, which may round the parent's sums differently: by one unit
    in the last place per step, because the gradients are given, and so by at most `STEPS` units in all.
    """
    rows = {}
    for name, arguments in (COMMON_OPTIONS | case.options).items():
        trio = case.make_parent(**arguments), case.make(**arguments, layers=0), case.make(**arguments, sigma=0.0)
        rows[name] = [(optimizer, make_variables((3, 4), (4,))) for optimizer in trio]
    step = make_common_step([pair for row in rows.values() for pair in row], mode)
    for gradient in make_gradients(make_variables((3, 4), (4,)), STEPS, decay=0.9):
        step(gradient)
    units = {"xla": STEPS}.get(mode, 0)
    for name, row in rows.items():
        weights = []
        for optimizer, variables in row:
            trained = values(variables)
            optimizer.finalize_variable_values(variables)
            weights.append(trained + values(variables))
        for theirs, unnoisy, silent in zip(*weights, strict=True):
            np.testing.assert_array_equal(unnoisy, theirs, err_msg=name)
            atol = units * np.spacing(np.abs(theirs).max())
            np.testing.assert_allclose(silent, theirs, rtol=0, atol=atol, err_msg=name)


SIZES = {"small": ((6, 4), (4,)), "large": ((70_000, 4), (4,))}  # drawn in a pool; drawn alone in pieces


# P does not depend on the size of a variable, so the large one is tested with one optimizer of each kind.
EVERY_PRECONDITIONER_AND_SIZE = [
    pytest.param(
        *param.values,
        shapes,
        id=f"{param.id}-{size}",
        marks=[pytest.mark.slow]
        * (size == "large" and not (param.values[0].langevin in KINDS and not param.values[1])),
    )
    for param in EVERY_PRECONDITIONER
    for size, shapes in SIZES.items()
]


@pytest.mark.parametrize(("case", "arguments", "shapes"), EVERY_PRECONDITIONER_AND_SIZE)
def test_noise_of_each_update_is_the_formula(case, arguments, shapes):
    """θ_noisy − θ_parent = σ√γ√P_t·Z_t at each of several updates, with P from NumPy.

    The gradients fall over time and from column to column, from 1 to 0, where only ε bounds P. Tolerance: `1 − β₂ᵗ` at
    t = 1 loses 3 of float32's 7 digits.
    """
    variables = make_variables(*shapes, seed=None)
    gradients = [
        [gradient * np.array([1, 1e-2, 1e-4, 0], "float32") for gradient in update]
        for update in make_gradients(variables, steps=6, decay=0.5)
    ]
    rate = 0.02
    noisy = increments(case.make(learning_rate=rate, sigma=SIGMA, seed=SEED, **arguments), variables, gradients)
    parent = increments(case.make_parent(learning_rate=rate, **arguments), variables, gradients)
    for index in range(len(variables)):
        preconditioners = case.preconditioners([update[index] for update in gradients], **arguments)
        noises = [
            SIGMA * np.sqrt(rate * preconditioner) * normals(SEED, update, [v.shape for v in variables])[index]
            for update, preconditioner in enumerate(preconditioners)
        ]
        sizes = case.accumulated(np.abs(noises), **arguments)
        if case.accumulate is through_average:  # a difference of numbers that hold all noise so far
            sizes = sizes + np.cumsum(np.abs(noises), axis=0)
        for update, expected in enumerate(case.accumulated(noises, **arguments)):
            step = parent[update][index]
            error = np.abs(noisy[update][index] - step - expected)
            rounding = 1e-4 * np.abs(noises[update]) + 1e-6 * (np.abs(step) + sizes[update])
            assert np.all(error <= rounding), f"update {update}"


@pytest.mark.parametrize(("case", "arguments"), EVERY_PRECONDITIONER)
def test_noise_has_covariance_sigma_squared_gamma_p(case, arguments):
    """After several updates with known gradients of any size, Σ(noise² / σ²γP) over n elements is χ²(n), and neighbours
    are uncorrelated. Each check fails by chance for one seed in 10⁶; the seed is fixed."""
    rows, scales = 5000, np.array([1, 1e-2, 1e-4, 0], "float32")
    variables = make_variables((rows, scales.size), seed=None)
    gradients = [[scales * gradient for gradient in update] for update in make_gradients(variables, 4, decay=0.5)]
    rate = 0.02
    noisy = increments(case.make(learning_rate=rate, sigma=SIGMA, seed=1, **arguments), variables, gradients)
    parent = increments(case.make_parent(learning_rate=rate, **arguments), variables, gradients)
    preconditioner = case.preconditioners([gradient for (gradient,) in gradients], **arguments)[-1]
    added = [ours - theirs for (ours,), (theirs,) in zip(noisy, parent, strict=True)]
    z = case.fresh(added, **arguments)[-1] / np.sqrt(SIGMA**2 * rate * preconditioner)
    low, high = stats.chi2.ppf([0.5e-6, 1 - 0.5e-6], df=rows)
    for column in z.T:
        assert low < np.sum(column**2) < high
    limit = stats.norm.ppf(1 - 0.5e-6) / np.sqrt(rows)
    correlations = np.corrcoef(z.T) - np.eye(scales.size)
    assert np.abs(correlations).max() < limit


@every_case
def test_a_preconditioner_not_known_to_be_elementwise_gives_the_same_noise(case):
    """P is then computed for each whole variable, not for many at once or for a span of one."""

    class Whole(case.langevin, elementwise=False):
        pass

    weights = []
    for cls in (case.langevin, Whole):
        variables = make_variables((6, 4), (70_000, 4), (4,))
        optimizer = cls(learning_rate=case.learning_rate, sigma=SIGMA, seed=SEED, **case.arguments)
        weights.append(train(optimizer, variables, make_gradients(variables, steps=2)))
    for first, second in zip(*weights, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", of_each_kind())
def test_noise_is_not_clipped_nor_decayed(case):
    """Clipping and weight decay act only on the parent's step: with a zero gradient they change nothing."""
    variables = make_variables((6, 4), seed=None)
    gradients = zero_gradients(variables, steps=1)
    expected = increments(case.make(sigma=9.0, seed=SEED, weight_decay=0.0), variables, gradients)[0][0]
    assert np.abs(expected).max() > 0.1
    for options in ({"clipvalue": 1e-6}, {"clipnorm": 1e-6}, {"global_clipnorm": 1e-6}, {"weight_decay": 0.5}):
        (added,) = increments(case.make(sigma=9.0, seed=SEED, **{"weight_decay": 0.0} | options), variables, gradients)
        np.testing.assert_array_equal(added[0], expected)


@every_case
def test_constraint_holds_after_the_noise(case):
    variables = make_variables((6, 4))
    variables[0].constraint = keras.constraints.NonNeg()
    (weights,) = train(case.make(sigma=9.0, seed=SEED), variables, make_gradients(variables, steps=2))
    assert weights.min() == 0
    assert weights.max() > 0


@pytest.mark.parametrize(("case", "mode"), with_each(MODES, of_each_kind()))
def test_noise_stays_in_its_layers(case, mode):
    """After one step, the layers outside J equal the run without noise bit for bit, and the layer in J does not."""
    weights = {}
    for sigma in (0.0, SIGMA):
        variables = make_variables((3, 4), (4, 2), (2,))
        optimizer = case.make(sigma=sigma, seed=SEED, layers=[1])
        weights[sigma] = train(optimizer, variables, make_gradients(variables, steps=1), mode)
        assert optimizer.noisy_layers == ("layer_1",)
    for outside in (0, 2):
        np.testing.assert_array_equal(weights[SIGMA][outside], weights[0.0][outside])
    assert np.all(weights[SIGMA][1] != weights[0.0][1])


@pytest.mark.parametrize("case", of_each_kind())
def test_layers_do_not_change_the_noise_of_others(case):
    """A variable's noise is the same whether other layers are noisy or not. Its integers are equal bit for bit (see
    `test_noise.py`), but XLA compiles another kernel when it is drawn alone, so the weights may differ by one unit in
    the last place per update."""
    all_noisy, last_noisy = (
        train(case.make(sigma=SIGMA, seed=SEED, layers=layers), variables, make_gradients(variables, steps=2))
        for layers, variables in ((None, make_variables((3, 4), (4, 2))), ([-1], make_variables((3, 4), (4, 2))))
    )
    unit = np.spacing(np.abs(all_noisy[1]).max())
    np.testing.assert_allclose(last_noisy[1], all_noisy[1], rtol=0, atol=2 * unit)
    assert np.all(last_noisy[0] != all_noisy[0])


@every_case
def test_one_draw_for_each_accumulated_update(case):
    """With four accumulation steps the weights change only at every fourth step, by the noise of update 0, 1, ..."""
    accumulation, updates, rate = 4, 3, 0.02
    variables = make_variables((6, 4), (4,), seed=None)
    arguments = {"learning_rate": rate, "sigma": SIGMA, "seed": SEED, "gradient_accumulation_steps": accumulation}
    added = increments(case.make(**arguments), variables, zero_gradients(variables, accumulation * updates))
    for index, variable in enumerate(variables):
        preconditioners = case.preconditioners([np.zeros(variable.shape)] * updates)
        draws = [normals(SEED, update, [v.shape for v in variables])[index] for update in range(updates)]
        noises = [SIGMA * np.sqrt(rate * p) * z for p, z in zip(preconditioners, draws, strict=True)]
        expected = case.accumulated(noises)
        for step, weights in enumerate(added):
            update, remainder = divmod(step, accumulation)
            is_update = remainder == accumulation - 1
            np.testing.assert_allclose(weights[index], is_update * expected[update], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("case", "accumulation"), with_each([None, 2]))
def test_sigma_schedule_sees_the_counter_of_the_learning_rate_schedule(case, accumulation):
    """Both schedules count steps, not updates, also under accumulation."""

    def value(start, step):
        return start * 0.5 ** (step / 3)

    updates, stride = 3, accumulation or 1
    variables = make_variables((6, 4), seed=None)
    optimizer = case.make(
        learning_rate=keras.optimizers.schedules.ExponentialDecay(0.02, 3, 0.5),
        sigma=keras.optimizers.schedules.ExponentialDecay(SIGMA, 3, 0.5),
        seed=SEED,
        gradient_accumulation_steps=accumulation,
    )
    added = increments(optimizer, variables, zero_gradients(variables, updates * stride))[stride - 1 :: stride]
    preconditioners = case.preconditioners([np.zeros(variables[0].shape)] * updates)
    noises = []
    for update, preconditioner in enumerate(preconditioners):
        step = update * stride + stride - 1
        scale = value(SIGMA, step) * np.sqrt(value(0.02, step) * preconditioner)
        noises.append(scale * normal(SEED, update, variables[0].shape))
    for (weights,), expected in zip(added, case.accumulated(noises), strict=True):
        np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(float(optimizer.sigma), value(SIGMA, updates * stride), rtol=1e-6)


@pytest.mark.parametrize("case", of_each_kind())
def test_sigma_and_learning_rate_may_be_callables(case):
    variables = make_variables((6, 4), seed=None)
    gradients = zero_gradients(variables, steps=2)
    called = increments(case.make(learning_rate=lambda: 0.02, sigma=lambda: 0.25, seed=SEED), variables, gradients)
    numbers = increments(case.make(learning_rate=0.02, sigma=0.25, seed=SEED), variables, gradients)
    np.testing.assert_allclose(called, numbers, rtol=1e-6)


@every_case
def test_sparse_gradient(case):
    """A sparse gradient (TensorFlow's `IndexedSlices`) gives the same step and noise as the equal dense one. Rows that
    it leaves out also get noise."""
    weights = {}
    for kind in (np.asarray, sparse):
        variables = make_variables((8, 3))
        gradients = make_gradients(variables, steps=3)
        for update, (gradient,) in enumerate(gradients):
            gradient[[0, 2 + update, 5]] = 0
        before = values(variables)
        gradients = [[kind(gradient)] for (gradient,) in gradients]
        (weights[kind],) = train(case.make(sigma=SIGMA, seed=SEED), variables, gradients)
        assert np.all(weights[kind][0] != before[0][0])
    np.testing.assert_allclose(weights[sparse], weights[np.asarray], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", of_each_kind())
def test_embedding_trains(case):
    """After one step from zero, rows of an `Embedding` that no example uses hold the noise of a zero gradient."""
    embedding = keras.layers.Embedding(10, 4, embeddings_initializer="zeros", name="embedding")
    # all weights are 1, so that no gradient is small compared with the noise
    out = keras.layers.Dense(1, kernel_initializer="ones", name="out")
    model = keras.Sequential([keras.Input((3,), dtype="int32"), embedding, keras.layers.Flatten(), out], name="words")
    optimizer = case.make(learning_rate=0.02, sigma=SIGMA, seed=SEED)
    model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    history = model.fit(np.array([[1, 2, 2], [5, 1, 9]]), np.ones((2, 1)), epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][-1])
    (preconditioner,) = case.preconditioners([np.zeros((10, 4))])
    noise = SIGMA * np.sqrt(0.02 * preconditioner) * normal(SEED, 0, (10, 4))
    added = values([embedding.embeddings])[0]
    named = [1, 2, 5, 9]
    unnamed = [0, 3, 4, 6, 7, 8]
    np.testing.assert_allclose(added[unnamed], noise[unnamed], rtol=1e-4)
    assert np.all(np.abs(added[named] - noise[named]) > 1e-3 * np.abs(noise[named]))
