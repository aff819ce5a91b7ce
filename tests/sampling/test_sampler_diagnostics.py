"""`SamplerDiagnostics` and `tune_learning_rate` in cases with a known law."""

import math
import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import (
    LSGD,
    SGHMC,
    GaussianPrior,
    LAdam,
    LRMSprop,
    SamplerDiagnostics,
    posterior_sigma,
    tune_learning_rate,
    without_noise,
)
from keras_langevin.sampling.metropolis import Proposals
from keras_langevin.sampling.potential import Potential
from tests.quick import JIT_COMPILE, LONG_ON_TENSORFLOW

pytestmark = LONG_ON_TENSORFLOW

SIGMA = 0.5
every_dimension = pytest.mark.parametrize("d", [3, 50])
CURVATURES = {3: np.array([0.3, 1.0, 3.0]), 50: np.linspace(0.2, 2.0, 50)}


class Quadratic(keras.losses.Loss):
    """Σ hᵢ(θᵢ − yᵢ)²/2 of each example; the outputs are the weights."""

    def __init__(self, curvature):
        super().__init__()
        self.curvature = curvature.astype("float32")

    def call(self, y, outputs):
        return ops.sum(ops.multiply(self.curvature, ops.square(outputs - y)), axis=-1) / 2


def gaussian(d, optimizer, x=None):
    """Returns a model with V = Σ hᵢθᵢ²/2 and one weight per output."""
    layer = keras.layers.Dense(d, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(optimizer, loss=Quadratic(CURVATURES[d]), jit_compile=JIT_COMPILE)
    model.optimizer.build(model.trainable_variables)
    return model


def data(d, examples=1, spread=0.0):
    targets = np.random.default_rng(0).normal(size=(examples, d)) * spread
    return np.ones((examples, 1), "float32"), (targets - targets.mean(0)).astype("float32")


def draws_of(d, count, generator, factor=1.0):
    """Returns draws of exp(−2V/σ²), whose variances are σ²/(2h)."""
    return generator.normal(size=(count, d)) * np.sqrt(factor * SIGMA**2 / (2 * CURVATURES[d]))


def acceptance_of(d, rate, count=4000):
    """Returns the acceptance of MALA in equilibrium, in NumPy."""
    generator, h = np.random.default_rng(1), CURVATURES[d]
    theta, tau = draws_of(d, count, generator), SIGMA**2 / 2
    other = theta - rate * h * theta + SIGMA * math.sqrt(rate) * generator.normal(size=theta.shape)
    energy = lambda t: np.sum(h * t**2, axis=1) / 2 / tau  # noqa: E731
    proposal = lambda a, b: -np.sum((b - a + rate * h * a) ** 2, axis=1) / (4 * rate * tau)  # noqa: E731
    log = energy(theta) - energy(other) + proposal(other, theta) - proposal(theta, other)
    return np.minimum(1, np.exp(log)).mean()


def diagnosed(model, draws, x, y, **arguments):
    """Returns diagnostics of a model that is set to each of the draws."""
    diagnostics = SamplerDiagnostics(x, y, verbose=0, **arguments)
    diagnostics.set_model(model)
    diagnostics.on_train_begin()
    for epoch, draw in enumerate(draws):
        model.trainable_variables[0].assign(draw.reshape(1, -1))
        diagnostics.before_epoch_end(epoch)
    return diagnostics


def mean_of(diagnostics, name):
    return np.mean([getattr(each, name) for each in diagnostics.history])


# --- each number against its exact value ------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 1.5, 0.5])
@pytest.mark.parametrize("d", CURVATURES)
def test_the_configurational_temperature_is_the_width_of_the_samples(d, factor):
    x, y = data(d)
    draws = draws_of(d, 120, np.random.default_rng(2), factor)
    found = diagnosed(gaussian(d, LSGD(1e-3, sigma=SIGMA)), draws, x, y)
    moved = draws - draws.mean(0)
    exact = np.sum(CURVATURES[d] * moved**2) / (len(draws) - 1) / (d * SIGMA**2 / 2)
    assert found.history[-1].configurational_temperature == pytest.approx(exact, rel=1e-4)
    assert abs(exact - factor) < 4 * found.standard_error + 0.01
    assert found.standard_error == pytest.approx(factor * math.sqrt(2 / d / len(draws)), rel=0.7)


@pytest.mark.parametrize(("d", "rate"), [(3, 0.3), (3, 0.6), (50, 0.3), (50, 0.6)])
@pytest.mark.parametrize("optimizer", [LSGD, SGHMC])
def test_the_acceptance_is_that_of_a_metropolis_step(d, rate, optimizer):
    x, y = data(d)
    draws = draws_of(d, 60, np.random.default_rng(3))
    learning_rate = 2 * rate if optimizer is SGHMC else rate
    found = diagnosed(gaussian(d, optimizer(learning_rate, sigma=SIGMA)), draws, x, y, num_proposals=3)
    values = [each.acceptance for each in found.history]
    assert np.mean(values) == pytest.approx(acceptance_of(d, rate), abs=4 * np.std(values) / math.sqrt(len(values)))


def test_the_acceptance_with_a_preconditioner():
    """MALA steps with RMSprop's P keep the law: accepted moves do not change the variances on average."""
    x, y = data(3)
    model = gaussian(3, LRMSprop(0.1, sigma=SIGMA, epsilon=1e-2))
    model.optimizer._velocities[0].assign(np.array([[0.01, 0.3, 2.0]], "float32"))
    potential = Potential(model, [(x, y, None)])
    proposals, generator = Proposals.of(potential), np.random.default_rng(0)
    assert proposals.preconditioner == pytest.approx(1 / np.sqrt(np.array([0.01, 0.3, 2.0]) + 1e-2), rel=1e-5)
    moved = []
    for draw in draws_of(3, 250, generator):
        other, accepted = proposals.propose(potential.at(draw), 0.5, generator)
        moved.append(accepted * (other.theta**2 - draw**2))
    assert (np.abs(np.mean(moved, axis=0)) < 4 * np.std(moved, axis=0) / math.sqrt(len(moved))).all()
    assert (np.abs(moved) > 0).any(axis=0).all()


def test_the_share_of_the_gradients_noise():
    """If targets have variance s², a batch's gradient has the variance h²s²/B·(1 − B/N)."""
    x, y = data(50, examples=200, spread=2.0)
    model = gaussian(50, LSGD(0.01, sigma=SIGMA))
    found = diagnosed(model, np.zeros((1, 50)), x, y, batch_size=10).history[0]
    parts = y[np.random.default_rng(0).permutation(200)].reshape(20, 10, 50).mean(1) * CURVATURES[50]
    assert found.gradient_noise_share == pytest.approx(0.01 * parts.var(0).mean() / SIGMA**2, rel=1e-3)
    expected = 0.01 * np.mean(CURVATURES[50] ** 2) * 4.0 / 10 * 0.95 / SIGMA**2
    assert found.gradient_noise_share == pytest.approx(expected, rel=0.2)
    assert diagnosed(model, np.zeros((1, 50)), x, y).history[0].gradient_noise_share == 0


def test_the_gradient_has_the_prior_in_it_and_leaves_the_model_alone():
    prior = GaussianPrior(0.5, 10)
    kernel = keras.initializers.Constant([[1, -0.5, 0.5], [0.5, 1, -1]])  # not small: the loss is steep there
    layers = [
        keras.layers.Dense(3, kernel_initializer=kernel, kernel_regularizer=prior),
        keras.layers.BatchNormalization(),
    ]
    model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dropout(0.5, seed=0), keras.layers.Dense(1)])
    model.compile(LSGD(0.1, sigma=0.1, layers=1), loss="mse", jit_compile=JIT_COMPILE)
    model.optimizer.build(model.trainable_variables)
    x = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    before = [np.array(ops.convert_to_numpy(variable)) for variable in model.variables]
    potential = Potential(model, [(x, x[:, :1], None)])
    point = potential.at(potential.theta)
    assert point.theta.shape == (9,)
    for index in range(2):
        step = np.eye(9)[index] * 3e-3
        difference = (potential.at(point.theta + step).loss - potential.at(point.theta - step).loss) / 6e-3
        assert point.gradient[index] == pytest.approx(difference, rel=0.05, abs=1e-3)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, ops.convert_to_numpy(variable))


