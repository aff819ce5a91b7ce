"""Predictions averaged over samples of the weights."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_langevin.confidence import class_labels
from keras_langevin.sampling import scores
from keras_langevin.sampling.averages import Averages, Probabilities, Values
from keras_langevin.sampling.batch_norm import BatchNormStatistics
from keras_langevin.sampling.ring import DiskRing, MemoryRing, Sample
from keras_langevin.sampling.weights import assign, check_layout, restored, weights_of
from keras_langevin.values import check_int

# What a model returns: `"probabilities"`, `"logits"` or `"values"`, or a list or dict of these.
Outputs = str | Sequence[Any] | dict[str, Any]


class Prediction(NamedTuple):
    """Mean and standard deviation of an output that is not a probability.

    Attributes:
        mean: float64 array of the output's shape.
        std: float64 array of the same shape, over the samples: that of the function, without observation noise.
    """

    mean: np.ndarray
    std: np.ndarray


class Ensemble:
    """A model with samples of its weights.

    Methods with an `x` take what `keras.Model.predict` takes, except a generator. They read it once for each sample,
    and do not change the model's weights. `outputs` says what the model returns: `"probabilities"` (of classes on the
    last axis, or of the second of two classes), `"logits"` or `"values"` (regression). For several outputs, it is one
    of these, or a list or dict of them.

    Args:
        model: a built Keras model. Its own weights are not a sample.
        rings: list of rings, one for each chain; every sample has the same weight.
    """

    def __init__(self, model: keras.Model, rings: Sequence[MemoryRing]):
        self._ensemble_model = model
        self.rings: list[MemoryRing] = list(rings)

    @classmethod
    def of(cls, members: Sequence[Any]) -> "Ensemble":
        """Creates an ensemble from trained models, or from ensembles.

        Args:
            members: list of built models of one architecture (a deep ensemble), or of their ensembles, such as several
                `SWAG` (MultiSWAG). It copies the weights of models, but not those of ensembles. The first member's
                model makes the predictions.

        Raises:
            ValueError: there are none, or their weights have different shapes or dtypes.

        Example:

        >>> import keras, numpy as np
        >>> from keras_langevin.sampling import Ensemble
        >>> models = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")]) for _ in range(5)]
        >>> ensemble = Ensemble.of(models)
        >>> len(ensemble), ensemble.predict(np.zeros((4, 2)), verbose=0).shape
        (5, (4, 3))

        References:
            B. Lakshminarayanan, A. Pritzel and C. Blundell, Simple and scalable predictive uncertainty estimation using
            deep ensembles, NeurIPS 2017.
        """
        members = list(members)
        kinds = {isinstance(member, Ensemble) for member in members}
        if len(kinds) != 1 or not all(isinstance(member, Ensemble | keras.Model) for member in members):
            raise ValueError(
                "`members` must be a list of models, or a list of ensembles. Received: "
                f"{[type(member).__name__ for member in members]}. Give for example `Ensemble.of([model, other])`."
            )
        if kinds == {True}:
            rings, model = [ring for member in members for ring in member.rings], members[0]._current_model()
        else:
            ring, model = MemoryRing(len(members)), members[0]
            for number, member in enumerate(members):
                ring.append(Sample({"iteration": number, "seed": None}, weights_of(member)))
            rings = [ring]
        ensemble = Ensemble(model, rings)
        ensemble.check()
        return ensemble

    def save(self, directory: str | Path) -> None:
        """Writes the samples into a folder, from which `keras_langevin.sampling.load` reads them.

        Args:
            directory: str or path of a folder without samples. It is created if it does not exist. Each of several
                chains gets a subfolder: `chain-0`, `chain-1`, ...

        Raises:
            ValueError: there are no samples, or the folder has some.
        """
        self.check()
        directory = Path(directory)
        if any(directory.glob("sample-*")) or any(directory.glob("chain-*")):
            raise ValueError(
                f"`directory` must be a folder without samples. Received: {str(directory)!r}, which has some. Choose "
                "another directory."
            )
        for number, ring in enumerate(self.rings):
            folder = directory if len(self.rings) == 1 else directory / f"chain-{number}"
            written = DiskRing(folder, len(ring))
            if ring.stored is not None:
                written.store_only(ring.stored, ring.arrays(0))
            for slot, head in enumerate(ring.heads):
                written.put(head | {"slot": slot, "number": slot}, ring.arrays(slot))

    def __len__(self) -> int:
        return sum(map(len, self.rings))

    @property
    def settings(self) -> list[dict[str, Any]]:
        """The optimizer's settings at each sample, in order. See `settings_of`."""
        return [settings for ring in self.rings for settings in ring.settings]

    def predict(
        self, x: Any, outputs: Outputs = "probabilities", batch_size: int | None = None, verbose: str | int = "auto"
    ) -> Any:
        """Returns the model's predictions, averaged over the samples.

        Returns:
            for probabilities and logits, an array of mean probabilities of the output's shape; for values, a
            `Prediction(mean, std)`; for several outputs, a list or dict of these, like the outputs.
        """
        return self._averages(x, outputs, batch_size, verbose).map(_prediction)

    def predictive_entropy(
        self, x: Any, outputs: Outputs = "probabilities", batch_size: int | None = None, verbose: str | int = "auto"
    ) -> Any:
        """Returns H[E p] in nats, the whole uncertainty of a prediction: array of shape `(num_examples,)`."""
        return self._averages(x, outputs, batch_size, verbose, classes=True).map(lambda average: average.entropy)

    def mutual_information(
        self, x: Any, outputs: Outputs = "probabilities", batch_size: int | None = None, verbose: str | int = "auto"
    ) -> Any:
        """Returns H[E p] − E H[p] in nats, the uncertainty from the weights: array of shape `(num_examples,)`.

        References:
            N. Houlsby et al., Bayesian active learning for classification and preference learning, arXiv:1112.5745.
        """
        averages = self._averages(x, outputs, batch_size, verbose, classes=True)
        return averages.map(lambda average: average.mutual_information)

    def evaluate(
        self,
        x: Any,
        y: Any,
        outputs: Outputs = "probabilities",
        batch_size: int | None = None,
        verbose: str | int = "auto",
        num_bins: int = 15,
    ) -> Any:
        """Scores the mean probabilities.

        Args:
            y: int array of shape `(num_examples,)` or `(num_examples, 1)`, or one-hot `(num_examples, num_classes)`;
                for several outputs, a list or dict of these, like the outputs.
            num_bins: int >= 1, bins of the calibration error. Defaults to `15`.

        Returns:
            dict of floats: `accuracy`, `nll` (nats), `brier` (the sum over classes, in [0, 2]) and `ece`; for several
            outputs, a list or dict of these.
        """
        check_int("num_bins", num_bins, 1)
        labels = []

        def check(averages):  # after the first sample, before all others
            given = [y] if len(averages.leaves) == 1 else keras.tree.flatten(y)
            if len(given) != len(averages.leaves):
                raise ValueError(
                    f"`y` must have labels for each of the {len(averages.leaves)} outputs. Received: {len(given)}. "
                    "Give a list or a dict like the outputs."
                )
            shapes = [average.of_each_class.shape for average in averages.leaves]
            labels.extend(class_labels(of_it, shape, "y") for of_it, shape in zip(given, shapes, strict=True))

        averages = self._averages(x, outputs, batch_size, verbose, classes=True, check=check)
        pairs = zip(averages.leaves, labels, strict=True)
        return averages.pack([scores.all_scores(average.of_each_class, of_it, num_bins) for average, of_it in pairs])

    def predictions(self, x: Any, batch_size: int | None = None, verbose: str | int = "auto") -> Iterator[Any]:
        """Yields the model's prediction with each sample, in order. Outputs are as in `model.predict`."""
        if hasattr(x, "__next__"):
            raise ValueError(
                "`x` must be data that can be read once for each sample. Received: a generator or iterator "
                f"({type(x).__name__}), which can be read only once. Pass arrays, a PyDataset or a tf.data.Dataset."
            )
        arrays = None
        for model in self.models(verbose):
            if arrays is None:  # for arrays too, so that Keras checks them
                yield model.predict(x, batch_size=batch_size, verbose=0)
                arrays = _arrays(x)
            else:
                yield _predicted(model, arrays, batch_size or 32)

    def models(self, verbose: str | int = 0) -> Iterator[keras.Model]:
        """Yields the model with the weights of each sample in turn. Restores its own weights after the last."""
        self.check()
        model = self._current_model()
        bar = keras.utils.Progbar(len(self), verbose=1 if verbose == "auto" else verbose, unit_name="sample")
        with restored(model):
            for ring in self.rings:
                for index in range(len(ring)):
                    assign(model, ring.arrays(index))
                    yield model
                    bar.add(1)

    def recompute_batch_norm(self, x: Any, batch_size: int = 32, verbose: str | int = "auto") -> None:
        """Replaces the moving statistics of each sample's `BatchNormalization` layers by those of its own weights.

        If a forward pass calls a layer several times, they are the average to which the layer's own updates converge.

        Args:
            x: the training inputs, or a part of them: an array, or a list, tuple or dict of arrays of shape
                `(num_examples, ...)`.
            batch_size: int >= 2, as in training. The statistics are averages of each batch's mean and variance,
                weighted by its number of examples. Defaults to `32`.
        """
        self.check()
        statistics = BatchNormStatistics(self._current_model())
        places = [(ring, index) for ring in self.rings for index in range(len(ring))]
        for (ring, index), _ in zip(places, self.models(verbose), strict=True):
            ring.replace(index, statistics.recomputed(ring.arrays(index), x, batch_size))

    def check(self) -> None:
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

    def _averages(
        self, x, outputs, batch_size, verbose, classes: bool = False, check: Callable[[Averages], None] | None = None
    ) -> Averages:
        averages: Any = None  # before the first sample
        with closing(self.predictions(x, batch_size, verbose)) as predictions:
            for predicted in predictions:
                first = averages is None
                averages = averages or Averages(predicted, outputs, classes)
                averages.add(predicted)
                if first and check:
                    check(averages)
        return averages


def _arrays(x):
    """Returns `x` in the precision of `model.predict` if it consists of NumPy arrays, whose batches are slices; else
    `None`."""
    if not all(isinstance(leaf, np.ndarray) for leaf in keras.tree.flatten(x)):
        return None
    return keras.tree.map_structure(
        lambda array: array.astype(keras.config.floatx()) if array.dtype == np.float64 else array, x
    )


def _predicted(model, x, batch_size: int):
    """Predicts as `model.predict` does, without its setup at each call, which takes longer than a small model's
    prediction."""
    size = len(keras.tree.flatten(x)[0])
    parts = [
        model.predict_on_batch(keras.tree.map_structure(lambda array, at=begin: array[at : at + batch_size], x))
        for begin in range(0, size, batch_size)
    ]
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def _prediction(average: Values | Probabilities) -> Prediction | np.ndarray:
    return Prediction(average.mean, average.std) if isinstance(average, Values) else average.mean
