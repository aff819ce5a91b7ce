"""SWAG's moments and samples, deep ensembles, samples of some layers, and their files."""

import keras
import numpy as np
import pytest

from keras_langevin import LSGD, PosteriorSamples
from keras_langevin.sampling import SWAG, Ensemble, load
from tests.quick import JIT_COMPILE, LONG_ON_TENSORFLOW
from tests.sampling.cases import (
    assert_equal_arrays,
    classifier,
    data,
    fit,
    iterations,
    sample_arrays,
    trained,
    weights,
)

pytestmark = LONG_ON_TENSORFLOW
X, Y = data()


def plain():
    return classifier(optimizer=keras.optimizers.SGD(0.5))


def every_weight(epochs=4):
    """Returns the weights after each update, of shape `(num_updates, num_weights)`."""
    samples = fit(plain(), PosteriorSamples(burn_in=0, max_samples=100), epochs=epochs)
    return [sample_arrays(samples)[update] for update in iterations(samples)]


def test_samples_are_of_the_gaussian_of_the_definition():
    """Compares mean and covariance of many samples with the formula over all weights."""
    rank, count = 4, 600
    swag = fit(plain(), SWAG(burn_in=2, thinning=1, rank=rank, num_samples=count))
    flat = np.array([np.concatenate([array.ravel() for array in arrays]) for arrays in every_weight()[2:]], float)
    means = np.cumsum(flat, axis=0) / np.arange(1, len(flat) + 1)[:, None]
    deviations = (flat - means)[-rank:]
    covariance = (np.diag(flat.var(axis=0)) + deviations.T @ deviations / (rank - 1)) / 2
    found = np.array([np.concatenate([array.ravel() for array in swag.ring.arrays(i)]) for i in range(count)], float)
    np.testing.assert_array_less(
        np.abs(found.mean(axis=0) - flat.mean(axis=0)), 5 * np.sqrt(np.diag(covariance) / count) + 1e-6
    )
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.abs((np.cov(found.T) - covariance) / scale).max() < 5 * np.sqrt(2 / count)