# --- in a fit, and the messages ---------------------------------------------------------------------------------------


class Repeated(keras.utils.PyDataset):
    """One batch, repeated `updates` times per epoch."""

    def __init__(self, batch, updates):
        super().__init__()
        self.batch, self.updates = batch, updates

    def __len__(self):
        return self.updates

    def __getitem__(self, index):
        return self.batch


def fitted(optimizer, d=50, updates=8, epochs=45, **arguments):
    """Returns diagnostics of a fit with `updates` updates per epoch."""
    x, y = data(d)
    diagnostics = SamplerDiagnostics(x, y, burn_in=5, verbose=0, **arguments)
    history = gaussian(d, optimizer).fit(Repeated((x, y), updates), epochs=epochs, verbose=0, callbacks=[diagnostics])
    return diagnostics, history.history


def test_a_sampler_that_is_right():
    found, logs = fitted(LSGD(0.1, sigma=SIGMA, seed=0))
    width = np.mean(1 / (1 - 0.1 * CURVATURES[50] / 2))  # widening by finite steps
    assert logs["configurational_temperature"][-1] == pytest.approx(width, abs=0.2)
    assert len(found.history) == 40 and len(logs["acceptance"]) == 40
    assert found.faults == [] and found.diagnosis.startswith("nothing wrong was seen: the temperature is")


