"""Statistics of batch normalization: stored with a sample, or recomputed for its weights."""

import itertools

import keras
import numpy as np
import pytest

from keras_langevin import LSGD, PosteriorSamples
from keras_langevin.sampling import load
from tests.quick import JIT_COMPILE, built
from tests.sampling.cases import assert_equal_arrays, classifier, data, fit, trained, weights


def normalized(**arguments):
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(4, use_bias=False, kernel_initializer=keras.initializers.RandomNormal(seed=1), name="in"),
        keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3, **arguments),
        keras.layers.Dense(3, "softmax", kernel_initializer=keras.initializers.RandomNormal(seed=2)),
    ]
    model = keras.Sequential(layers)
    optimizer = LSGD(0.1, sigma=0.5, seed=5)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", jit_compile=JIT_COMPILE)
    return built(model)


def test_a_sample_has_the_statistics_of_its_time():
    model, samples = normalized(), PosteriorSamples(burn_in=0, max_samples=20)
    fit(model, samples, epochs=2)
    assert_equal_arrays(samples.ring.arrays(5), [np.array(keras.ops.convert_to_numpy(v)) for v in model.weights])
    means = [samples.ring.arrays(index)[3] for index in range(6)]
    assert all(np.abs(first - second).max() > 0 for first, second in itertools.pairwise(means))


@pytest.mark.parametrize("on_disk", [False, True])
def test_recomputed_statistics_are_those_of_the_batches(tmp_path, on_disk):
    model, samples = normalized(), PosteriorSamples(0, max_samples=4, directory=tmp_path if on_disk else None)
    fit(model, samples, epochs=3)
    x, _ = data()
    before = weights(model)
    stored = [samples.ring.arrays(index) for index in range(4)]
    samples.recompute_batch_norm(x, batch_size=10, verbose=0)  # 10, 10 and 4 examples
    assert_equal_arrays(weights(model), before)
    found = load(tmp_path, model).rings[0] if on_disk else samples.ring
    paths = [variable.path.split("/")[-1] for variable in model.weights]
    for index, old in enumerate(stored):
        new = dict(zip(paths, found.arrays(index), strict=False))
        hidden = x @ old[0]
        batches = [hidden[:10], hidden[10:20], hidden[20:]]
        mean = np.average([batch.mean(axis=0) for batch in batches], axis=0, weights=[10, 10, 4])
        variance = np.average([batch.var(axis=0) for batch in batches], axis=0, weights=[10, 10, 4])
        np.testing.assert_allclose(new["moving_mean"], mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(new["moving_variance"], variance, rtol=1e-4, atol=1e-5)
        for path, array, other in zip(paths, found.arrays(index), old, strict=True):
            if not path.startswith("moving"):
                np.testing.assert_array_equal(array, other)
    assert found.settings == samples.settings


def test_predictions_use_them():
    model, samples = normalized(), PosteriorSamples(0, max_samples=1)
    fit(model, samples, epochs=1)
    x, _ = data()
    samples.recompute_batch_norm(x, batch_size=24, verbose=0)
    kernel, gamma, beta, top, bias = (
        samples.ring.arrays(0)[0],
        *samples.ring.arrays(0)[1:3],
        *samples.ring.arrays(0)[-2:],
    )
    hidden = x @ kernel
    hidden = gamma * (hidden - hidden.mean(axis=0)) / np.sqrt(hidden.var(axis=0) + 1e-3) + beta
    logits = hidden @ top + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(samples.predict(x, verbose=0), expected, rtol=1e-3)


def test_what_cannot_be_recomputed():
    _, samples = trained(classifier())
    with pytest.raises(ValueError, match=r"must have BatchNormalization layers.*Received: a model without"):
        samples.recompute_batch_norm(data()[0])
    model = normalized()
    _, samples = trained(model)
    model.layers[1].momentum = 1.0
    with pytest.raises(ValueError, match=r"momentum below 1 .*Received: momentum=1.0"):
        samples.recompute_batch_norm(data()[0])
    with pytest.raises(ValueError, match="at least one sample"):
        PosteriorSamples(burn_in=0).recompute_batch_norm(data()[0])


INPUTS = np.random.default_rng(0).normal(3, 2, (64, 5, 4)).astype("float32")


def several_times(kind, momentum):
    """Returns a net that calls its BatchNormalization on parts of the inputs, and the parts in calling order."""
    inputs, layer = keras.Input((5, 4)), keras.layers.BatchNormalization(momentum=momentum)
    parts = [INPUTS[:, step] for step in range(5)]
    if kind == "time steps":
        hidden = keras.layers.TimeDistributed(layer)(inputs)
    elif kind == "shared":
        steps = [keras.layers.Lambda(lambda x, at=step: x[:, at])(inputs) for step in range(5)]
        hidden = keras.layers.Concatenate()([layer(step) for step in steps])
    else:  # "in a sub-model" that is called twice
        encoder = keras.Sequential([keras.Input((5, 4)), layer])
        noisy = keras.layers.Dropout(0.5, seed=3)(encoder(inputs))
        hidden = keras.layers.Concatenate()([noisy, encoder(keras.layers.Lambda(lambda x: 2.0 * x)(inputs))])
        parts = [INPUTS.reshape(-1, 4), 2 * INPUTS.reshape(-1, 4)]
    hidden = keras.layers.Flatten()(hidden)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(hidden))
    model.compile(LSGD(0.01, sigma=0.1, seed=0), loss="sparse_categorical_crossentropy", jit_compile=JIT_COMPILE)
    return built(model), parts


