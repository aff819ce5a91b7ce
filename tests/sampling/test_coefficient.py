"""The local learning coefficient against closed forms; its warnings, errors and files."""

import math
import warnings

import keras
import numpy as np
import pytest

from keras_langevin import archive
from keras_langevin.sampling import learning_coefficient
from keras_langevin.sampling.localized import LocalizedUpdates
from tests.optimizers.laws import law_of_steps
from tests.sampling.cases import assert_equal_arrays, weights

pytest.importorskip("arviz")
# Short chains give this warning.
DISAGREE = pytest.mark.filterwarnings("ignore:The chains must agree")

SIZE = 200
SCALE = SIZE / math.log(SIZE)  # nβ
# With 150 weights the losses of draws have a standard deviation of a tenth of their mean.
RUN = {"learning_rate": 0.2, "num_chains": 2, "num_draws": 120, "burn_in": 30, "verbose": 0}
SHORT = RUN | {"num_draws": 20, "burn_in": 0}
OUTPUTS, LAMBDA = 50, 75.0


def half_squares(y, f):
    """Returns −log p of observations with variance 1."""
    return keras.ops.sum(keras.ops.square(y - f), axis=-1) / 2


def regression(is_fitted=True):
    """Returns a model with 150 weights, at the least squares or at zero, and its data."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(SIZE, 3)).astype("float32")
    y = (x @ np.ones((3, OUTPUTS)) + generator.normal(size=(SIZE, OUTPUTS))).astype("float32")
    dense = keras.layers.Dense(OUTPUTS, use_bias=False, kernel_initializer="zeros", name="line")
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(loss=half_squares)
    if is_fitted:
        model.set_weights([np.linalg.lstsq(x, y, rcond=None)[0]])
    return model, x, y


def two_layers():
    """Returns a model with 20 weights in the first layer and 200 in the second, alone a regular model, and its data."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(SIZE, 5)).astype("float32")
    layers = [
        keras.layers.Dense(4, use_bias=False, name="first"),
        keras.layers.Dense(OUTPUTS, use_bias=False, name="second"),
    ]
    model = keras.Sequential([keras.Input((5,)), *layers])
    first = np.eye(5, 4)
    hidden = x @ first
    y = (hidden @ np.ones((4, OUTPUTS)) + generator.normal(size=(SIZE, OUTPUTS))).astype("float32")
    model.set_weights([first, np.linalg.lstsq(hidden, y, rcond=None)[0]])
    model.compile(loss=half_squares)
    return model, x, y


def exact(x, rate, localization=1.0) -> float:
    """Returns nβ(E[L] − L(w*)) at the least squares under the law of finite steps, by the Lyapunov equation."""
    curvature = np.asarray(x, float).T @ x / len(x)
    pulled = curvature + localization / SCALE * np.eye(len(curvature))
    covariance = law_of_steps(pulled, rate, math.sqrt(2 / SCALE))
    return OUTPUTS * SCALE * np.trace(curvature @ covariance) / 2


@pytest.mark.parametrize("localization", [1.0, 20.0])
def test_of_a_regular_model_it_is_half_the_number_of_weights(localization):
    model, x, y = regression()
    found = learning_coefficient(model, x, y, localization=localization, **RUN)
    wanted = exact(x, RUN["learning_rate"], localization)
    assert abs(float(found) - wanted) < 5 * found.standard_error < 0.15 * wanted
    if localization == 1.0:
        assert wanted == pytest.approx(LAMBDA, rel=0.15)
    assert found.r_hat < 1.1 and abs(found.descent) < 0.01
    assert found.value == pytest.approx(SCALE * found.losses.mean()) and found.of_chains.shape == (2,)
    residuals = y - x @ model.get_weights()[0]
    assert found.initial_loss == pytest.approx((residuals**2).sum(axis=1).mean() / 2, rel=1e-5)


def test_mini_batches_give_the_same():
    model, x, y = regression()
    found = learning_coefficient(model, x, y, batch_size=50, **RUN | {"learning_rate": 0.05, "num_draws": 240})
    assert abs(found.value - LAMBDA) < 0.15 * LAMBDA and 3 * found.standard_error < 0.15 * LAMBDA