@pytest.mark.parametrize(("d", "rate", "epochs"), [(3, 0.5, 305), (50, 0.8, 45)])
def test_a_learning_rate_that_is_too_large(d, rate, epochs):
    found, _ = fitted(LSGD(rate, sigma=SIGMA, seed=0), d, epochs=epochs)
    width = np.mean(1 / (1 - rate * CURVATURES[d] / 2))
    assert found.history[-1].configurational_temperature == pytest.approx(width, rel=0.15)
    assert found.diagnosis.startswith("the learning rate is too large: samples are")
    said = int(found.diagnosis.partition("samples are ")[2].partition("%")[0]) / 100
    assert said == pytest.approx(math.sqrt(width) - 1, abs=0.1)


def test_underdamped():
    right, logs = fitted(SGHMC(0.2, 0.3, sigma=SIGMA, seed=0))
    assert logs["kinetic_temperature"][-1] > 0 and right.faults == []
    assert np.mean(logs["kinetic_temperature"]) == pytest.approx(1, abs=0.1)
    wrong, logs = fitted(SGHMC(1.4, 0.3, sigma=SIGMA, seed=0))
    h = CURVATURES[50]
    expected = np.mean(1 / (1 - 1.4 * h / (2 * 1.7)))
    assert np.mean(logs["kinetic_temperature"]) == pytest.approx(expected, rel=0.1)
    assert wrong.diagnosis.startswith("the learning rate is too large") and "momentum" in wrong.faults[-1]


@every_dimension
def test_batches_that_are_too_small(d):
    x, y = data(d, examples=100, spread=3.0)
    found = SamplerDiagnostics(x, y, batch_size=10, burn_in=5, verbose=0)
    model = gaussian(d, LSGD(0.1, sigma=SIGMA, seed=0))
    model.fit(x, y, batch_size=10, epochs=20, verbose=0, callbacks=[found])
    assert found.diagnosis.startswith("batches are too small or the learning rate is too large: ")
    share = 0.1 * np.mean(CURVATURES[d] ** 2 * y.var(0)) / 10 * 0.9 / SIGMA**2
    assert mean_of(found, "gradient_noise_share") == pytest.approx(share, rel=0.2)


# --- the mistakes of docs/sampling.md ---------------------------------------------------------------------------------

N = 40
X = np.random.default_rng(0).normal(size=(N, 3)).astype("float32")
Y = {"linear": (X @ np.ones((3, 2))).astype("float32"), "logistic": (X[:, :2] > 0).astype("float32")}
LOSS = {"linear": keras.losses.MeanSquaredError, "logistic": keras.losses.BinaryCrossentropy}
OUTPUTS = {"linear": None, "logistic": "sigmoid"}
every_regression = pytest.mark.parametrize("kind", LOSS)


def faults(
    kind, sigma=None, prior=None, reduction="sum_over_batch_size", weight=2.0, optimizer=LSGD, dtype=None, **arguments
):
    """Returns the messages about a regression with two outputs before it is fitted; the defaults are right."""
    prior = GaussianPrior(1.0, N) if prior is None else prior
    layer = keras.layers.Dense(2, OUTPUTS[kind], use_bias=False, kernel_regularizer=prior, dtype=dtype)
    model = keras.Sequential([keras.Input((3,)), layer])
    sigma = posterior_sigma(N) if sigma is None else sigma
    model.compile(
        optimizer(0.05, sigma=sigma, seed=0, **arguments), loss=LOSS[kind](reduction=reduction), loss_weights=[weight]
    )
    diagnostics = SamplerDiagnostics(X, Y[kind], data_size=N, verbose=0)
    diagnostics.set_model(model)
    diagnostics.on_train_begin()
    return diagnostics.faults


