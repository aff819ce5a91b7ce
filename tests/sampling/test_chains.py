"""Several chains and their diagnostics."""

import itertools
import sys

import keras
import numpy as np
import pytest
from scipy import stats

from keras_langevin import LSGD, SGHMC, CyclicalLangevin, GaussianPrior, posterior_sigma, run_chains
from keras_langevin.sampling import Chains, load
from keras_langevin.sampling.chains import chain_seed
from tests.quick import JIT_COMPILE
from tests.sampling.cases import assert_equal_arrays, classifier, data
from tests.sampling.test_posterior import FullBatch

SIZE = 50
X = np.linspace(-1, 1, SIZE)[:, None].astype("float32")
RUN = {"burn_in": 100, "thinning": 10, "max_samples": 40, "verbose": 0, "shuffle": False}
UPDATES = FullBatch(X, 2 * X, 500)


def line(seed, start=None):
    """Returns a model with a Gaussian posterior; the chains relax in about 7 updates."""
    initializer = keras.initializers.RandomNormal(seed=seed) if start is None else keras.initializers.Constant(start)
    layer = keras.layers.Dense(
        1, use_bias=False, kernel_initializer=initializer, kernel_regularizer=GaussianPrior(10.0, SIZE), name="line"
    )
    model = keras.Sequential([keras.Input((1,)), layer], name="model")
    model.compile(LSGD(0.2, sigma=posterior_sigma(SIZE)), loss="mse", jit_compile=JIT_COMPILE)
    return model


@pytest.fixture(scope="module")
def chains():
    return run_chains(line, 3, UPDATES, **RUN)


def test_each_chain_has_its_seed_and_its_draws(chains):
    seeds = [{settings["seed"] for settings in of_chain.settings} for of_chain in chains.samples]
    assert seeds == [{chain_seed(0, number)} for number in range(3)]
    draws = chains.draws()
    assert list(draws) == ["model/line/kernel"] and draws["model/line/kernel"].shape == (3, 40, 1, 1)
    np.testing.assert_array_equal(draws["model/line/kernel"][1, 7], chains.samples[1].ring.arrays(7)[0])
    first, second, third = draws["model/line/kernel"][..., 0, 0]
    assert not np.isin(first, second).any() and not np.isin(second, third).any()


def test_chains_of_neighbouring_seeds_have_nothing_in_common(tmp_path):
    """They share neither initial weights nor noise, the only random numbers of these chains."""
    seen = []

    def build(seed):
        seen.append(seed)
        return line(seed)

    run = RUN | {"burn_in": 0, "max_samples": 5, "directory": tmp_path}
    first = run_chains(build, 3, FullBatch(X, 2 * X, 20), seed=0, **run)
    with pytest.raises(ValueError, match=r"hold chains of seed=1. Received: .*chain-0.*another chain"):
        run_chains(build, 3, FullBatch(X, 2 * X, 20), seed=1, **run)
    second = run_chains(build, 3, FullBatch(X, 2 * X, 20), seed=1, **(run | {"directory": None}))
    assert len(set(seen)) == 6 and all(0 <= seed < 2**24 for seed in seen)
    values = [chains.draws()["model/line/kernel"].ravel() for chains in (first, second)]
    assert not np.isin(*values).any()
    with pytest.raises(ValueError, match=r"`seed` must be an int >= 0. Received: seed=-1"):
        run_chains(build, 3, UPDATES, seed=-1, **RUN)


def test_chains_that_are_run_again_are_the_same_and_with_other_data_are_refused(tmp_path):
    run = RUN | {"burn_in": 0, "max_samples": 5, "directory": tmp_path}
    first = run_chains(line, 2, FullBatch(X, 2 * X, 20), **run)
    again = run_chains(line, 2, FullBatch(X, 2 * X, 20), **run)
    np.testing.assert_array_equal(again.draws()["model/line/kernel"], first.draws()["model/line/kernel"])
    with pytest.raises(
        ValueError, match=r"must reach the samples in .*chain-0 again. Received: other weights after update"
    ):
        run_chains(line, 2, FullBatch(X, -2 * X, 20), **run)
    np.testing.assert_array_equal(again.draws()["model/line/kernel"], first.draws()["model/line/kernel"])


def test_function_values_are_the_predictions(chains):
    probe = np.array([[0.5], [1.0]], "float32")
    draws = chains.draws(x=probe)
    assert list(draws) == ["output"] and draws["output"].shape == (3, 40, 2, 1)
    kernels = chains.draws()["model/line/kernel"]
    np.testing.assert_allclose(draws["output"][..., 1, 0], kernels[..., 0, 0], rtol=1e-5)
    mean = chains.predict(probe, outputs="values", verbose=0).mean
    np.testing.assert_allclose(mean, draws["output"].mean(axis=(0, 1)), rtol=1e-5)
    assert len(chains) == 120


