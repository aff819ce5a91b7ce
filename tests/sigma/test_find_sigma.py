"""`find_sigma`: what it suggests, that it restores the model, and its errors."""

import functools
import random

import keras
import numpy as np
import pytest
from keras import ops

import keras_langevin
from keras_langevin import LSGD, LAdadelta, LAdam, LRMSprop, datasets, find_sigma, models, without_noise
from keras_langevin.sigma import finding
from tests.callbacks.models import CountedLoss, eager_model, examples, policy, small_model
from tests.optimizers.cases import BACKEND, of_each_kind
from tests.quick import EAGERLY, LONG_ON_TENSORFLOW, built
from tests.real_data import FOLDER, needs_mnist

pytestmark = LONG_ON_TENSORFLOW

X, Y = examples(steps=12, batch=8)


@functools.cache
def compiled():
    """A model that many tests share, because a search restores it."""
    return built(eager_model(LAdam(1e-2, sigma=1e-3, seed=0)))


def search(model, x=X, y=Y, **arguments):
    return find_sigma(model, x, y, **{"batch_size": 8, "verbose": 0, "num_sigmas": 8} | arguments)


def everything(model) -> dict[str, np.ndarray]:
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return {f"{v.path} {id(v)}": np.array(ops.convert_to_numpy(v)) for v in variables}


def assert_same(before, after):
    assert before.keys() <= after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(value, after[name], err_msg=name, strict=True)


def net_with_states(optimizer, **arguments):
    """Returns a net with moving statistics and its own random generators."""
    layers = [keras.layers.Dense(6, "relu"), keras.layers.BatchNormalization(), keras.layers.Dropout(0.3, seed=7)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2)])
    model.compile(optimizer, loss="mse", metrics=["mae"], run_eagerly=EAGERLY, **arguments)
    return model


# --- it restores the model --------------------------------------------------------------------------------------------


def test_it_leaves_no_trace():
    model = net_with_states(LAdam(1e-2, sigma=3e-3, seed=5))
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    before, states = everything(model), (random.getstate(), np.random.get_state()[1].copy())
    search(model)
    assert_same(before, everything(model))
    assert states[0] == random.getstate() and (states[1] == np.random.get_state()[1]).all()
    assert model.optimizer.sigma == np.float32(3e-3)


def test_a_fit_after_it_is_the_fit_without_it():
    found = []
    for with_search in (False, True):
        keras.utils.set_random_seed(3)
        model = net_with_states(LAdam(1e-2, sigma=1e-3, seed=5))
        if with_search:
            search(model)
        found.append(model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history)
    assert found[0] == found[1]


@keras.saving.register_keras_serializable(package="tests")
class UnseededNoise(keras.layers.Layer):
    """Draws from Keras's global generator, which is used without a seed."""

    def call(self, x):
        return x + keras.random.normal(ops.shape(x))


@pytest.mark.skipif(BACKEND == "jax", reason="Keras refuses such a layer on JAX")
@pytest.mark.parametrize("drawn", [False, True], ids=["not drawn from before", "drawn from before"])
def test_draws_without_a_seed(drawn):
    """The search does not change them, and they are the same in each trial."""
    found = []
    for with_search in (False, True):
        keras.utils.set_random_seed(3)
        if drawn:
            keras.random.normal((1,))
        model = keras.Sequential([keras.Input((4,)), UnseededNoise(), keras.layers.Dense(2)])
        model.compile(LAdam(1e-2, sigma=1e-3, seed=5), loss="mse", run_eagerly=True)
        if with_search:
            first, again = (search(model, sigmas=[1e-9, 2e-9]) for _ in range(2))
            np.testing.assert_array_equal(first.losses, again.losses)
            np.testing.assert_allclose(first.losses, first.loss_without_noise, rtol=1e-5)
        found.append(model.fit(X, Y, batch_size=8, shuffle=False, verbose=0).history)
    assert found[0] == found[1]


