"""Predictions averaged over samples, against averages in NumPy over one model per sample."""

import keras
import numpy as np
import pytest
from scipy import special, stats

from keras_langevin import PosteriorSamples
from keras_langevin.sampling import Ensemble, Prediction
from tests.sampling.cases import (
    BACKEND,
    assert_equal_arrays,
    classifier,
    data,
    fit,
    trained,
    weights,
)


def one_by_one(model, samples, x):
    """Returns the predictions of a model with each sample's weights, of shape `(num_samples, num_examples, ...)`."""
    twin = keras.models.clone_model(model)
    predicted = []
    for index in range(len(samples)):
        twin.set_weights(samples.ring.arrays(index))
        predicted.append(twin.predict(x, verbose=0))
    return np.array(predicted, float)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_probabilities_and_uncertainties_are_those_of_the_definition(activation):
    model, samples = trained(classifier(activation))
    x, _ = data()
    outputs = "probabilities" if activation else "logits"
    each = one_by_one(model, samples, x)
    p = each if activation else special.softmax(each, axis=-1)
    options = {"outputs": outputs, "batch_size": 7, "verbose": 0}
    np.testing.assert_allclose(samples.predict(x, **options), p.mean(axis=0), rtol=1e-5)
    total = stats.entropy(p.mean(axis=0), axis=-1)
    np.testing.assert_allclose(samples.predictive_entropy(x, **options), total, rtol=1e-5)
    expected = total - stats.entropy(p, axis=-1).mean(axis=0)
    assert expected.max() > 1e-3
    np.testing.assert_allclose(samples.mutual_information(x, **options), expected, rtol=1e-2, atol=2e-6)


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_unit_is_the_second_of_two_classes(activation):
    model = classifier(activation, units=1)
    model.compile(model.optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=activation is None))
    x, y = data(num_classes=2)
    samples = fit(model, PosteriorSamples(burn_in=0, max_samples=4), x=x, y=y)
    outputs = "probabilities" if activation else "logits"
    each = one_by_one(model, samples, x)
    p = (each if activation else special.expit(each)).mean(axis=0)
    np.testing.assert_allclose(samples.predict(x, outputs, verbose=0), p, rtol=1e-5)
    both = np.concatenate([1 - p, p], axis=-1)
    entropy = samples.predictive_entropy(x, outputs, verbose=0)
    np.testing.assert_allclose(entropy, stats.entropy(both, axis=-1), rtol=1e-5)
    scores = samples.evaluate(x, y, outputs, verbose=0)
    assert scores["accuracy"] == np.mean((p[:, 0] > 0.5) == y)
    assert scores["nll"] == pytest.approx(-np.log(both[np.arange(len(y)), y]).mean(), rel=1e-5)