MISTAKES = {
    "σγ for σ√γ": ({"sigma": posterior_sigma(N) * 0.05**0.5}, "is a temperature of 0.05 with data_size=40"),
    "σ = 2T/N": ({"sigma": 2 / N}, "is a temperature of 0.05 with data_size=40"),
    "σ = √(T/N)": ({"sigma": (1 / N) ** 0.5}, "is a temperature of 0.5 with"),
    "σ = √(2T)": ({"sigma": 2**0.5}, "is a temperature of 40 with"),
    "the prior is not divided by N": ({"prior": GaussianPrior(1.0, 1)}, "the prior counts 40 times as much"),
    "the sum over the batch": ({"reduction": "sum"}, "The loss must be a mean over the batch"),
    "the mean over outputs": ({"weight": 1.0}, "averages over 2 values of each example"),
    "momentum": ({"momentum": 0.9}, "the temperature is 0.1 of what sigma says"),
    "momentum in L-RMSprop": ({"optimizer": LRMSprop, "momentum": 0.9}, "the temperature is 0.1 of what sigma says"),
    "weight decay": ({"optimizer": SGHMC, "weight_decay": 0.1}, "bypasses the momentum"),
    "bfloat16": ({"dtype": "bfloat16"}, "The weights must be float32"),
}


@every_regression
@pytest.mark.parametrize("name", MISTAKES)
def test_a_known_mistake_is_seen(name, kind):
    arguments, said = MISTAKES[name]
    assert said in faults(kind, **arguments)[0]


@every_regression
def test_no_mistake_is_none(kind):
    assert faults(kind) == []


@pytest.fixture(scope="module", params=LOSS)
def tuned(request):
    """A regression after burn-in with temperature 1, its data, and the learning rate found for it."""
    generator, size = np.random.default_rng(0), 60
    x = generator.normal(size=(size, 3)).astype("float32")
    if request.param == "linear":
        y = x[:, :1] + 0.7 * generator.normal(size=(size, 1)).astype("float32")
    else:
        y = (generator.uniform(size=size) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype("float32")[:, None]
    prior = GaussianPrior(2.0, size)
    layer = keras.layers.Dense(1, OUTPUTS[request.param], kernel_regularizer=prior, bias_regularizer=prior)
    model = keras.Sequential([keras.Input((3,)), layer])
    optimizer = LSGD(0.1, sigma=posterior_sigma(size), seed=0)
    model.compile(optimizer, loss=LOSS[request.param](), jit_compile=JIT_COMPILE)
    model.fit(Repeated((x, y), 100), epochs=1, verbose=0)
    return model, x, y, tune_learning_rate(model, x, y, verbose=0)


def sampled(tuned, rate, batch_size=None, updates=8, epochs=40):
    """Returns diagnostics of a fit at a learning rate, with full or small batches."""
    model, x, y, _ = tuned
    model.optimizer.learning_rate = rate
    diagnostics = SamplerDiagnostics(x, y, data_size=len(x), batch_size=batch_size, verbose=0)
    if batch_size:
        model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[diagnostics])
    else:
        model.fit(Repeated((x, y), updates), epochs=epochs, verbose=0, callbacks=[diagnostics])
    return diagnostics


def test_at_the_rate_that_is_found_nothing_is_wrong(tuned):
    found = tuned[-1]
    assert 0.8 < found.acceptance < 1 and "would accept" in found.reason
    diagnostics = sampled(tuned, found.learning_rate)
    assert diagnostics.faults == []
    assert mean_of(diagnostics, "acceptance") == pytest.approx(found.acceptance, abs=0.1)


def test_a_rate_that_is_too_large_for_a_regression(tuned):
    """The logistic loss is flat far from its minimum and tolerates a larger rate."""
    is_linear = tuned[0].layers[-1].activation is keras.activations.linear
    diagnostics = sampled(tuned, (2.5 if is_linear else 5) * tuned[-1].learning_rate)
    assert diagnostics.diagnosis.startswith("the learning rate is too large: ")
    assert mean_of(diagnostics, "acceptance") < 0.8