@pytest.mark.parametrize(("error", "at"), [(KeyboardInterrupt, 25), (RuntimeError, 3)])
def test_an_interrupt_leaves_no_trace(monkeypatch, error, at):
    model = net_with_states(LAdam(1e-2, sigma=3e-3, seed=5))
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    before, calls = everything(model), iter(range(1000))
    train_function = model.train_function

    def interrupted(*arguments):
        result = train_function(*arguments)
        if next(calls) == at:
            raise error
        return result

    model.train_function = interrupted
    with pytest.raises(error):
        search(model)
    model.train_function = train_function
    assert_same(before, everything(model))
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    assert number_of_updates(model) == 24


def number_of_updates(model) -> int:
    return int(ops.convert_to_numpy(model.optimizer.iterations))


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch does not trace")
def test_it_traces_the_step_once_and_fit_not_again():
    loss = CountedLoss()
    model = small_model(LAdam(1e-2, seed=0), loss=loss)
    model.optimizer.build(model.trainable_variables)
    search(model)
    traces = loss.count
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    assert 0 < loss.count <= traces + 1  # on TensorFlow, one more for `fit`'s own data
    plain = CountedLoss()
    other = small_model(LAdam(1e-2, seed=0), loss=plain)
    other.optimizer.build(other.trainable_variables)
    other.train_on_batch(X[:8], Y[:8])
    assert traces == plain.count


# --- what it suggests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", of_each_kind())
def test_every_optimizer(case):
    model = eager_model(case.make(seed=0))
    found = search(model)
    assert 0 < found.sigma < found.sigmas.max()
    below = found.losses[found.sigmas <= found.sigma * 3]
    assert (below <= found.allowed_loss).all()
    assert len(found.sigmas) == len(found.losses) == len(found.noise_to_drift) <= 8
    assert (np.diff(found.sigmas) > 0).all() and found.num_updates == 10
    ratios = found.noise_to_drift[np.isfinite(found.noise_to_drift)]
    assert len(ratios) and (ratios > 0).all()
    assert found.reason.startswith(f"sigma={found.sigma:.2g}: ")


def test_what_does_harm_is_a_size_of_noise_and_not_a_level():
    """The noise of a step is σ√γ, so a hundredth of the learning rate tolerates ten times the level."""
    found = [search(eager_model(LSGD(rate, seed=0)), num_sigmas=12) for rate in (1e-5, 1e-7)]
    harm = [result.sigmas[result.losses > result.allowed_loss].min() for result in found]
    assert harm[1] / harm[0] == pytest.approx(10, rel=0.4)  # within the grid of the search


