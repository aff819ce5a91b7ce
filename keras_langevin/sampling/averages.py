"""Averages of a model's outputs over samples of its weights, updated sample by sample."""

import keras
import numpy as np

from keras_langevin.sampling.scores import entropy

KINDS = ("probabilities", "logits", "values")
_TOLERANCE = 1e-3  # float16 probabilities of a few hundred classes sum to 1 only within this


class Values:
    """Mean and standard deviation of outputs that are not probabilities, by Welford's recursion.

    Attributes:
        mean: float64 array of the output's shape.
    """

    def __init__(self):
        self.count, self.mean, self._squares = 0, np.zeros(()), np.zeros(())

    def add(self, output: np.ndarray):
        """Adds one sample's output, of shape `(num_examples, ...)`."""
        output = np.asarray(output, float)
        self.count += 1
        difference = output - self.mean
        self.mean = self.mean + difference / self.count
        self._squares = self._squares + difference * (output - self.mean)

    @property
    def std(self) -> np.ndarray:
        """The standard deviation over the samples (divided by their number)."""
        return np.sqrt(self._squares / self.count)


class Probabilities:
    """Mean class probabilities, and the mean of their entropy.

    Args:
        kind: `"probabilities"` or `"logits"`: what the outputs are. The last axis has the classes. A single element
            is the second of two classes (a sigmoid's).

    Attributes:
        mean: float64 array of the output's shape.
        mean_entropy: float64 array of that shape without its last axis.
    """

    def __init__(self, kind: str):
        self.kind, self.count, self.mean, self.mean_entropy = kind, 0, np.zeros(()), np.zeros(())

    def add(self, output: np.ndarray):
        """Adds one sample's output, of shape `(num_examples, ..., num_classes)`.

        Raises:
            ValueError: the output is not what `kind` says.
        """
        output = np.asarray(output, float)
        check_kind(output, self.kind)
        probabilities = _probabilities(output) if self.kind == "logits" else output
        if np.isnan(probabilities).any():  # from infinite logits
            raise _no_numbers(probabilities, self.kind)
        self.count += 1
        self.mean = self.mean + (probabilities - self.mean) / self.count
        of_each_class = with_both_classes(probabilities)
        self.mean_entropy = self.mean_entropy + (entropy(of_each_class) - self.mean_entropy) / self.count

    @property
    def of_each_class(self) -> np.ndarray:
        """The mean, of shape `(num_examples, ..., num_classes)`, with at least two classes."""
        return with_both_classes(self.mean)

    @property
    def entropy(self) -> np.ndarray:
        """H[E p], in nats."""
        return entropy(self.of_each_class)

    @property
    def mutual_information(self) -> np.ndarray:
        """H[E p] − E H[p] >= 0, in nats: what the label would tell about the weights."""
        return np.maximum(self.entropy - self.mean_entropy, 0)


class Averages:
    """The averages of all outputs, in the structure of the outputs.

    Args:
        predicted: the model's prediction with one sample, for the structure.
        outputs: one of `KINDS`, or a list or dict of them like the outputs.
        classes: bool, whether all outputs must be class probabilities or logits.

    Raises:
        ValueError: `outputs` is something else.
    """

    def __init__(self, predicted, outputs, classes: bool):
        count = len(keras.tree.flatten(predicted))
        kinds = [outputs] * count if isinstance(outputs, str) else keras.tree.flatten(outputs)
        allowed = [kind for kind in KINDS if not (classes and kind == "values")]
        if len(kinds) != count or any(kind not in allowed for kind in kinds):
            raise ValueError(
                f"`outputs` must be {' or '.join(map(repr, allowed))}, or a list or dict of these like the model's "
                f"{count} outputs. Received: outputs={outputs!r}. Say what the model returns."
            )
        self.structure = predicted
        self.leaves = [Values() if kind == "values" else Probabilities(kind) for kind in kinds]

    def add(self, predicted):
        """Adds the model's prediction with one sample."""
        for average, output in zip(self.leaves, keras.tree.flatten(predicted), strict=True):
            average.add(output)

    def map(self, function):
        """Applies a function to each output's average. Returns the results in the structure of the outputs."""
        return self.pack([function(average) for average in self.leaves])

    def pack(self, leaves: list):
        """Returns the list in the structure of the outputs."""
        return keras.tree.pack_sequence_as(self.structure, leaves)


def check_kind(output: np.ndarray, kind: str):
    """Checks that an output is what `kind` says.

    Args:
        output: float array of shape `(num_examples, ..., num_classes)`.
        kind: one of `KINDS`.

    Raises:
        ValueError: it is not, or it has no axis of classes.
    """
    if output.ndim < 2:
        raise ValueError(
            f"Class {kind} must have shape (num_examples, num_classes), or (num_examples, 1) for two classes. "
            f"Received: an output of shape {output.shape}. Give `outputs='values'` to average it as it is."
        )
    if np.isnan(output).any():
        raise _no_numbers(output, kind)
    sums = output.sum(axis=-1) if output.shape[-1] > 1 else None
    in_range = bool(((output >= -_TOLERANCE) & (output <= 1 + _TOLERANCE)).all())
    sum_to_one = sums is None or bool((np.abs(sums - 1) <= _TOLERANCE).all())
    if kind == "probabilities" and not (in_range and sum_to_one):
        of_sums = "" if sums is None else f", whose rows sum to {sums.min():.4g} ... {sums.max():.4g}"
        raise ValueError(
            "With `outputs='probabilities'` the model's outputs must be in [0, 1] and sum to 1 over the last axis. "
            f"Received: outputs in [{output.min():.4g}, {output.max():.4g}]{of_sums}. Give `outputs='logits'` for a "
            "model without a softmax, `outputs='values'` for regression."
        )
    if kind == "logits" and sums is not None and in_range and sum_to_one:
        raise ValueError(
            "With `outputs='logits'` the model's outputs must be logits. Received: outputs in [0, 1] that sum to 1: "
            "probabilities. Give `outputs='probabilities'`."
        )


def _no_numbers(output: np.ndarray, kind: str) -> ValueError:
    count = int(np.isnan(output).any(axis=tuple(range(1, output.ndim))).sum())
    return ValueError(
        f"Class {kind} must be numbers. Received: NaN for {count} of {len(output)} examples. Check `x` and the "
        "samples: the chain may have diverged."
    )


def with_both_classes(probabilities: np.ndarray) -> np.ndarray:
    """Adds 1 − p before p if the last axis has one element."""
    if probabilities.shape[-1] > 1:
        return probabilities
    return np.concatenate([1 - probabilities, probabilities], axis=-1)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    if logits.shape[-1] == 1:
        return np.exp(-np.logaddexp(0, -logits))
    with np.errstate(invalid="ignore"):  # an infinite maximum gives NaN, which raises an error
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return shares / shares.sum(axis=-1, keepdims=True)
