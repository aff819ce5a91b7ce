"""Measures what one step did to the weights, layer by layer, from outside the step.

The compiled step is not modified. Its effect follows from the weights and the optimizer's slots before and after it.
Its noise is a pure function of (seed, update, element), so it can be drawn again and subtracted from the change.
"""

import functools
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_langevin.callbacks.averages import gradient_averages, last_step
from keras_langevin.names import distinct
from keras_langevin.optimizers import Langevin, noise
from keras_langevin.optimizers.draws import Preconditioner
from keras_langevin.reading import number

# Quantiles of a larger layer are those of this many of its elements, chosen once. The rank of a quantile q then has a
# standard error of √(q(1 − q)/2¹⁶): 0.2% for the median, 0.04% for the 99th percentile.
_QUANTILE_ELEMENTS = 1 << 16


@dataclass(frozen=True)
class Row:
    """The measures of one layer in one epoch. docs/api/callbacks.md describes them.

    Attributes:
        epoch: int.
        layer: str, its path; `"all"` for the model. The second layer with the same path is `"PATH (2)"`.
        sigma, noise_rms, drift_rms, noise_to_drift, sqrt_p_median, sqrt_p_99, distance, gradient_norm,
        weight_norm: floats.
    """

    epoch: int
    layer: str
    sigma: float
    noise_rms: float
    drift_rms: float
    noise_to_drift: float
    sqrt_p_median: float
    sqrt_p_99: float
    distance: float
    gradient_norm: float
    weight_norm: float


NAMES = tuple(Row.__dataclass_fields__)[2:]
ALL = "all"


class Reader:
    """Reads an optimizer between steps: its weights and slots as flat arrays of all elements.

    Args:
        optimizer: built Langevin optimizer.
    """

    def __init__(self, optimizer: Langevin):
        self.optimizer = optimizer
        self._readers: dict[tuple[int, ...], tuple] = {}

    def read(self, variables) -> np.ndarray:
        """Copies the elements of variables into one flat array, with zeros for a slot that Keras did not create (of a
        variable that it overwrites with its gradient)."""
        key = tuple(map(id, variables))
        if key not in self._readers:
            of_model = self.optimizer._trainable_variables
            zeros = {
                i: keras.Variable(ops.zeros(of_model[i].shape)) for i, each in enumerate(variables) if each is None
            }
            variables = [zeros.get(i, variable) for i, variable in enumerate(variables)]
            self._readers[key] = noise.reader(variables), variables  # kept alive, so that no `id` is reused
        read, _ = self._readers[key]
        return read()

    def tensor(self, variables):
        """Returns the result of `read` as a tensor."""
        return ops.convert_to_tensor(self.read(variables))

    def weights(self) -> np.ndarray:
        return self.read(self.optimizer._trainable_variables)

    def update_number(self):
        """Returns t, the number of the update at which the counter stands."""
        return ops.cast(self.optimizer.iterations + 1, "float32")

    def slots_before(self) -> list[dict | None]:
        """Copies what P needs from before a step: for each slot, a dict from the variables' indices to arrays."""
        before = Langevin._before(self.optimizer, range(len(self.optimizer._trainable_variables)))
        copied = lambda tensor: np.array(ops.convert_to_numpy(tensor))  # noqa: E731
        return [slots and {index: copied(tensor) for index, tensor in slots.items()} for slots in before]

    def preconditioner(self, before: list[dict | None]):
        """Returns P of all elements: a flat tensor, or a number.

        Args:
            before: what `slots_before` returned.
        """
        optimizer = self.optimizer
        indices = tuple(range(len(optimizer._trainable_variables)))
        factor = Preconditioner(optimizer, indices, before).whole()
        return ops.reshape(factor, [-1]) if factor.shape else factor


class Snapshot:
    """The state before the steps that are measured.

    Args:
        reader: `Reader` of a built Langevin optimizer.
        several: bool, whether more than one update follows before the comparison.
    """

    def __init__(self, reader: "Reader", several: bool):
        optimizer = reader.optimizer
        self.updates = int(number(optimizer.iterations))
        self.weights = reader.weights()
        # one update gives the gradient itself, several give the mean of its squares; else whatever the optimizer stores
        averages, power = gradient_averages(optimizer), 2 if several else 1
        found = sorted(range(len(averages)), key=lambda i: averages[i].power != power)
        self.average = found[0] if found else None
        self.slots = reader.read(averages[self.average].slots) if found else None
        self.before = reader.slots_before()
        self.read_settings(optimizer)

    def read_settings(self, optimizer: Langevin):
        """Reads the settings of the step. Call it again after callbacks that may set them."""
        self.settings = [(setting, np.array(ops.convert_to_numpy(setting))) for setting in _settings(optimizer)]