def test_a_law_that_is_known():
    """For V = Σθ²/2 over d weights the noise adds dσ²/4 in the long run, at any σ."""
    d = 400
    model = keras.Sequential([keras.Input((d,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    kernel = model.trainable_variables[0]
    loss = lambda y, prediction: 0 * prediction[:, 0] + ops.sum(ops.square(kernel)) / 2  # noqa: E731
    model.compile(LSGD(0.1, seed=0), loss=loss, run_eagerly=EAGERLY)
    x = np.zeros((64, d), "float32")
    found = search(model, x, x[:, 0], epochs=100)
    by_law = 2 * np.sqrt(0.005 * (d / 2) / d)
    assert found.sigma >= 0.99 * by_law
    model.optimizer.sigma = found.sigma
    model.fit(x, x[:, 0], batch_size=8, epochs=20, verbose=0)
    losses = [model.train_on_batch(x[:8], x[:8, 0], return_dict=True)["loss"] for _ in range(60)]
    assert np.mean(losses) == pytest.approx(d * found.sigma**2 / 4, rel=0.2)


def test_more_epochs_ask_for_less_noise():
    short, long = (search(eager_model(LAdadelta(0.1, seed=0)), epochs=epochs) for epochs in (1, 100))
    assert long.sigma < short.sigma
    np.testing.assert_array_equal(long.losses, short.losses)


def test_given_levels():
    found = search(compiled(), sigmas=[1e-3, 1e-4, 1e6])
    assert found.sigmas.tolist() == [1e-4, 1e-3, 1e6]
    assert found.losses[-1] > found.allowed_loss and found.sigma <= 1e-1
    only_harm = search(compiled(), sigmas=[1e5, 1e6])
    assert "the smallest that was tried" in only_harm.reason and only_harm.sigma < 1e5
    no_harm = search(compiled(), sigmas=[1e-8, 1e-7])
    assert "the largest that was tried" in no_harm.reason and no_harm.sigma <= 1e-7


def test_fewer_noisy_layers_bear_more():
    every, first = (search(eager_model(LAdam(1e-2, seed=0, layers=layers)), epochs=10_000) for layers in (None, 1))
    assert first.sigma > every.sigma


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(precision):
    with policy(precision):
        model = eager_model(LAdam(1e-2, sigma=1e-3, seed=0))
        model.optimizer.build(model.trainable_variables)
        before = everything(model)
        found = search(model)
    assert found.sigma > 0
    assert_same(before, everything(model))


def test_gradient_accumulation():
    model = eager_model(LAdam(1e-2, seed=0, gradient_accumulation_steps=3))
    found = search(model)
    assert found.num_updates == 10 and np.isfinite(found.noise_to_drift).any()
    assert number_of_updates(model) == 0


@pytest.mark.skipif(BACKEND == "torch", reason="on PyTorch Keras accepts only 1")
def test_steps_per_execution():
    plain, several = (search(small_model(LAdam(1e-2, seed=0), steps_per_execution=n)) for n in (1, 3))
    np.testing.assert_allclose(several.losses, plain.losses, rtol=1e-5)


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        rows = slice(8 * index, 8 * index + 8)
        return X[rows], Y[rows]


def test_kinds_of_data():
    model = compiled()
    assert search(model, Sequence(), None).sigma > 0
    assert search(model, ops.convert_to_tensor(X), ops.convert_to_tensor(Y)).sigma > 0
    weighted = search(model, X.astype("float64"), Y, sample_weight=np.full(len(X), 2.0))
    assert weighted.loss_at_start == pytest.approx(2 * search(model).loss_at_start, rel=1e-5)


def test_a_dataset():
    if BACKEND == "torch":
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        data = DataLoader(TensorDataset(*map(ops.convert_to_tensor, (X, Y))), batch_size=8, shuffle=True)
        state = torch.get_rng_state
    else:
        data = pytest.importorskip("tensorflow").data.Dataset.from_tensor_slices((X, Y)).batch(8)
        state = lambda: np.zeros(1)  # noqa: E731
    model = compiled()
    before = state()
    assert search(model, data, None).sigma > 0
    assert (before == state()).all()  # a `DataLoader` that shuffles draws from it


def test_the_bar(capsys):
    search(compiled(), verbose=1)
    out = capsys.readouterr().out
    assert "110/110" in out and "sigma" in out and "loss" in out
    search(compiled(), verbose=0)
    assert capsys.readouterr().out == ""


def test_it_shows_itself():
    found = search(compiled())
    ax = found.plot()
    assert ax.get_xscale() == "log" and len(ax.figure.axes) == 2
    assert 'src="data:image/png;base64,' in found._repr_html_()
    assert found.reason in repr(found)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_what_is_refused():
    bare = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"compiled with a Langevin optimizer\. Received the optimizer None\. Compile"):
        search(bare)
    with pytest.raises(ValueError, match=r"compiled with a Langevin optimizer\. Received.*Adam.*Compile"):
        search(eager_model(without_noise(LAdam(1e-2))))
    schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, 10, 0.5)
    with pytest.raises(ValueError, match=r"`sigma` must be a float\. Received.*ExponentialDecay.*Compile"):
        search(eager_model(LAdam(1e-2, sigma=schedule)))
    with pytest.raises(ValueError, match=r"noisy layers\. Received: layers=0, which chooses none. Choose"):
        search(eager_model(LAdam(1e-2, layers=0)))
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    unbuilt.compile(LAdam(1e-2), loss="mse")
    with pytest.raises(ValueError, match=r"weights exist.*Received a model that is not built.*Start it"):
        search(unbuilt)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X[:0], "y": Y[:0]}, "`x` must have at least one example. Received: none. Pass"),
        ({"x": None}, "`x` must be arrays.*Received: none. Pass"),
        ({"x": iter([(X, Y)])}, "`x` must be arrays.*Received: a generator.*Pass"),
        ({"sigmas": []}, r"`sigmas` must be finite floats > 0. Received: sigmas=\[\]. Give"),
        ({"sigmas": [0.0, 1.0]}, "`sigmas` must be finite floats > 0.*Give"),
        ({"sigmas": 1.0}, "`sigmas` must be finite floats > 0.*Give"),
        ({"epochs": 0}, "`epochs`.*must be an int >= 1. Received: epochs=0. Give"),
        ({"num_sigmas": 1}, "`num_sigmas`.*must be an int >= 2. Received"),
        ({"batch_size": 0}, "`batch_size` must be an int >= 1. Received"),
        ({"x": np.full_like(X, np.nan)}, "The loss must be finite without noise. Received: inf.*Lower"),
    ],
)
def test_arguments(arguments, message):
    model = compiled()
    before = everything(model)
    with pytest.raises(ValueError, match=message):
        search(model, **arguments)
    assert_same(before, everything(model))


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has no MultiOptimizer")
def test_several_langevin_optimizers_are_refused():
    model = eager_model(LAdam(1e-2))
    parts = [LAdam(1e-2), LSGD(1e-2)]
    default, kernels = parts
    chosen = keras.optimizers.OptimizerMap(default, {"kernel": kernels})
    model.compile(keras.optimizers.MultiOptimizer(chosen), loss="mse")
    with pytest.raises(ValueError, match=r"Received: a `MultiOptimizer` with 2\. For the search, compile"):
        search(model)


