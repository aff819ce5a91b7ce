"""The temperature of samples against the laws of finite steps, and the warnings if sigma gives another temperature."""

import re
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy import stats

from keras_langevin import (
    LSGD,
    SGHMC,
    GaussianPrior,
    LAdam,
    LAdamW,
    LRMSprop,
    PosteriorSamples,
    posterior_sigma,
    run_chains,
)
from keras_langevin.sampling.temperature import warn_of_temperature
from tests.optimizers import laws
from tests.quick import JIT_COMPILE
from tests.sampling.cases import classifier, data, fit

PRECISION = np.array([[1.2, 0.4, 0.0], [0.4, 0.8, -0.2], [0.0, -0.2, 1.0]])
SIGMA, CHAINS = 1.2, 4000

# --- the laws ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.5, 0.9, 0.99])
def test_undamped_momentum_has_a_lower_temperature(momentum, nesterov):
    """It is (1 − μ)T if γ times the curvature is small compared with (1 − μ)², and T with σ/√(1 − μ)."""
    rate = 1e-4 * (1 - momentum) ** 2
    wanted = (1 - momentum) * SIGMA**2 / 2 * np.linalg.inv(PRECISION)
    found = laws.law_of_undamped_steps(PRECISION, rate, SIGMA, momentum, nesterov)
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    repaired = laws.law_of_undamped_steps(PRECISION, rate, SIGMA / np.sqrt(1 - momentum), momentum, nesterov)
    np.testing.assert_allclose(repaired, SIGMA**2 / 2 * np.linalg.inv(PRECISION), rtol=1e-3)


@pytest.mark.parametrize("decay", [0.5, 2.0])
def test_weight_decay_passes_by_the_momentum(decay):
    """To the likelihood's A it adds the precision λ for L-SGD, (1 − μ)λ with momentum μ, and αλ for SGHMC."""
    rate, identity, temperature = 1e-5, np.eye(3), SIGMA**2 / 2
    for share, found in (
        (1.0, laws.law_of_undamped_steps(PRECISION, rate, SIGMA, 0.0, decay=decay)),
        (0.1, laws.law_of_undamped_steps(PRECISION, rate, SIGMA, 0.9, decay=decay) / 0.1),
        (0.1, laws.law_of_underdamped_steps(PRECISION, rate, SIGMA, 0.1, decay=decay)[:3, :3]),
        (0.4, laws.law_of_underdamped_steps(PRECISION, rate, SIGMA, 0.4, decay=decay)[:3, :3]),
    ):
        wanted = temperature * np.linalg.inv(PRECISION + share * decay * identity)
        np.testing.assert_allclose(found, wanted, rtol=1e-2)