def test_batches_that_are_too_small_for_a_regression(tuned):
    diagnostics = sampled(tuned, 0.3 * tuned[-1].learning_rate, batch_size=2, epochs=20)
    assert diagnostics.diagnosis.startswith("batches are too small or the learning rate is too large: ")
    assert mean_of(diagnostics, "gradient_noise_share") > 0.3


WRONG = [(0.3, r"samples are 4\d% too narrow: "), (2.0, r"samples are 4\d% too wide, .* is burn-in over\?")]


@every_dimension
@pytest.mark.parametrize(("factor", "said"), WRONG)
def test_a_law_that_is_wrong_for_no_reason_that_is_measured(factor, said, d):
    x, y = data(d)
    draws = draws_of(d, 4000 // d, np.random.default_rng(0), factor)
    found = diagnosed(gaussian(d, LSGD(0.01, sigma=SIGMA)), draws, x, y)
    assert re.match(said, found.diagnosis)


# --- tune_learning_rate -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [1e-3, 1.0])
@pytest.mark.parametrize("d", CURVATURES)
def test_it_finds_the_rate_with_that_acceptance(d, start):
    x, y = data(d)
    model = gaussian(d, LSGD(start, sigma=SIGMA))
    model.trainable_variables[0].assign(draws_of(d, 1, np.random.default_rng(0)))
    before = np.array(ops.convert_to_numpy(model.trainable_variables[0]))
    found = tune_learning_rate(model, x, y, num_steps=240, verbose=0)
    assert acceptance_of(d, found.learning_rate) == pytest.approx(0.9, abs=0.04)
    assert found.acceptance == pytest.approx(0.9, abs=0.06) and found.gradient_noise_share == 0
    np.testing.assert_array_equal(before, ops.convert_to_numpy(model.trainable_variables[0]))
    assert float(model.optimizer.learning_rate) == pytest.approx(start)


def test_a_momentum_bears_twice_the_rate():
    x, y = data(50)
    rates = [
        tune_learning_rate(gaussian(50, optimizer), x, y, num_steps=150, verbose=0).learning_rate
        for optimizer in (LSGD(0.1, sigma=SIGMA), SGHMC(0.1, sigma=SIGMA))
    ]
    assert rates[1] / rates[0] == pytest.approx(2, rel=0.2)


def test_it_tells_of_batches():
    x, y = data(50, examples=100, spread=3.0)
    found = tune_learning_rate(gaussian(50, LSGD(0.1, sigma=SIGMA)), x, y, batch_size=10, num_steps=60, verbose=0)
    assert found.gradient_noise_share > 0.1 and "larger batches" in found.reason


# --- errors -----------------------------------------------------------------------------------------------------------


def test_what_is_refused():
    x, y = data(3)
    for optimizer, message in (
        (without_noise(LSGD(0.1)), r"one Langevin optimizer\. Received: .*SGD\. Compile"),
        (LSGD(0.1, sigma=0.0), r"needs noise to sample with\. Received: sigma=0.*Give"),
        (LAdam(0.1, layers=0), r"needs noise to sample with\. Received: sigma=0.001, layers=0\. Give"),
    ):
        model = gaussian(3, optimizer)
        with pytest.raises(ValueError, match=message):
            tune_learning_rate(model, x, y, verbose=0)
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, verbose=0, callbacks=[SamplerDiagnostics(x, y)])
    with pytest.raises(ValueError, match="at least one example"):
        SamplerDiagnostics(x[:0], y[:0])
    for arguments in ({"burn_in": -1}, {"num_proposals": 0}, {"data_size": 0}, {"temperature": 0.0}, {"batch_size": 0}):
        (name,) = arguments
        with pytest.raises(ValueError, match=f"`{name}`.* must be .*Received: {name}="):
            SamplerDiagnostics(x, y, **arguments)
    for arguments in ({"acceptance": 1.0}, {"num_steps": 3}):
        (name,) = arguments
        with pytest.raises(ValueError, match=f"`{name}`.* must be .*Received: {name}="):
            tune_learning_rate(gaussian(3, LSGD(0.1)), x, y, verbose=0, **arguments)