def test_regression_has_mean_and_standard_deviation():
    model = classifier(None, units=2)
    model.compile(model.optimizer, loss="mse")
    x, _ = data()
    samples = fit(model, PosteriorSamples(burn_in=0, max_samples=6), x=x, y=x[:, :2])
    prediction = samples.predict(x, outputs="values", verbose=0)
    each = one_by_one(model, samples, x)
    assert isinstance(prediction, Prediction)
    np.testing.assert_allclose(prediction.mean, each.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(prediction.std, each.std(axis=0), rtol=1e-4)


def two_headed():
    first, second = keras.Input((3,), name="first"), keras.Input((2,), name="second")
    joined = keras.layers.Concatenate()([first, second])
    outputs = {
        "kind": keras.layers.Dense(3, name="kind")(joined),
        "size": keras.layers.Dense(1, name="size")(joined),
    }
    model = keras.Model({"first": first, "second": second}, outputs)
    losses = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"}
    model.compile(keras.optimizers.SGD(0.1), loss=losses)
    return model


def test_inputs_and_outputs_of_any_structure():
    x, y = data()
    inputs = {"first": x, "second": x[:, :2]}
    model, samples = two_headed(), PosteriorSamples(burn_in=0, max_samples=3)
    fit(model, samples, x=inputs, y={"kind": y, "size": x[:, :1]})
    assert samples.settings[0]["sigma"] is None  # Keras's SGD has none
    prediction = samples.predict(inputs, outputs={"kind": "logits", "size": "values"}, verbose=0)
    assert set(prediction) == {"kind", "size"}
    np.testing.assert_allclose(prediction["kind"].sum(axis=-1), 1, rtol=1e-6)
    assert prediction["size"].mean.shape == (len(x), 1) and prediction["size"].std.max() > 0
    with pytest.raises(ValueError, match=r"`outputs` must be .*model's 2 outputs. Received: outputs=\['logits'\]"):
        samples.predict(inputs, outputs=["logits"], verbose=0)


def test_evaluate_is_scored_on_the_mean_probabilities():
    _, samples = trained()
    x, y = data()
    scores = samples.evaluate(x, y, verbose=0)
    p = samples.predict(x, verbose=0)
    assert set(scores) == {"accuracy", "nll", "brier", "ece"}
    assert scores["accuracy"] == np.mean(p.argmax(axis=-1) == y)
    assert scores["nll"] == pytest.approx(-np.log(p[np.arange(len(y)), y]).mean())
    one_hot = samples.evaluate(x, np.eye(3)[y], verbose=0)
    assert one_hot == samples.evaluate(x, y[:, None], verbose=0) == scores


def test_the_model_keeps_its_own_weights_also_after_an_error():
    model, samples = trained()
    x, _ = data()
    before = weights(model)
    samples.predict(x, verbose=0)
    assert_equal_arrays(weights(model), before)
    with pytest.raises(ValueError, match="probabilities"):
        samples.predict(x, outputs="logits", verbose=0)
    assert_equal_arrays(weights(model), before)


def test_predictions_during_a_fit_do_not_disturb_it():
    class Predicting(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if len(samples):
                samples.predict(data()[0], verbose=0)

    plain, watched = classifier(), classifier()
    x, y = data()
    plain.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    samples = PosteriorSamples(burn_in=2)
    watched.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0, callbacks=[samples, Predicting()])
    assert_equal_arrays(weights(watched), weights(plain))


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch traces nothing")
def test_nothing_is_traced_again_for_a_sample():
    traces = []

    @keras.saving.register_keras_serializable(package="tests")
    class Counted(keras.layers.Layer):
        def call(self, inputs):
            traces.append(inputs.shape)
            return inputs

    model = keras.Sequential([keras.Input((3,)), Counted(), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy")
    _, few = trained(model, max_samples=2)  # the first sample and the others are run differently
    few.predict(data()[0], batch_size=10, verbose=0)
    counts = []
    for max_samples in (3, 12):
        _, samples = trained(model, max_samples=max_samples)
        before = len(traces)
        samples.predict(data()[0], batch_size=10, verbose=0)
        counts.append(len(traces) - before)
    assert counts == [0, 0]


def test_a_progress_bar_counts_the_samples(capsys):
    _, samples = trained()
    capsys.readouterr()
    samples.predict(data()[0], verbose=1)
    assert "5/5" in capsys.readouterr().out
    samples.predict(data()[0], verbose=0)
    assert capsys.readouterr().out == ""


def test_several_chains_are_averaged_as_one():
    model, first = trained()
    _, second = trained(classifier(optimizer=keras.optimizers.SGD(0.5)), max_samples=3)
    both = Ensemble(model, [first.ring, second.ring])
    x, _ = data()
    expected = (5 * first.predict(x, verbose=0) + 3 * second.predict(x, verbose=0)) / 8
    assert len(both) == 8
    np.testing.assert_allclose(both.predict(x, verbose=0), expected, rtol=1e-6)


def test_without_samples():
    message = r"at least one sample.*Received: none after 12 updates with burn_in=50, thinning=1. Train"
    _, samples = trained(classifier()), fit(classifier(), PosteriorSamples(burn_in=50))
    with pytest.raises(ValueError, match=message):
        samples.predict(data()[0])
    with pytest.raises(ValueError, match="at least one sample"):
        PosteriorSamples(burn_in=0).predict(data()[0])


@pytest.mark.parametrize(
    ("activation", "outputs", "message"),
    [
        (None, "probabilities", r"must be in \[0, 1\] and sum to 1.*Received: outputs in \[.*outputs='logits'"),
        ("softmax", "logits", r"must be logits. Received: outputs in \[0, 1\] that sum to 1.*outputs='probabilities'"),
        ("softmax", "sigmoids", r"`outputs` must be 'probabilities' or 'logits' or 'values'.*Received: .*'sigmoids'"),
    ],
)
def test_outputs_that_are_something_else(activation, outputs, message):
    _, samples = trained(classifier(activation))
    with pytest.raises(ValueError, match=message):
        samples.predict(data()[0], outputs, verbose=0)


def test_what_cannot_be_evaluated():
    _, samples = trained()
    x, y = data()
    with pytest.raises(ValueError, match=r"`outputs` must be 'probabilities' or 'logits', or"):
        samples.predictive_entropy(x, outputs="values", verbose=0)
    with pytest.raises(ValueError, match=r"classes 0 ... 2 of \(24,\) examples.*Received: shape \(23,\)"):
        samples.evaluate(x, y[1:], verbose=0)
    with pytest.raises(ValueError, match=r"Received: shape \(24,\) with values 1 ... 3"):
        samples.evaluate(x, y + 1, verbose=0)
    with pytest.raises(ValueError, match=r"once for each sample. Received: a generator"):
        samples.predict((batch for batch in [x]), verbose=0)
    with pytest.raises(ValueError, match=r"`num_bins` must be an int >= 1. Received: num_bins=0"):
        samples.evaluate(x, y, num_bins=0, verbose=0)


@pytest.mark.parametrize(("activation", "outputs"), [("softmax", "probabilities"), (None, "logits")])
def test_nan_has_no_score(activation, outputs):
    """An error gives the number of examples with NaN, whether x or a sample contains it."""
    _, samples = trained(classifier(activation))
    x, y = data()
    with_nan = x.copy()
    with_nan[[3, 5], 1] = np.nan
    options = {"outputs": outputs, "verbose": 0}
    for method, arguments in (
        (samples.evaluate, (with_nan, y)),
        (samples.predict, (with_nan,)),
        (samples.predictive_entropy, (with_nan,)),
        (samples.mutual_information, (with_nan,)),
    ):
        with pytest.raises(ValueError, match=rf"Class {outputs} must be numbers. Received: NaN for 2 of 24 examples"):
            method(*arguments, **options)
    values = samples.predict(with_nan, outputs="values", verbose=0)
    assert np.isnan(values.mean[[3, 5]]).all() and np.isfinite(np.delete(values.mean, [3, 5], axis=0)).all()
    samples.ring.replace(1, [np.full_like(array, np.nan) for array in samples.ring.arrays(1)])
    with pytest.raises(ValueError, match=r"Received: NaN for 24 of 24 examples.*chain may have diverged"):
        samples.evaluate(x, y, **options)


def test_logits_of_minus_infinity_are_a_probability_of_0():
    from keras_langevin.sampling.averages import Probabilities

    average = Probabilities("logits")
    average.add(np.array([[0.0, -np.inf, 0.0]]))
    assert average.mean.tolist() == [[0.5, 0.0, 0.5]]
    with pytest.raises(ValueError, match="NaN for 1 of 2 examples"):
        average.add(np.array([[0.0, 1.0, 2.0], [0.0, np.inf, 0.0]]))