RATE, EPSILON = 0.005, 1e4  # so large an ε that RMSprop's P is 1/√ε; its rates are √ε times larger
STEPS = {
    "momentum": (LSGD(RATE, momentum=0.9, sigma=SIGMA, seed=1), laws.law_of_undamped_steps, {"momentum": 0.9}),
    "nesterov": (
        LSGD(RATE, momentum=0.8, nesterov=True, sigma=SIGMA, seed=2),
        laws.law_of_undamped_steps,
        {"momentum": 0.8, "nesterov": True},
    ),
    "decay": (
        LSGD(RATE, weight_decay=1.0, sigma=SIGMA, seed=3),
        laws.law_of_undamped_steps,
        {"momentum": 0.0, "decay": 1.0},
    ),
    "momentum and decay": (
        LSGD(RATE, momentum=0.9, weight_decay=1.0, sigma=SIGMA, seed=4),
        laws.law_of_undamped_steps,
        {"momentum": 0.9, "decay": 1.0},
    ),
    "RMSprop with momentum": (
        LRMSprop(RATE * EPSILON**0.5, momentum=0.8, epsilon=EPSILON, sigma=SIGMA, seed=5),
        laws.law_of_undamped_steps,
        {"momentum": 0.8},
    ),
    "SGHMC with decay": (
        SGHMC(RATE, 0.2, weight_decay=1.0, sigma=SIGMA, seed=6),
        laws.law_of_underdamped_steps,
        {"friction": 0.2, "decay": 1.0},
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_the_optimizers_have_these_laws(name):
    optimizer, law, arguments = STEPS[name]
    optimizer = type(optimizer).from_config(optimizer.get_config())  # a fresh one for each run
    covariance = law(PRECISION, **(arguments | {"rate": RATE, "sigma": SIGMA}))[:3, :3]
    start = np.zeros((CHAINS, 3), "float32")
    share = arguments.get("friction", 1 - arguments.get("momentum", 0.0))
    slowest = RATE / share * np.linalg.eigvalsh(PRECISION).min()
    gradient = lambda theta: theta @ PRECISION.astype("float32")  # noqa: E731
    samples = laws.run_chains(optimizer, gradient, int(6 / slowest + 6 / share), start)
    laws.assert_samples_normal(samples, covariance, bias=2e-3)


# --- losses that average over an example's values ---------------------------------------------------------------------

SIZE, OUTPUTS = 40, 400  # each output is a separate chain with the same posterior
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(SIZE, 1)).astype("float32")
Y = (X @ np.ones((1, OUTPUTS)) + GENERATOR.normal(size=(SIZE, OUTPUTS)) * 0.5**0.5).astype("float32")


def variance_beside_the_posterior(data_size=SIZE, **compile_arguments):
    layer = layers.Dense(OUTPUTS, use_bias=False, kernel_regularizer=GaussianPrior(1.0, data_size))
    model = keras.Sequential([keras.Input((1,)), layer])
    # "mse" is −log p for observations with variance 1/2
    curvature = (2 * float((X**2).sum()) + 1) / SIZE
    rate = 0.05 / curvature * compile_arguments.pop("slower", 1)
    optimizer = LSGD(rate, sigma=posterior_sigma(data_size), seed=1)
    model.compile(optimizer, jit_compile=JIT_COMPILE, **compile_arguments)
    samples = PosteriorSamples(burn_in=119, max_samples=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        x, y = np.tile(X, (120, 1)), np.tile(Y, (120, 1))  # one epoch, because starting one costs more than a step
        model.fit(x, y, batch_size=SIZE, verbose=0, callbacks=[samples], shuffle=False)
    precision = 2 * float((X**2).sum()) + 1
    mean = 2 * X[:, 0] @ Y / precision
    return float(np.mean((samples.ring.arrays(0)[0][0] - mean) ** 2) * precision)


BOUNDS = stats.chi2.ppf([5e-7, 1 - 5e-7], df=OUTPUTS) / OUTPUTS * np.array([1, 1 / (1 - 0.05 / 2)])  # finite steps


def test_a_loss_of_many_outputs_samples_the_posterior_when_it_is_summed():
    low, high = BOUNDS
    assert low < variance_beside_the_posterior(loss="mse", loss_weights=float(OUTPUTS)) < high
    summed = variance_beside_the_posterior(loss=lambda y, outputs: ops.sum(ops.square(y - outputs), axis=-1))
    assert low < summed < high
    counted = variance_beside_the_posterior(loss="mse", data_size=SIZE * OUTPUTS, slower=OUTPUTS)
    assert low < counted < high


def test_a_loss_that_is_averaged_over_two_outputs_has_twice_the_temperature():
    """Tested with `loss_weights=1/2`, which keeps the outputs separate chains. (The prior is small.)"""
    low, high = BOUNDS
    found = variance_beside_the_posterior(loss="mse", loss_weights=OUTPUTS / 2)
    assert 1.9 * low < found < 2 * high and found > high


# --- warnings ---------------------------------------------------------------------------------------------------------


def net(*parts, shape=(3,)):
    return keras.Sequential([keras.Input(shape), *parts])


def warned(model, optimizer=None, **compile_arguments):
    """Returns the lines of the warning, or none if there is no warning."""
    model.compile(optimizer or LSGD(0.01, sigma=0.1, seed=0), **compile_arguments)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warn_of_temperature(model)
    texts = [str(each.message) for each in found if "temperature" in str(each.message)]
    assert len(texts) <= 1
    return texts[0].split("\n- ")[1:] if texts else []


def one_unit():
    return net(layers.Dense(1))


@pytest.mark.parametrize(
    ("optimizer", "wanted"),
    [
        (
            LSGD(0.01, momentum=0.9),
            [r"momentum=0.9: the temperature is 0.1 of what sigma says. Multiply sigma by 3.162"],
        ),
        (LSGD(0.01, momentum=0.5, nesterov=True), [r"temperature is 0.5 of what"]),
        (LRMSprop(0.01, momentum=0.75), [r"LRMSprop with momentum=0.75: the temperature is 0.25 .*sigma by 2,"]),
        (LSGD(0.01, weight_decay=0.1, momentum=0.9), [r"is 0.1 of what", r"weight_decay=0.1.*prior is 0.1 of that"]),
        (SGHMC(0.01, 0.2, weight_decay=0.5), [r"SGHMC with weight_decay=0.5.*prior is 0.2 of that. Use GaussianPrior"]),
        (LAdamW(0.01), [r"LAdamW with weight_decay=0.004, which is not preconditioned: .* precision 0.004/P"]),
        (keras.optimizers.LossScaleOptimizer(LSGD(0.01, momentum=0.9)), [r"temperature is 0.1 of"]),
        (LSGD(0.01, weight_decay=0.1), []),
        (LSGD(0.01), []),
        (SGHMC(0.01, 0.2), []),
        (LAdam(0.01), []),
        (LRMSprop(0.01), []),
        (keras.optimizers.SGD(0.01, momentum=0.9), []),  # does not sample
    ],
)
def test_of_momentum_and_weight_decay(optimizer, wanted):
    found = warned(one_unit(), type(optimizer).from_config(optimizer.get_config()), loss="mse")
    assert len(found) == len(wanted) and all(map(re.search, wanted, found)), found


def test_of_the_parts_of_several_optimizers():
    parts = keras.optimizers.OptimizerMap(LSGD(0.01), {".*kernel": LSGD(0.01, momentum=0.9)})
    (line,) = warned(one_unit(), keras.optimizers.MultiOptimizer(parts), loss="mse")
    assert "temperature is 0.1" in line


SPARSE, SUMMED = "sparse_categorical_crossentropy", keras.losses.SparseCategoricalCrossentropy(reduction="sum")


def classes():
    return net(layers.Dense(3, "softmax"))


def two_heads(as_dict):
    inputs = keras.Input((3,))
    outputs = {"size": layers.Dense(2, name="size")(inputs), "kind": layers.Dense(3, "softmax", name="kind")(inputs)}
    return keras.Model(inputs, outputs if as_dict else list(outputs.values()))


LOSSES = {
    "ten outputs": (lambda: net(layers.Dense(10)), {"loss": "mse"}, ["10 times"]),
    "an object": (lambda: net(layers.Dense(10)), {"loss": keras.losses.Huber()}, ["10 times.*loss_weights=10.0"]),
    "labels": (lambda: net(layers.Dense(5, "sigmoid")), {"loss": "binary_crossentropy"}, ["5 times"]),
    "with weights": (lambda: net(layers.Dense(10)), {"loss": "mse", "loss_weights": 10.0}, []),
    "with a half": (one_unit, {"loss": "mse", "loss_weights": 0.5}, ["loss_weights=0.5: .* 2 times"]),
    "one output": (one_unit, {"loss": "mse"}, []),
    "classes": (classes, {"loss": SPARSE}, []),
    "one-hot": (classes, {"loss": "categorical_crossentropy"}, []),
    "two logits": (lambda: net(layers.Dense(2)), {"loss": keras.losses.CategoricalCrossentropy(from_logits=True)}, []),
    "divergence": (classes, {"loss": "kl_divergence"}, []),
    "time steps": (lambda: net(layers.Dense(4, "softmax"), shape=(7, 3)), {"loss": SPARSE}, ["7 times"]),
    "any time": (
        lambda: net(layers.Dense(4), shape=(None, 3)),
        {"loss": "mse"},
        [r"averages over \?×4 values.*is 4 times the length of an axis times"],
    ),
    "pixels": (lambda: net(layers.Dense(4), shape=(8, 6, 3)), {"loss": "mse"}, ["8×6×4 values .* 192 times"]),
    "a function of its own": (
        lambda: net(layers.Dense(4)),
        {"loss": lambda y, outputs: ops.sum(ops.abs(y - outputs), axis=-1)},
        [],
    ),
    "a function that sums all": (
        one_unit,
        {"loss": lambda y, outputs: ops.sum(ops.square(y - outputs))},
        ["a sum over the examples of a batch: the temperature is 1/.batch size."],
    ),
    "reduction": (
        classes,
        {"loss": SUMMED},
        ["mean over the batch.*reduction='sum'.*1/.batch size.*default reduction"],
    ),
    "a dict": (
        lambda: two_heads(True),
        {"loss": {"size": "mse", "kind": SUMMED}},
        ["'size'.* 2 times", "'kind'.*'sum'"],
    ),
    "a list": (lambda: two_heads(False), {"loss": ["mse", SUMMED]}, ["'size'.* 2 times", "'kind'.*'sum'"]),
    "names": (lambda: two_heads(False), {"loss": {"size": "mse", "kind": SPARSE}}, ["'size'.* 2 times"]),
    "one for both": (lambda: two_heads(False), {"loss": "mse"}, ["'size'.* 2 times", "'kind'.* 3 times"]),
    "weights of both": (
        lambda: two_heads(True),
        {"loss": {"size": "mse", "kind": SPARSE}, "loss_weights": {"size": 2.0, "kind": 1.0}},
        [],
    ),
    "one of two": (lambda: two_heads(False), {"loss": [None, SPARSE]}, []),
}


@pytest.mark.parametrize("name", LOSSES)
def test_of_losses_in_each_form(name):
    model, arguments, wanted = LOSSES[name]
    found = warned(model(), **arguments)
    assert len(found) == len(wanted) and all(map(re.search, wanted, found)), found


class Adding(layers.Layer):
    """Adds a function of the inputs to the loss."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        self.add_loss(self.function(inputs))
        return inputs


def test_of_added_losses():
    with_prior = {"kernel_regularizer": GaussianPrior(1.0, 10)}
    for function, count in ((lambda x: ops.sum(ops.square(x)), 1), (lambda x: ops.mean(ops.square(x)), 0)):
        model = net(layers.Dense(2, **with_prior), layers.Dropout(0.5), Adding(function), layers.Dense(1, **with_prior))
        before = [np.array(ops.convert_to_numpy(variable)) for variable in model.variables]
        found = warned(model, loss="mse")
        assert len(found) == count and all("`add_loss`" in line and "a sum over its examples" in line for line in found)
        for variable, array in zip(model.variables, before, strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(variable), array)


def test_of_a_subclass():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.top = layers.Dense(4)

        def call(self, inputs):
            return self.top(inputs)

    model = Net()
    model(np.ones((2, 3), "float32"))
    (line,) = warned(model, loss="mse")
    assert " 4 times" in line


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_of_weights_of_half_precision(dtype):
    """Also checks the law for V = (θ − ½)²/2 with 60,000 examples: float32 is right and bfloat16 too wide."""
    model = net(layers.Dense(1, dtype=dtype, kernel_initializer="ones"))
    (line,) = warned(model, LSGD(0.01, sigma=0.01, seed=0), loss="mse")
    spacing = {"bfloat16": "0.0078, 7.8 times", "float16": "0.00098, 0.98 times"}[dtype]
    assert f"{dtype} weights of size 1, whose spacing is {spacing} the noise of an update, 0.001." in line
    mixed = net(layers.Dense(1, dtype=f"mixed_{dtype}", kernel_initializer="ones"))
    assert not warned(mixed, LSGD(0.01, sigma=0.01, seed=0), loss="mse")


def test_of_noise_that_float32_rounds_away():
    model = net(layers.Dense(1, kernel_initializer="ones"))
    (line,) = warned(model, LSGD(1e-6, sigma=1e-4, seed=0), loss="mse")
    assert "float32 weights of size 1, whose spacing is 1.2e-07, 1.2 times the noise of an update, 1e-07" in line


def test_bfloat16_is_at_another_temperature():
    found = {}
    for dtype in ("float32", "bfloat16"):
        variable = keras.Variable(np.full(2000, 0.5, "float32"), dtype=dtype)
        optimizer = LSGD(0.05, sigma=posterior_sigma(60_000), seed=0)
        optimizer.build([variable])
        for _ in range(60):
            gradient = ops.cast(ops.cast(variable, "float32") - 0.5, dtype)
            optimizer.apply([gradient], [variable])
        found[dtype] = np.var(ops.convert_to_numpy(ops.cast(variable, "float32"))) * 60_000
    assert 0.85 < found["float32"] < 1.2 and found["bfloat16"] > 3


def test_a_fit_warns_once_and_so_do_chains():
    model = classifier(optimizer=LSGD(0.05, momentum=0.9, sigma=0.3, seed=5))
    with pytest.warns(UserWarning, match="temperature is 0.1 of what sigma says") as found:
        fit(model, PosteriorSamples(burn_in=0), epochs=2)
    assert len([each for each in found if "temperature" in str(each.message)]) == 1
    x, y = data()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        run_chains(lambda seed: classifier(optimizer=LSGD(0.05, momentum=0.9)), 2, x, y, burn_in=0, verbose=0)
    assert len([each for each in found if "temperature is 0.1" in str(each.message)]) == 1