class Change:
    """The effect of the updates since a snapshot, for all layers in one flat array.

    Args:
        reader: `Reader` of the optimizer, after the updates.
        snapshot: the state before them, or `None`: then drift and gradient are not known.
        updates: int, the total number of updates.
    """

    def __init__(self, reader: "Reader", snapshot: Snapshot | None, updates: int):
        self.optimizer = optimizer = reader.optimizer
        self._reader = reader
        self.weights = reader.weights()
        sizes = [int(np.prod(variable.shape)) for variable in optimizer._trainable_variables]
        ends = np.cumsum(sizes)
        self.spans = [slice(int(end) - size, int(end)) for size, end in zip(sizes, ends, strict=True)]
        self.count = updates - snapshot.updates if snapshot else 0
        # the counter that the last update saw
        last = updates * (optimizer.gradient_accumulation_steps or 1) - 1
        settings = [(optimizer._iterations, last), *(snapshot.settings if snapshot else [])]
        settings = [(setting, ops.convert_to_tensor(value, setting.dtype)) for setting, value in settings]
        with keras.StatelessScope(state_mapping=settings):
            self.seed = ops.convert_to_tensor(optimizer._seed)
            self.noisy = {index for group in optimizer._noisy_groups() for index in group.indices}
            if optimizer._last_update is not None:
                self.noisy &= optimizer._last_update.drawn
            self.sigma, self.learning_rate = number(optimizer.sigma), number(optimizer.learning_rate)
            # nothing was read before the last of several steps, so the slots after it must do
            before = snapshot.before if self.count == 1 else reader.slots_before()
            factor = reader.preconditioner(before)
            self.preconditioner = self._whole(factor)
            step = None
            if self.count > 1:
                step = last_step(optimizer, reader.update_number(), factor, reader.tensor)
            average = None
            if self.count and snapshot.average is not None:
                average = gradient_averages(optimizer)[snapshot.average]
                average = average._replace(weight=np.asarray(ops.convert_to_numpy(average.weight)))
        self.drift = np.full_like(self.weights, np.nan)
        self.square_gradient = self.drift
        if self.count == 0:
            return
        square_gradient = None if average is None else self._square_gradient(average, snapshot.slots, updates)
        if self.count == 1 or (step is None and square_gradient is None):
            self.drift = (self.weights - snapshot.weights - self._noise(updates, self.count)) / self.count
        elif step is not None:
            self.drift = self._whole(step)
            if average is not None and average.noise:
                self.drift = self.drift - average.noise * self._noise(updates, 1)
        else:
            self.drift = self.learning_rate * self.preconditioner * np.sqrt(square_gradient)
        if square_gradient is None:
            with np.errstate(divide="ignore", invalid="ignore"):
                square_gradient = np.square(self.drift / (self.learning_rate * self.preconditioner))
        self.square_gradient = np.array(square_gradient)
        if optimizer._last_update is not None:
            self.drift = np.array(self.drift)
            for index in set(range(len(self.spans))) - optimizer._last_update.updated:  # they had no gradient
                span = self.spans[index]
                self.drift[span] = (self.weights[span] - snapshot.weights[span]) / self.count
                self.square_gradient[span] = 0

    def _whole(self, values) -> np.ndarray:
        """Returns a flat tensor of all elements, or a number, as one flat array."""
        return np.broadcast_to(np.asarray(ops.convert_to_numpy(values), self.weights.dtype), self.weights.shape)

    def _noise(self, updates: int, count: int, decay: float = 1.0) -> np.ndarray:
        """Draws the noise of the last `count` updates again. Returns its sum, times `decay` for each later update."""
        total = np.zeros_like(self.weights)
        if not self.noisy or self.sigma == 0:
            return total
        indices = sorted(self.noisy)
        draw = noise.Draw(tuple(self.optimizer._places[i] for i in indices), True, self.optimizer.noise)
        drawn = 0
        for update in range(updates - count, updates):
            drawn = decay * drawn + ops.convert_to_numpy(
                noise.sample_alone(self.seed, ops.convert_to_tensor(update), draw)
            )
        begin = 0
        for index in indices:
            span = self.spans[index]
            total[span] = drawn[begin : begin + span.stop - span.start]
            begin += span.stop - span.start
        scale = self.sigma * np.sqrt(self.learning_rate)
        return (scale * np.sqrt(self.preconditioner)).astype(total.dtype) * total

    def _square_gradient(self, average, before: np.ndarray, updates: int) -> np.ndarray:
        """Returns g² of one update, or its mean over several with the average's weights, from s before and after."""
        added = self._reader.read(average.slots) - average.decay**self.count * before
        if average.noise:
            added -= average.noise * self._noise(updates, self.count, average.decay)
        total = average.weight * sum(average.decay**step for step in range(self.count))
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(total, added / total, np.nan)
        return np.square(mean) if average.power == 1 else np.maximum(mean, 0)


