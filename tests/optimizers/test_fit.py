"""Tests that need a compiled `fit`: which noise each step gets, and what can change without a new trace.

Most tests train a layer with a zero gradient, so that the weights are the sum of the noise.
"""

import inspect
import random
import shutil

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from keras_langevin import SGHMC, LAdam
from tests.optimizers.cases import (
    BACKEND,
    double_precision,
    increments,
    make_variables,
    normal,
    of_each_kind,
    with_each,
)
from tests.quick import built

every_case = pytest.mark.parametrize("case", of_each_kind())
JIT = [False] if BACKEND == "torch" else [False, True]  # torch.compile needs a C++ compiler
QUICKEST = BACKEND == "jax"  # on TensorFlow tracing a graph is faster than compiling it with XLA
SHAPE = (4, 500)
RATE, SIGMA, SEED = 0.02, 0.5, 7


def zero_loss(_, prediction):
    return 0.0 * ops.mean(prediction)


def noise_model(optimizer, shape=SHAPE, **compile_arguments):
    """Returns a model with one kernel of zeros whose gradient is zero."""
    model = keras.Sequential(
        [keras.Input((shape[0],)), keras.layers.Dense(shape[1], use_bias=False, kernel_initializer="zeros", name="a")],
        name="net",
    )
    model.compile(optimizer=optimizer, loss=zero_loss, **{"jit_compile": QUICKEST} | compile_arguments)
    return built(model)


def noisy(case, **arguments):
    return case.make(learning_rate=RATE, sigma=SIGMA, seed=SEED, **{"weight_decay": 0.0} | arguments)