@pytest.mark.parametrize(
    ("optimizer", "rate", "arguments"),
    [("baoab", 0.05, {"friction": 0.3}), ("lrmsprop", 0.05, {"rho": 0.8, "epsilon": 0.1})],
    ids=["baoab", "lrmsprop"],
)
def test_other_samplers_give_the_same(optimizer, rate, arguments):
    model, x, y = regression()
    run = RUN | {"learning_rate": rate, "num_draws": 240}
    found = learning_coefficient(model, x, y, optimizer=optimizer, optimizer_arguments=arguments, **run)
    assert abs(found.value - LAMBDA) < 0.15 * LAMBDA and 3 * found.standard_error < 0.15 * LAMBDA


class Crossing(keras.layers.Layer):
    """w1²·w2."""

    def build(self, shape):
        self.w = self.add_weight(shape=(2,), initializer="zeros", name="w")

    def call(self, x):
        return x * self.w[0] ** 2 * self.w[1]


@pytest.mark.slow
@DISAGREE
def test_a_normal_crossing_against_quadrature():
    """K = w1⁴w2²/2 has λ = 1/4. Labels are zero, so L(w) − L(w*) = K."""
    model = keras.Sequential([keras.Input((1,)), Crossing()])
    model.compile(loss=half_squares)
    x, y = np.ones((SIZE, 1), "float32"), np.zeros((SIZE, 1), "float32")
    found = learning_coefficient(model, x, y, **RUN | {"learning_rate": 0.05, "num_draws": 20_000})
    axis = np.linspace(-6, 6, 4001)
    loss = (axis[:, None] ** 2 * axis) ** 2 / 2
    law = np.exp(-SCALE * loss - (axis[:, None] ** 2 + axis**2) / 2)
    wanted = SCALE * (law * loss).sum() / law.sum()
    assert wanted == pytest.approx(0.25, rel=0.25)
    assert abs(found.value - wanted) < max(3 * found.standard_error, 0.15 * wanted)


def test_layers_choose_the_weights_that_move():
    model, x, y = two_layers()
    seen = []
    run = LocalizedUpdates.run

    def watched(self, order):
        losses = run(self, order)
        seen.append(weights(model))
        return losses

    before = weights(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalizedUpdates, "run", watched)
        found = learning_coefficient(model, x, y, layers="second", **RUN)
    assert all(np.array_equal(first, before[0]) for first, _ in seen)
    assert not np.array_equal(seen[0][1], before[1])
    assert_equal_arrays(weights(model), before)
    wanted = exact(x[:, :4], RUN["learning_rate"])
    assert abs(found.value - wanted) < 5 * found.standard_error < 0.15 * wanted


# --- violated assumptions ---------------------------------------------------------------------------------------------


def test_weights_that_are_not_at_a_minimum_are_warned_of():
    model, x, y = regression(is_fitted=False)
    with pytest.warns(UserWarning) as caught:
        found = learning_coefficient(model, x, y, **RUN)
    messages = " ".join(str(each.message) for each in caught)
    assert "near a local minimum of the loss. Received: weights from which updates without noise lower" in messages
    assert "The estimate must be positive. Received: -" in messages
    assert found.value < 0 < found.descent


def test_chains_that_drift_are_warned_of():
    """The steps are far too small, so each chain is still drifting."""
    model, x, y = regression()
    with pytest.warns(UserWarning, match=r"chains must agree and stay where they are. Received: R-hat=[12]"):
        learning_coefficient(model, x, y, **RUN | {"learning_rate": 1e-3, "burn_in": 0})


@DISAGREE
def test_a_loss_that_is_no_log_density_is_warned_of():
    model, x, y = regression()
    model.compile(loss="mse")
    with pytest.warns(UserWarning, match=r"must be −log p of an example.*averages over 50 values"):
        learning_coefficient(model, x, y, **SHORT)


def test_nothing_is_said_of_a_good_run():
    model, x, y = regression()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        learning_coefficient(model, x, y, **RUN)


def test_a_chain_that_diverges_ends_with_an_error_and_leaves_the_model():
    model, x, y = regression()
    before = weights(model)
    with pytest.raises(ValueError, match=r"stay near w\*. Received: a loss that is not finite in chain 0.*Lower"):
        learning_coefficient(model, x, y, **RUN | {"learning_rate": 10.0})
    assert_equal_arrays(weights(model), before)


@DISAGREE
def test_regularizers_are_no_part_of_it():
    found = []
    for regularizer in (None, keras.regularizers.L2(10.0)):
        model, x, y = regression()
        model.layers[0].kernel_regularizer = regularizer
        found.append(learning_coefficient(model, x, y, **SHORT).losses)
    np.testing.assert_array_equal(*found)