def test_with_scale_zero_it_is_weight_averaging():
    swag = fit(plain(), SWAG(burn_in=2, thinning=2, num_samples=2, scale=0.0))
    mean = [np.mean(arrays, axis=0) for arrays in zip(*every_weight()[3::2], strict=True)]
    for number in range(2):
        for found, expected in zip(swag.ring.arrays(number), mean, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_moving_statistics_are_averaged_and_can_be_recomputed():
    layers = [keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy", jit_compile=JIT_COMPILE)
    swag = fit(model, SWAG(burn_in=2, num_samples=3))
    statistics = [swag.ring.arrays(number)[2] for number in range(3)]
    assert_equal_arrays(statistics[1:], statistics[:-1])
    swag.recompute_batch_norm(X, batch_size=8, verbose=0)
    np.testing.assert_allclose(swag.ring.arrays(0)[2], X.mean(axis=0), rtol=1e-3, atol=1e-4)
    assert swag.evaluate(X, Y, verbose=0)["nll"] > 0


def test_a_fit_that_is_resumed_has_the_same_moments(tmp_path):
    """Resumes from the folder with another object; counted updates are not counted again."""
    whole = fit(plain(), SWAG(burn_in=2, rank=3, num_samples=4))
    model = plain()
    fit(model, SWAG(burn_in=2, rank=3, num_samples=4, directory=tmp_path), epochs=2)
    again = fit(model, SWAG(burn_in=2, rank=3, num_samples=4, directory=tmp_path), epochs=2)
    assert again.count == whole.count == 10
    for number in range(4):
        for array, other in zip(again.ring.arrays(number), whole.ring.arrays(number), strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(load(tmp_path, plain()).predict(X, verbose=0), again.predict(X, verbose=0), rtol=1e-5)


def test_what_swag_refuses():
    for arguments, message in (
        ({"rank": 1}, r"`rank`.*int >= 2. Received: rank=1"),
        ({"num_samples": 0}, r"`num_samples`.*int >= 1"),
        ({"scale": -1.0}, r"`scale` must be a finite float >= 0. Received: scale=-1.0"),
        ({"seed": -1}, r"`seed` must be an int >= 0"),
    ):
        with pytest.raises(ValueError, match=message):
            SWAG(0, **arguments)
    with pytest.raises(ValueError, match=r"weights of at least two updates. Received: 1 with burn_in=2"):
        fit(plain(), SWAG(burn_in=2), epochs=1)


# --- ensembles --------------------------------------------------------------------------------------------------------


def models(count=3):
    found = []
    for number in range(count):
        model = classifier()
        model.set_weights([array + 0.1 * number for array in model.get_weights()])
        found.append(model)
    return found


def test_a_deep_ensemble_averages_its_models(tmp_path):
    members = models()
    ensemble = Ensemble.of(members)
    expected = np.mean([model.predict(X, verbose=0) for model in members], axis=0)
    np.testing.assert_allclose(ensemble.predict(X, verbose=0), expected, rtol=1e-5)
    assert len(ensemble) == 3 and ensemble.mutual_information(X, verbose=0).max() > 0
    ensemble.save(tmp_path / "saved")
    np.testing.assert_allclose(load(tmp_path / "saved", members[1]).predict(X, verbose=0), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"folder without samples. Received: .*saved"):
        ensemble.save(tmp_path / "saved")
    before = weights(members[0])
    members[0].set_weights([0 * array for array in members[0].get_weights()])  # the ensemble keeps copies
    np.testing.assert_allclose(ensemble.predict(X, verbose=0), expected, rtol=1e-5)
    assert any(array.any() for array in before)


def test_an_ensemble_of_ensembles_is_multiswag(tmp_path):
    swags = [fit(plain(), SWAG(burn_in=2, num_samples=3, seed=seed)) for seed in (0, 1)]
    ensemble = Ensemble.of(swags)
    assert len(ensemble) == 6 and len(ensemble.rings) == 2
    expected = np.mean([swag.predict(X, verbose=0) for swag in swags], axis=0)
    np.testing.assert_allclose(ensemble.predict(X, verbose=0), expected, rtol=1e-5)
    ensemble.save(tmp_path)
    again = load(tmp_path, plain())
    assert len(again.rings) == 2 and again.settings == ensemble.settings
    np.testing.assert_allclose(again.predict(X, verbose=0), expected, rtol=1e-5)


def test_members_that_do_not_go_together():
    for members in ([], [classifier(), "model"], [classifier(), SWAG(0)]):
        with pytest.raises(ValueError, match=r"list of models, or a list of ensembles. Received: "):
            Ensemble.of(members)
    with pytest.raises(ValueError, match=r"must be of a model with the 4 weights"):
        Ensemble.of([classifier(), classifier(units=5)])


# --- samples of some layers -------------------------------------------------------------------------------------------


def partly(layers="top"):
    model = classifier()
    model.get_layer("hidden").trainable = False
    model.compile(LSGD(0.05, sigma=0.3, seed=5), loss="sparse_categorical_crossentropy", jit_compile=JIT_COMPILE)
    return model


@pytest.mark.parametrize("on_disk", [False, True])
def test_samples_of_a_layer_store_that_layer_alone(tmp_path, on_disk):
    arguments = {"directory": tmp_path / "samples"} if on_disk else {}
    model, samples = trained(partly(), layers="top", **arguments)
    _, every = trained(partly())
    for number in range(len(every)):
        assert_equal_arrays(samples.ring.arrays(number), every.ring.arrays(number))
        assert [array.shape for array in samples.ring.read(number)] == [(4, 3), (3,)]
    expected = every.predict(X, verbose=0)
    np.testing.assert_allclose(samples.predict(X, verbose=0), expected, rtol=1e-6)
    if on_disk:
        np.testing.assert_allclose(load(tmp_path / "samples", partly()).predict(X, verbose=0), expected, rtol=1e-6)
    else:
        samples.save(tmp_path / "samples")
        np.testing.assert_allclose(load(tmp_path / "samples", partly()).predict(X, verbose=0), expected, rtol=1e-6)
    fit(model, samples, epochs=1)  # adds to them
    assert iterations(samples)[-1] == 15


def test_layers_that_change_and_are_not_stored_are_refused():
    with pytest.raises(ValueError, match=r"other layers must not change.*Received: other weights in update 1. Freeze"):
        trained(classifier(), layers="top")
    with pytest.raises(ValueError, match=r"choose at least one layer.*Received: layers=0"):
        trained(partly(), layers=0)


def test_a_directory_with_samples_of_other_layers_is_refused(tmp_path):
    trained(partly(), layers="top", directory=tmp_path)
    with pytest.raises(ValueError, match=r"must have the same layers.*Received: others than"):
        trained(classifier(), layers="hidden", directory=tmp_path)
    (tmp_path / "rest.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"must hold a sample.*Received: .*rest.npz"):
        load(tmp_path, partly())