@pytest.mark.parametrize("momentum", [0.5, 0.99])
@pytest.mark.parametrize("kind", ["time steps", "shared", "in a sub-model"])
def test_a_layer_that_is_called_several_times(kind, momentum):
    """The statistics converge to the average in which call j of k has the weight momentum^(k − j)."""
    model, parts = several_times(kind, momentum)
    samples = PosteriorSamples(burn_in=0, max_samples=2)
    fit(model, samples, epochs=1, x=INPUTS, y=np.arange(64) % 3)
    samples.recompute_batch_norm(INPUTS, batch_size=64, verbose=0)
    weights_of_calls = momentum ** np.arange(len(parts) - 1, -1, -1)
    for index in range(2):
        found = {
            variable.path.split("/")[-1]: array
            for variable, array in zip(model.weights, samples.ring.arrays(index), strict=True)
        }
        for name, statistic in (("moving_mean", np.mean), ("moving_variance", np.var)):
            wanted = np.average([statistic(part, axis=0) for part in parts], axis=0, weights=weights_of_calls)
            np.testing.assert_allclose(found[name], wanted, rtol=1e-3)


def test_a_layer_that_is_not_called_keeps_its_statistics():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.norm, self.unused = (keras.layers.BatchNormalization(momentum=0.9) for _ in range(2))
            self.top = keras.layers.Dense(3, "softmax")
            self.unused.build((None, 3))

        def call(self, x, training=None):
            return self.top(self.norm(x, training=training))

    model = Net()
    model(data()[0])
    model.unused.moving_variance.assign([2.0, 3.0, 4.0])
    model.compile(LSGD(0.1, sigma=0.1, seed=0), loss="sparse_categorical_crossentropy", jit_compile=JIT_COMPILE)
    samples = PosteriorSamples(burn_in=0, max_samples=1)
    fit(built(model), samples, epochs=1)
    samples.recompute_batch_norm(data()[0], batch_size=24, verbose=0)
    found = {id(variable): array for variable, array in zip(model.weights, samples.ring.arrays(0), strict=True)}
    np.testing.assert_array_equal(found[id(model.unused.moving_variance)], [2.0, 3.0, 4.0])
    np.testing.assert_allclose(found[id(model.norm.moving_variance)], data()[0].var(axis=0), rtol=1e-4)


@pytest.mark.parametrize("row", [0, 20])
def test_nan_replaces_no_statistics(row):
    model, samples = normalized(), PosteriorSamples(0, max_samples=2)
    fit(model, samples, epochs=1)
    before = [samples.ring.arrays(index) for index in range(2)]
    x = data()[0].copy()
    x[row] = np.nan
    with pytest.raises(ValueError, match=r"statistics of batch normalization must be finite. Received: NaN"):
        samples.recompute_batch_norm(x, batch_size=8, verbose=0)
    for index in range(2):
        assert_equal_arrays(samples.ring.arrays(index), before[index])
