"""Statistics of batch normalization: stored with a sample, or computed anew for its weights."""

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