@pytest.mark.ci
def test_the_same_seeds_give_the_same_chains_and_a_directory_keeps_them(chains, tmp_path):
    again = run_chains(line, 2, UPDATES, directory=tmp_path, **RUN)
    found = [load(tmp_path / f"chain-{number}", line(0)) for number in range(2)]
    expected = chains.draws()["model/line/kernel"][:2]
    np.testing.assert_array_equal(again.draws()["model/line/kernel"], expected)
    np.testing.assert_array_equal(Chains(line(0), found).draws()["model/line/kernel"], expected)


def test_r_hat_and_effective_sizes_are_those_of_good_chains(chains):
    """The draws are ten updates apart and nearly independent. The tolerance is 4 standard errors of arviz's estimates,
    measured on independent numbers of the same shape."""
    arviz = pytest.importorskip("arviz")
    summary = chains.summary()
    assert list(summary.columns) == ["mean", "sd", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat"]
    row = summary.iloc[0]
    independent = np.random.default_rng(0).normal(size=(3, 40, 200))
    data_ = arviz.convert_to_dataset(independent)
    for name, found in (
        ("r_hat", arviz.rhat(data_)),
        ("ess_bulk", arviz.ess(data_)),
        ("ess_tail", arviz.ess(data_, method="tail")),
    ):
        values = found["x"].values
        assert abs(row[name] - values.mean()) < 5 * values.std(), name
    # "mse" is −log p for observations with variance 1/2
    precision = 2 * (X**2).sum() + 1 / 100
    assert abs(row["mean"] - 4 * (X**2).sum() / precision) < 5 * row["mcse_mean"]
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], df=60) / 60
    assert low < row["sd"] ** 2 * precision < high * 1.1


def test_chains_that_have_not_met_are_seen():
    pytest.importorskip("arviz")
    few = RUN | {"burn_in": 0, "thinning": 1}
    starts = itertools.count()
    apart = run_chains(lambda seed: line(seed, start=20.0 * next(starts)), 3, FullBatch(X, 2 * X, 20), **few)
    assert apart.summary()["r_hat"].iloc[0] > 1.5


def test_autocorrelation(chains):
    pytest.importorskip("arviz")
    found = chains.autocorrelation()["model/line/kernel"]
    assert found.shape == (3, 40, 1, 1)
    np.testing.assert_allclose(found[:, 0], 1)
    series = chains.draws()["model/line/kernel"][0, :, 0, 0]
    centred = series - series.mean()
    np.testing.assert_allclose(found[0, 1, 0, 0], (centred[1:] * centred[:-1]).sum() / (centred**2).sum(), atol=1e-6)


def test_trace_plot(chains):
    pytest.importorskip("arviz")
    import matplotlib.pyplot as plt

    axes = chains.plot_trace(x=X[:2])
    assert axes.shape == (2, 2)
    traces = [line_ for line_ in axes[0, 1].get_lines() if len(line_.get_ydata()) == 40]
    assert len(traces) == 3
    np.testing.assert_allclose(traces[0].get_ydata(), chains.draws(x=X[:2])["output"][0, :, 0, 0], rtol=1e-5)
    plt.close("all")


def test_callbacks_are_made_for_each_chain():
    made = []

    def callbacks():
        made.append(keras.callbacks.History())
        return [made[-1]]

    run_chains(line, 2, FullBatch(X, X, 5), burn_in=0, verbose=0, callbacks=callbacks)
    assert len(made) == 2 and all(len(history.history["loss"]) == 1 for history in made)


def test_a_callback_of_each_chain_may_say_when():
    """Each chain has its own two cycles of six steps, with noise in the last three."""
    run = {"burn_in": 0, "when": "callback", "verbose": 0}
    chains = run_chains(line, 2, FullBatch(X, X, 12), callbacks=lambda: [CyclicalLangevin(2)], **run)
    for of_chain in chains.samples:
        assert [settings["iteration"] for settings in of_chain.settings] == [4, 5, 6, 10, 11, 12]
        assert [settings["sigma"] for settings in of_chain.settings] == pytest.approx([posterior_sigma(SIZE)] * 6)
    with pytest.raises(ValueError, match=r"must have an attribute `is_sampling`. Received: 0 such"):
        run_chains(line, 2, UPDATES, **run)