# --- files ------------------------------------------------------------------------------------------------------------


def interrupted_after(calls: int):
    run, count = LocalizedUpdates.run, []

    def watched(self, order):
        count.append(None)
        if len(count) > calls:
            raise KeyboardInterrupt
        return run(self, order)

    return watched


@pytest.mark.parametrize("batch_size", [None, 32])
def test_an_interrupted_call_resumes_and_gives_the_same(tmp_path, monkeypatch, batch_size):
    model, x, y = regression()
    run = RUN | {"batch_size": batch_size}
    whole = learning_coefficient(model, x, y, **run)
    monkeypatch.setattr("keras_langevin.sampling.coefficient._SAVED_EVERY", 0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LocalizedUpdates, "run", interrupted_after(3))  # after the first chain and a part of the second
        learning_coefficient(model, x, y, directory=tmp_path, **run)
    assert len(list(tmp_path.glob("chain-*.npz"))) == 2
    again = learning_coefficient(model, x, y, directory=tmp_path, **run)
    np.testing.assert_array_equal(again.losses, whole.losses)
    with monkeypatch.context() as patch:
        patch.setattr(LocalizedUpdates, "run", interrupted_after(1))  # after the descent
        finished = learning_coefficient(model, x, y, directory=tmp_path, **run)
    np.testing.assert_array_equal(finished.losses, whole.losses)


@DISAGREE
def test_chains_of_another_call_are_refused(tmp_path):
    model, x, y = regression()
    run = SHORT | {"directory": tmp_path}
    learning_coefficient(model, x, y, **run)
    for change, differs in (
        ({"learning_rate": 0.1}, "optimizer"),
        ({"num_draws": 10}, "numbers"),
        ({"seed": 1}, "optimizer"),
    ):
        with pytest.raises(ValueError, match=rf"chains of this call. Received: .*chain-0.npz.*its {differs} differ"):
            learning_coefficient(model, x, y, **run | change)
    with pytest.raises(ValueError, match=r"its data differ"):
        learning_coefficient(model, x, -y, **run)
    archive.write(tmp_path / "chain-0.npz", {}, [])
    with pytest.raises(ValueError, match=r"chain-0.npz, which is not readable as such"):
        learning_coefficient(model, x, y, **run)


@DISAGREE
def test_trace_and_summary():
    import matplotlib.pyplot as plt

    model, x, y = regression()
    found = learning_coefficient(model, x, y, **SHORT)
    assert found.plot_trace().shape == (1, 2)
    plt.close("all")
    row = found.summary().iloc[0]
    assert (row["mean"], row["mcse_mean"]) == pytest.approx((found.value, found.standard_error))
    assert str(found).startswith(f"{found.value:.4g} ± ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0.0}, r"`learning_rate` must be a finite float > 0"),
        ({"localization": 0}, r"`localization` must be a finite float > 0"),
        ({"temperature": -1.0}, r"`temperature` must be a finite float > 0"),
        ({"num_chains": 0}, r"`num_chains` must be an int >= 1"),
        ({"num_draws": 3}, r"`num_draws` must be an int >= 4"),
        ({"burn_in": -1}, r"`burn_in` must be an int >= 0"),
        ({"batch_size": SIZE + 1}, r"`batch_size` must be at most 200"),
        ({"optimizer": "ladam"}, r"`optimizer` must be one whose law is known: 'lsgd', .*Received: optimizer='ladam'"),
        ({"layers": 0}, r"`layers` must choose at least one layer"),
        ({"seed": -1}, r"`seed` must be an int >= 0"),
    ],
)
def test_bad_arguments(arguments, message):
    model, x, y = regression()
    with pytest.raises(ValueError, match=message):
        learning_coefficient(model, x, y, **RUN | arguments)


def test_bad_models_and_data():
    model, x, y = regression()
    with pytest.raises(ValueError, match=r"the same number of examples. Received: \[100, 200\]"):
        learning_coefficient(model, x, y[:100], **RUN)
    with pytest.raises(ValueError, match=r"loss must be finite at w\*. Received: nan"):
        learning_coefficient(model, x * np.nan, y, **RUN)
    with pytest.raises(ValueError, match=r"must be built"):
        learning_coefficient(keras.Sequential([keras.layers.Dense(1)]), x, y, **RUN)
    bare = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"must be compiled with a loss"):
        learning_coefficient(bare, x, y, **RUN)