class Weights(keras.callbacks.Callback):
    """Keeps the weights at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.history = []

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(self.model.get_weights()[0])


def run_epochs(model, epochs, *callbacks, steps=1, initial_epoch=0):
    """Returns what each epoch of `steps` steps adds to the weights, an array of shape `(epochs, *weights)`."""
    weights = Weights()
    before = model.get_weights()[0]
    features = np.ones((2 * steps, model.input_shape[1]), "float32")
    model.fit(
        features,
        np.zeros(2 * steps, "float32"),
        batch_size=2,
        epochs=initial_epoch + epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[weights, *callbacks],
    )
    return np.diff(np.array([before, *weights.history]).astype("float64"), axis=0)


def expected_noise(case, updates, sigmas=None, shape=SHAPE):
    """Returns what each update adds to zero weights with a zero gradient and without decay."""
    zeros = np.zeros(shape)
    theta, state, added = zeros, {}, []
    options = {"learning_rate": RATE} | case.of_reference
    if "weight_decay" in inspect.signature(case.reference).parameters:
        options["weight_decay"] = 0.0
    for update, sigma in enumerate(sigmas or [SIGMA] * updates):
        noise = sigma * np.sqrt(RATE) * normal(SEED, update, shape)
        moved, _, state = case.reference(theta, zeros, noise, update + 1, **state, **options)
        added.append(moved - theta)
        theta = moved
    return np.array(added)


def assert_close(actual, expected):
    """Checks equality within the rounding of weights that have grown over the steps."""
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("case", "jit_compile"), with_each(JIT, of_each_kind()))
def test_draws_of_one_fit_are_the_formula_and_uncorrelated(case, jit_compile):
    """In ten updates every element is σ√γ√P_t·Z_t, and the noises of no two updates are correlated. Each of the 45
    correlations exceeds its bound by chance for one seed in 10⁶."""
    model = noise_model(noisy(case), jit_compile=jit_compile)
    draws = run_epochs(model, 10)
    assert_close(draws, expected_noise(case, 10))
    correlations = np.corrcoef(case.fresh_of_fit(draws).reshape(10, -1)) - np.eye(10)
    assert np.abs(correlations).max() < stats.norm.isf(5e-7) / np.sqrt(np.prod(SHAPE))


@pytest.mark.slow  # a minute of compilation
@pytest.mark.skipif(BACKEND != "torch" or not shutil.which("g++"), reason="needs torch.compile and a C++ compiler")
@pytest.mark.parametrize("noise", ["normal", "rademacher"])
def test_under_torch_compile_the_noise_is_the_same(noise):
    """The model has two small variables, drawn in a pool, and a large one."""
    weights = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(300, activation="tanh"), keras.layers.Dense(1000), keras.layers.Dense(3)]
        model = keras.Sequential([keras.Input((4,)), *layers])
        model.compile(optimizer=LAdam(1e-3, sigma=0.5, seed=1, noise=noise), loss="mse", jit_compile=jit_compile)
        # only one step: later ones amplify its rounding
        weights.append(fit_weights(model, steps=1))
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-4, atol=5e-5)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras runs one step at a time on PyTorch")
@every_case
def test_steps_of_one_execution_have_noise_of_their_own(case):
    model = noise_model(noisy(case), steps_per_execution=3)
    draws = run_epochs(model, 2, steps=3)
    assert_close(draws, expected_noise(case, 6).reshape(2, 3, *SHAPE).sum(axis=1))


def trainable_model(optimizer, loss="mse", **compile_arguments):
    """Returns a small net with the same weights each time."""
    x = inputs = keras.Input((4,))
    for name, units in (("first", 5), ("second", 3)):
        initializer = keras.initializers.GlorotUniform(seed=units)
        x = keras.layers.Dense(units, activation="tanh", kernel_initializer=initializer, name=name)(x)
    model = keras.Model(inputs, x, name="net")
    model.compile(optimizer=optimizer, loss=loss, **{"jit_compile": QUICKEST} | compile_arguments)
    return built(model)


def fit_weights(model, steps=6):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(8 * steps, 4)).astype("float32")
    y = generator.normal(size=(8 * steps, 3)).astype("float32")
    history = model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"][-1])
    return np.concatenate([weights.ravel() for weights in model.get_weights()])


@pytest.mark.parametrize(("case", "jit_compile"), with_each(JIT, of_each_kind()))
def test_fit_with_no_noisy_layer_is_the_parents(case, jit_compile):
    parent = fit_weights(trainable_model(case.make_parent(), jit_compile=jit_compile))
    langevin = fit_weights(trainable_model(case.make(layers=0), jit_compile=jit_compile))
    np.testing.assert_array_equal(langevin, parent)


@pytest.mark.parametrize("case", of_each_kind((LAdam,)))  # a test above compares single draws for all
def test_same_seed_same_weights(case):
    first, again, other = (fit_weights(trainable_model(case.make(sigma=0.1, seed=seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(again, first)
    assert np.all(other != first)


@every_case
def test_no_seed_is_another_each_time_but_for_set_random_seed(case):
    assert case.make().seed != case.make().seed
    state = random.getstate(), np.random.get_state()
    seeds = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        seeds.append(case.make().seed)
    random.setstate(state[0])
    np.random.set_state(state[1])
    assert seeds[0] == seeds[1]


class CountedLoss:
    """A loss that counts how often it is traced (on PyTorch, which does not trace: called)."""

    def __init__(self):
        self.count = 0

    def __call__(self, _, prediction):
        self.count += 1
        return 0.0 * ops.mean(prediction)


@pytest.mark.parametrize("case", of_each_kind((LAdam,)))  # all optimizers share these variables
def test_seed_and_sigma_and_learning_rate_change_without_a_new_trace(case):
    loss = CountedLoss()
    optimizer = noisy(case)
    model = noise_model(optimizer)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=QUICKEST)
    state = [np.array(ops.convert_to_numpy(variable)) for variable in optimizer.variables]
    (first,) = run_epochs(model, 1)
    traces = loss.count

    def again(seed=SEED, sigma=SIGMA, learning_rate=RATE):
        for variable, value in zip(optimizer.variables, state, strict=True):
            variable.assign(value)
        optimizer.iterations.assign(0)
        model.set_weights([np.zeros(SHAPE)])
        optimizer.seed, optimizer.sigma, optimizer.learning_rate = seed, sigma, learning_rate
        return run_epochs(model, 1)[0]

    same = again()
    assert np.abs(np.corrcoef(same.ravel(), first.ravel())[0, 1]) > 0.999
    assert np.abs(np.corrcoef(again(seed=SEED + 2**33).ravel(), first.ravel())[0, 1]) < 0.2
    np.testing.assert_array_equal(again(sigma=0.0), 0)
    np.testing.assert_allclose(again(sigma=2 * SIGMA) / same, 2, rtol=1e-2)
    np.testing.assert_allclose(again(learning_rate=4 * RATE) / same, 2, rtol=1e-2)
    if BACKEND != "torch":
        assert loss.count == traces


@pytest.mark.parametrize("case", of_each_kind((LAdam, SGHMC)))
def test_sigma_set_by_a_callback_takes_effect(case):
    """In one compiled fit, σ is set for two epochs, doubled for the third, and 0 after it."""

    class Steer(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.sigma = {2: 2 * SIGMA, 3: 0.0}.get(epoch, self.model.optimizer.sigma)

    model = noise_model(noisy(case), jit_compile="auto")
    draws = run_epochs(model, 4, Steer())
    assert_close(draws, expected_noise(case, 4, sigmas=[SIGMA, SIGMA, 2 * SIGMA, 0]))
    if not case.kept():
        np.testing.assert_array_equal(draws[3], 0)
    assert float(model.optimizer.sigma) == 0


@pytest.mark.parametrize("case", of_each_kind((LAdam, SGHMC)))
def test_accumulation_in_fit_has_one_draw_an_update(case):
    model = noise_model(noisy(case, gradient_accumulation_steps=3))
    draws = run_epochs(model, 6)
    assert_close(draws[2::3], expected_noise(case, 2))
    draws[2::3] = 0
    np.testing.assert_array_equal(draws, 0)


@pytest.mark.parametrize(("case", "policy"), with_each(["mixed_float16", "mixed_bfloat16"], of_each_kind((LAdam,))))
def test_mixed_precision_trains_with_the_same_noise(case, policy):
    """Weights are float32, the loss falls and the noise is the formula's, also inside a `LossScaleOptimizer`."""
    keras.config.set_dtype_policy(policy)
    try:
        model = noise_model(noisy(case))
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
        assert_close(run_epochs(model, 2), expected_noise(case, 2))
        optimizer = case.make(sigma=1e-3)
        model = trainable_model(optimizer)
        x, y = np.ones((32, 4), "float32"), np.full((32, 3), 0.5, "float32")
        losses = model.fit(x, y, batch_size=8, epochs=10, shuffle=False, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
    finally:
        keras.config.set_dtype_policy("float32")


@every_case
def test_a_step_that_overflows_has_no_noise(case):
    """`LossScaleOptimizer` skips the step: there is no noise, and the next update is still number 0."""
    optimizer = keras.optimizers.LossScaleOptimizer(noisy(case), initial_scale=8.0)
    variables = make_variables((4, 4), seed=None)
    gradients = [[np.full((4, 4), value, "float32")] for value in (np.inf, 0.0)]
    (skipped,), (added,) = increments(optimizer, variables, gradients)
    np.testing.assert_array_equal(skipped, 0)
    assert_close(added, expected_noise(case, 1, shape=(4, 4))[0])


@every_case
def test_float64(case):
    """A float64 model trains, and its noise is σ√γ√P·Z in float64; only Z has float32's 24 bits."""
    with double_precision():
        keras.config.set_dtype_policy("float64")
        keras.config.set_floatx("float64")
        try:
            optimizer = noisy(case)
            model = noise_model(optimizer)
            assert model.weights[0].dtype == "float64"
            draws, expected = (case.fresh_of_fit(each) for each in (run_epochs(model, 2), expected_noise(case, 2)))
            root = np.sqrt(case.preconditioners([np.zeros(1)])[0].item())  # `draws` lacks this factor
            np.testing.assert_allclose(draws, expected, rtol=1e-6, atol=1e-9 / min(root, 1.0))
        finally:
            keras.config.set_floatx("float32")
            keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(("case", "dtype"), with_each(["float16", "bfloat16"], of_each_kind()))
def test_low_precision_variables_get_noise(case, dtype):
    """The scale and Z are computed in float32 and rounded once. Gradients are 1, so that float16 can hold the slots."""
    if case.parent.__name__ in ("Nadam", "ScheduleFreeAdamW") and dtype == "bfloat16":
        pytest.skip("Keras's optimizer divides by 1 − 0.999, which is zero in bfloat16")
    shape, epsilon = (8, 8), {"epsilon": 1e-3} if hasattr(case.make(), "epsilon") else {}
    added = []
    for optimizer in (
        noisy(case, **epsilon),
        case.make_parent(learning_rate=RATE, **epsilon),
    ):
        variable = keras.Variable(np.zeros(shape), dtype=dtype, name="kernel")
        optimizer.build([variable])
        optimizer.apply([ops.ones(shape, dtype)], [variable])
        added.append(ops.convert_to_numpy(ops.cast(variable, "float32")))
    (preconditioner,) = case.preconditioners([np.ones(shape)], **epsilon)
    expected = SIGMA * np.sqrt(RATE * preconditioner) * normal(SEED, 0, shape)
    np.testing.assert_allclose(added[0] - added[1], expected, rtol=0.05, atol=0.02 * np.abs(expected).max())


@every_case
def test_a_loop_of_ones_own_steps_as_fit(case):
    """The loop calls `apply_gradients`, as loops with a `GradientTape` do."""
    variable = keras.Variable(np.zeros(SHAPE, "float32"), name="kernel")
    optimizer = noisy(case)
    for _ in range(2):
        optimizer.apply_gradients([(ops.zeros(SHAPE), variable)])
    assert_close(ops.convert_to_numpy(variable), expected_noise(case, 2).sum(axis=0))