def test_without_arviz_the_error_says_what_to_install(chains, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(ImportError, match=r'need arviz.*pip install "keras-langevin\[sampling\]"'):
        chains.summary()
    assert chains.draws()


def test_bad_input(chains):
    x, y = data()
    with pytest.raises(ValueError, match=r"`num_chains` must be an int >= 2. Received: num_chains=1"):
        run_chains(line, 1, UPDATES, **RUN)
    with pytest.raises(ValueError, match=r"`build_model` must be a function"):
        run_chains(line(0), 2, UPDATES, **RUN)
    with pytest.raises(ValueError, match=r"with a Langevin optimizer. Received: the optimizer SGD"):
        run_chains(lambda seed: classifier(optimizer="sgd"), 2, x, y, burn_in=0)
    with pytest.raises(ValueError, match=r"`burn_in`"):
        run_chains(line, 2, UPDATES, burn_in=-1)
    with pytest.raises(ValueError, match=r"match paths.*Received: 'nothing', which matches none of model/line/kernel"):
        chains.draws(weights="nothing")
    uneven = Chains(line(0), [chains.samples[0], run_chains(line, 2, FullBatch(X, X, 3), burn_in=0, verbose=0)])
    with pytest.raises(ValueError, match=r"same number of samples. Received: \[40, 3, 3\]"):
        uneven.draws()
    assert_equal_arrays([chains.draws()["model/line/kernel"].shape], [(3, 40, 1, 1)])


ARRAYS = {"burn_in": 25, "thinning": 10, "max_samples": 40, "batch_size": 25, "epochs": 60, "verbose": 0}


def net(seed, optimizer=LSGD):
    """Returns a net with dropout, whose masks also differ between chains."""
    kernel = keras.initializers.RandomNormal(seed=seed)
    layers = [keras.layers.Dense(4, "tanh", kernel_initializer=kernel, name="hidden")]
    layers += [keras.layers.Dropout(0.2, seed=seed), keras.layers.Dense(1, kernel_initializer=kernel, name="last")]
    model = keras.Sequential([keras.Input((1,)), *layers], name="model")
    model.compile(optimizer(0.02, sigma=posterior_sigma(SIZE)), loss="mse", metrics=["mae"], jit_compile=JIT_COMPILE)
    return model


@pytest.mark.ci
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="chains run at once only on JAX")
def test_chains_at_once_are_those_one_after_another(tmp_path):
    """Equal up to rounding: 120 updates of 25 examples, 9 samples per chain. Also resumes from a directory."""
    plain = run_chains(net, 3, X, 2 * X, shuffle=False, **ARRAYS)
    for _ in range(2):
        together = run_chains(net, 3, X, 2 * X, shuffle=False, vectorized=True, directory=tmp_path, **ARRAYS)
        assert [settings["iteration"] for settings in together.settings] == list(range(35, 121, 10)) * 3
        assert [settings["seed"] for settings in together.settings] == [s["seed"] for s in plain.settings]
        for path, expected in plain.draws().items():
            np.testing.assert_allclose(together.draws()[path], expected, rtol=1e-3, atol=1e-4, err_msg=path)
    ensemble = load(tmp_path, net(0))
    np.testing.assert_array_equal(ensemble.rings[2].arrays(8)[0], together.rings[2].arrays(8)[0])


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="chains run at once only on JAX")
def test_chains_at_once_have_their_own_orders_of_batches():
    """Without noise, from equal weights, only the orders differ. Each epoch contains all examples."""
    from keras_langevin.sampling.together import _batches

    first, again, other = (_batches(6, 2, seed, True) for seed in (1, 1, 2))
    orders = [np.concatenate(list(itertools.islice(each, 6))) for each in (first, again, other)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any() and (orders[0][:6] != orders[0][6:]).any()
    np.testing.assert_array_equal(np.sort(orders[0].reshape(2, 6)), [range(6)] * 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"callbacks": list}, "needs JAX, and no other callbacks"),
        ({"when": "callback"}, "needs JAX, and no other callbacks"),
        ({"validation_split": 0.1}, r"`fit` takes epochs, batch_size, shuffle, verbose. Received: validation_split"),
        ({"batch_size": 20}, r"a multiple of `batch_size`. Received: arrays of shapes \[\(50, 1\), \(50, 1\)\]"),
        ({"x": UPDATES, "y": None}, r"Received: arrays of shapes \[\(\), \(\)\]"),
        (
            {"build_model": lambda seed: net(seed, LSGD if seed == chain_seed(0, 0) else SGHMC)},
            r"in chain 1 other weights; class_name='LSGD' there",
        ),
        (
            {"build_model": lambda seed: line(seed) if seed == chain_seed(0, 0) else net(seed)},
            "in chain 1 other weights; noisy=",
        ),
    ],
)
def test_what_cannot_be_trained_at_once_is_refused(change, message):
    if keras.backend.backend() != "jax":
        message = "needs JAX.*Received: the backend (torch|tensorflow)"
    run = {"build_model": net, "num_chains": 2, "x": X, "y": 2 * X, "vectorized": True} | ARRAYS | change
    with pytest.raises(ValueError, match=message):
        run_chains(**run)