def test_public_name():
    assert keras_langevin.find_sigma is finding.find_sigma


@pytest.mark.parametrize(("later", "of_law"), [(2.3, 4.0), (2.2, 4.0), (2.1, 1.0), (1.0, 1.0)])
def test_only_a_net_that_does_not_learn_gets_more_than_the_law(later, of_law):
    """Its loss without noise starts at 2.3. The law allows 1e-3, and the trials four times that."""
    harm = 1.5 * np.sqrt(100) * 4e-3
    without = finding.Trial(0.0, 2.3, 0.0, 2.3, later)
    trials = [finding.Trial(sigma, loss, 1.0, 2.3) for sigma, loss in ((0.99 * harm, 2.3), (harm, 9.0))]
    numbers = {"updates": 10, "of_training": 1000, "num_noisy": 1}
    found = finding._result([without, *trials], without, 2.4, 1e-3, 0.02, **numbers)
    assert found.sigma == pytest.approx(of_law * 1e-3, rel=0.01)


def test_the_trial_without_noise_is_longer(monkeypatch):
    model, kept, result = eager_model(LAdam(1e-2, seed=0)), [], finding._result
    monkeypatch.setattr(finding, "_result", lambda done, *rest: kept.append(done[0]) or result(done, *rest))
    search(model)
    model.optimizer.sigma = 0.0
    some = finding.batches.take(X, Y, None, 8, 30)
    losses = [float(model.train_on_batch(x, y, return_dict=True)["loss"]) for x, y, _ in some]
    (without,) = kept
    assert without.loss == pytest.approx(np.mean(losses[5:10]), rel=1e-5)
    assert without.later == pytest.approx(np.mean(losses[20:30]), rel=1e-5)


@needs_mnist
@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("depth", [30, 40])
def test_it_suggests_enough_noise_for_keras_rmsprop(depth):
    """σ = 1e-3 stops a net of 30 layers (results/kernels-rmsprop), 5e-3 trains 30 and 40 (results/rmsprop-noise)."""
    data = datasets.load("mnist", data_dir=FOLDER)
    model = models.build(f"dense-{depth}", data.input_shape, data.num_classes)
    model.compile(LRMSprop(1e-3, seed=0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert 2.5e-3 < find_sigma(model, *data.train, batch_size=512, epochs=8, verbose=0).sigma < 1e-2
