"""Predictions averaged over samples of the weights."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np

from keras_langevin.sampling import scores
from keras_langevin.sampling.averages import KINDS, Probabilities, Values
from keras_langevin.sampling.batch_norm import BatchNormStatistics
from keras_langevin.sampling.ring import MemoryRing
from keras_langevin.sampling.weights import assign, check_layout, restored


class Prediction(NamedTuple):
    """What an output that is no probability is on average.

    Attributes:
        mean: float64 array of the output's shape.
        std: likewise, the standard deviation over the samples: that of the function's value, without the noise of an
            observation.
    """

    mean: np.ndarray
    std: np.ndarray


class Ensemble:
    """A model with samples of its weights.

    Methods with an `x` take what `keras.Model.predict` takes: an array, a list or a dict of arrays, a
    `tf.data.Dataset`, a `PyDataset`, a `DataLoader`; not a generator, which can be run through only once, nor what gives
    its examples in another order each time. They go through it once a sample, by `model.predict`, so that nothing is
    traced again from sample to sample, and leave the model with the weights that it had. `outputs` says
    what the model's outputs are: `"probabilities"` (of classes on the last axis; a single unit's is that of the second
    of two classes), `"logits"` or `"values"` (regression, and all else); for several outputs one of these, or a list or
    dict of them like the outputs. `batch_size` and `verbose` (a progress bar over the samples) are Keras's.

    Args:
        model: a built Keras model. Its own weights are no sample.
        rings: list of rings, one for each chain; every sample has the same weight.

    Raises:
        ValueError: from each method: there are no samples, or they are of another model, or the outputs are not what
            `outputs` says.
    """

    def __init__(self, model, rings: Sequence[MemoryRing]):
        self._ensemble_model = model
        self.rings = list(rings)

    def __len__(self) -> int:
        return sum(map(len, self.rings))

    @property
    def settings(self) -> list[dict]:
        """What made each sample, in order, see `settings_of`."""
        return [settings for ring in self.rings for settings in ring.settings]

    def predict(self, x, outputs="probabilities", batch_size: int | None = None, verbose="auto"):
        """The mean over the samples of what the model predicts.

        Returns:
            for probabilities and logits an array of mean probabilities, of the output's shape; for values a
            `Prediction(mean, std)`; for several outputs a list or dict of these, like the outputs.
        """
        averages = self._averages(x, outputs, batch_size, verbose)
        return averages.map(
            lambda average: Prediction(average.mean, average.std) if _is_value(average) else average.mean
        )

    def predictive_entropy(self, x, outputs="probabilities", batch_size: int | None = None, verbose="auto"):
        """H[E p] in nats, array of shape `(num_examples,)`: all uncertainty of a prediction."""
        return self._averages(x, outputs, batch_size, verbose, classes=True).map(lambda average: average.entropy)

    def mutual_information(self, x, outputs="probabilities", batch_size: int | None = None, verbose="auto"):
        """H[E p] − E H[p] in nats, array of shape `(num_examples,)`: the uncertainty that comes of the weights.

        References:
            N. Houlsby et al., Bayesian active learning for classification and preference learning, arXiv:1112.5745.
        """
        averages = self._averages(x, outputs, batch_size, verbose, classes=True)
        return averages.map(lambda average: average.mutual_information)

    def evaluate(
        self, x, y, outputs="probabilities", batch_size: int | None = None, verbose="auto", num_bins: int = 15
    ):
        """How good the mean probabilities are.

        Args:
            y: int array of shape `(num_examples,)` or `(num_examples, 1)`, or one-hot `(num_examples, num_classes)`;
                for several outputs a list or dict of these, like the outputs.
            num_bins: int >= 1, bins of the calibration error. Defaults to `15`.

        Returns:
            dict of floats: `accuracy`, `nll` (nats), `brier` (the sum over classes, in [0, 2]) and `ece`; for several
            outputs a list or dict of these.
        """
        averages = self._averages(x, outputs, batch_size, verbose, classes=True)
        labels = [y] if len(averages.leaves) == 1 else keras.tree.flatten(y)
        if len(labels) != len(averages.leaves):
            raise ValueError(
                f"`y` must have labels for each of the {len(averages.leaves)} outputs. Received: {len(labels)}. Give a "
                "list or a dict like the outputs."
            )
        return averages.pack(
            [_scores(average, of_it, num_bins) for average, of_it in zip(averages.leaves, labels, strict=True)]
        )

    def predictions(self, x, batch_size: int | None = None, verbose="auto") -> Iterator:
        """What the model predicts with each sample, in order; like `model.predict`, outputs as they are."""
        if hasattr(x, "__next__"):
            raise ValueError(
                "`x` must be something that can be run through once a sample. Received: a generator or iterator "
                f"({type(x).__name__}), which can be run through once. Give arrays, a PyDataset or a tf.data.Dataset."
            )
        for model in self.models(verbose):
            yield model.predict(x, batch_size=batch_size, verbose=0)

    def models(self, verbose=0) -> Iterator:
        """The model, with the weights of each sample in turn; with its own ones after the last."""
        self.check()
        model = self._current_model()
        bar = keras.utils.Progbar(len(self), verbose=1 if verbose == "auto" else verbose, unit_name="sample")
        with restored(model):
            for ring in self.rings:
                for index in range(len(ring)):
                    assign(model, ring.arrays(index))
                    yield model
                    bar.add(1)

    def recompute_batch_norm(self, x, batch_size: int = 32, verbose="auto"):
        """Replaces the moving statistics of each sample's `BatchNormalization` layers by those of its own weights.

        Args:
            x: inputs: an array, or a list, tuple or dict of arrays of shape `(num_examples, ...)`: the training data, or
                a part of it.
            batch_size: int >= 2, that of the training: a batch's own mean and variance are what is averaged, weighted
                by the number of its examples. Defaults to `32`.
        """
        self.check()
        statistics = BatchNormStatistics(self._current_model())
        places = [(ring, index) for ring in self.rings for index in range(len(ring))]
        for (ring, index), _ in zip(places, self.models(verbose), strict=True):
            ring.replace(index, statistics.recomputed(ring.arrays(index), x, batch_size))

    def check(self):
        """Raises a `ValueError` if there are no samples, or if they are of another model."""
        model = self._current_model()
        if model is None or not len(self):
            raise ValueError(f"There must be at least one sample of the weights. {self._how_to_get_samples()}")
        self._check_samples()

    def _check_samples(self):
        model = self._current_model()
        for ring in self.rings:
            check_layout(model, ring.heads, str(getattr(ring, "folder", "memory")))

    def _current_model(self):
        return self._ensemble_model

    def _how_to_get_samples(self) -> str:
        return "Received: none. Collect them by `model.fit(..., callbacks=[PosteriorSamples(...)])`."

    def _averages(self, x, outputs, batch_size, verbose, classes: bool = False) -> "_Averages":
        averages = None
        for predicted in self.predictions(x, batch_size, verbose):
            averages = averages or _Averages(predicted, outputs, classes)
            averages.add(predicted)
        return averages


class _Averages:
    """The averages of all outputs, in the structure of the outputs."""

    def __init__(self, predicted, outputs, classes: bool):
        count = len(keras.tree.flatten(predicted))
        kinds = [outputs] * count if isinstance(outputs, str) else keras.tree.flatten(outputs)
        allowed = tuple(kind for kind in KINDS if not (classes and kind == "values"))
        if len(kinds) != count or not set(kinds) <= set(allowed):
            words = " or ".join(map(repr, allowed))
            raise ValueError(
                f"`outputs` must be {words}, or a list or dict of these like the model's {count} outputs. Received: "
                f"outputs={outputs!r}. Say what the model returns."
            )
        self.structure = predicted
        self.leaves = [Values() if kind == "values" else Probabilities(kind) for kind in kinds]

    def add(self, predicted):
        for average, output in zip(self.leaves, keras.tree.flatten(predicted), strict=True):
            average.add(output)

    def map(self, function):
        return self.pack([function(average) for average in self.leaves])

    def pack(self, leaves: list):
        return keras.tree.pack_sequence_as(self.structure, leaves)


def _is_value(average) -> bool:
    return isinstance(average, Values)


def _scores(average: Probabilities, labels, num_bins: int) -> dict[str, float]:
    probabilities = average.of_each_class
    labels = np.asarray(labels)
    if labels.shape == probabilities.shape and labels.shape[-1] > 1:
        labels = labels.argmax(axis=-1)
    elif labels.ndim == probabilities.ndim and labels.shape[-1:] == (1,):
        labels = labels[..., 0]
    num_classes = probabilities.shape[-1]
    labels, whole = labels.astype(int), labels
    if labels.shape != probabilities.shape[:-1] or (labels != whole).any() or not _within(labels, num_classes):
        raise ValueError(
            f"`y` must hold the classes 0 ... {num_classes - 1} of {probabilities.shape[:-1]} examples, or one-hot rows. "
            f"Received: shape {whole.shape}{_range(whole)}. Give labels for the same examples as `x`."
        )
    labels, probabilities = labels.ravel(), probabilities.reshape(-1, num_classes)
    return {
        "accuracy": scores.accuracy(probabilities, labels),
        "nll": scores.negative_log_likelihood(probabilities, labels),
        "brier": scores.brier_score(probabilities, labels),
        "ece": scores.expected_calibration_error(probabilities, labels, num_bins),
    }


def _within(labels, num_classes) -> bool:
    return not labels.size or (labels.min() >= 0 and labels.max() < num_classes)


def _range(labels) -> str:
    return f" with values {labels.min():g} ... {labels.max():g}" if labels.size else ""