def rows(epoch: int, changes: list[Change], initial: list[np.ndarray]) -> list[Row]:
    """Returns a row for the model and one for each layer.

    The model's noise, drift and √P are those of its noisy layers (of all layers, if none is noisy). Its distance,
    gradient and weights are those of all layers. Layers with the same path are numbered: `"fc"` and `"fc (2)"`.

    Args:
        epoch: int.
        changes: list with the effect of the step for each Langevin optimizer.
        initial: list with a flat array for each of them, the weights from which distances are measured.
    """
    pairs = list(zip(changes, initial, strict=True))
    layers = [_Layer(change, weights, group) for change, weights in pairs for group in change.optimizer._groups]
    counted = [layer for layer in layers if layer.is_noisy] or layers
    sums = np.concatenate([sum(layer.sums[:3] for layer in counted), sum(layer.sums[3:] for layer in layers)])
    sigmas = {layer.sigma for layer in counted}
    sigma = sigmas.pop() if len(sigmas) == 1 else np.nan
    whole = _row(epoch, ALL, sigma, sums, np.concatenate([layer.root for layer in counted]))
    names = distinct([layer.path for layer in layers], taken=[ALL])
    own = zip(layers, names, strict=True)
    return [whole, *(_row(epoch, name, layer.sigma, layer.sums, layer.root) for layer, name in own)]


class _Layer:
    """The effect of a step on a layer: the sums over its elements from which rows are computed."""

    def __init__(self, change: Change, initial: np.ndarray, group):
        self.path = group.path
        span = slice(change.spans[group.indices[0]].start, change.spans[group.indices[-1]].stop)
        noisy = [change.spans[index] for index in group.indices if index in change.noisy]
        self.is_noisy = bool(noisy)
        self.sigma = change.sigma if noisy else 0.0
        self.root = np.sqrt(change.preconditioner[span])
        drift, weights = change.drift[span], change.weights[span]
        moved = weights - initial[span]
        sum_p = sum(np.sum(change.preconditioner[each], dtype="float64") for each in noisy)
        self.sums = np.array(
            [
                span.stop - span.start,
                self.sigma**2 * change.learning_rate * sum_p,
                np.dot(drift, drift),
                np.dot(moved, moved),
                np.sum(change.square_gradient[span], dtype="float64"),
                np.dot(weights, weights),
            ]
        )


def _row(epoch: int, layer: str, sigma: float, sums, root) -> Row:
    size, square_noise, square_drift, *squares = sums
    noise_rms, drift_rms = np.sqrt(square_noise / size), np.sqrt(square_drift / size)
    ratio = noise_rms / drift_rms if drift_rms else (np.inf if noise_rms else 0.0)
    quantiles = _quantiles(_some(root))
    numbers = (sigma, noise_rms, drift_rms, ratio, *quantiles, *np.sqrt(squares))
    return Row(epoch, layer, *map(float, numbers))


def _quantiles(array: np.ndarray) -> np.ndarray:
    """Returns median and 99th percentile, by linear interpolation as in `np.quantile`, which takes twice the time."""
    ranks = np.array([0.5, 0.99]) * (array.size - 1)
    low, high = np.floor(ranks).astype(int), np.ceil(ranks).astype(int)
    ordered = np.partition(array, (*low, *high))
    return ordered[low] + (ranks - low) * (ordered[high] - ordered[low])


def _some(array: np.ndarray) -> np.ndarray:
    return array if array.size <= _QUANTILE_ELEMENTS else array[_positions(array.size)]


@functools.lru_cache(maxsize=256)
def _positions(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(size, size=_QUANTILE_ELEMENTS)


def _settings(optimizer: Langevin) -> list[keras.Variable]:
    """Returns the variables that a callback may set between steps."""
    gate = optimizer._gate.variable if optimizer._gate is not None else None
    settings = (optimizer._seed, optimizer._sigma, optimizer._learning_rate, gate)
    return [setting for setting in settings if isinstance(setting, keras.Variable)]
