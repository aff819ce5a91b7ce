"""The local learning coefficient of a trained model."""

import hashlib
import math
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_langevin import archive
from keras_langevin.batches import as_fed
from keras_langevin.optimizers import registry
from keras_langevin.optimizers.schedules import posterior_sigma
from keras_langevin.optimizers.selection import LayersArgument
from keras_langevin.sampling import diagnostics
from keras_langevin.sampling.chains import chain_seed
from keras_langevin.sampling.localized import CHUNK, LocalizedUpdates
from keras_langevin.sampling.losses import own_loss
from keras_langevin.sampling.prior import GaussianPrior
from keras_langevin.sampling.temperature import warnings_of_losses
from keras_langevin.sampling.weights import restored, values_of, weights_of_layers
from keras_langevin.values import check_int, is_real

# The arguments of each sampler, in addition to learning rate, sigma and seed.
SAMPLERS = {"lsgd": {}, "baoab": {}, "sghmc": {}, "lrmsprop": {"gamma_correction": True, "epsilon": 1e-2}}
_SAVED_EVERY = 10.0  # seconds
_R_HAT = 1.1  # above this, chains differ by more than their own spread explains
_DESCENT = 0.5  # of the estimate: how far w* may be above a minimum


@dataclass(frozen=True)
class LearningCoefficient:
    """The estimate that `learning_coefficient` returns.

    Attributes:
        losses: float64 array of shape `(num_chains, num_draws)`: L(w) − L(w*) of each draw's batch.
        initial_loss: float, L(w*), the mean over all batches.
        data_size: n, int.
        temperature: T = 1/β, float.
        descent: float, nβ times the decrease of the loss if updates without noise start from w* and run as long as the
            burn-in: how far w* is above a minimum, in the units of the coefficient.
        r_hat: float, R̂ of the losses; 1 if the chains agree.
        standard_error: float, of `value`, from the draws' effective sample size.
    """

    losses: np.ndarray
    initial_loss: float
    data_size: int
    temperature: float
    descent: float
    r_hat: float
    standard_error: float

    @property
    def scale(self) -> float:
        """nβ."""
        return self.data_size / self.temperature

    @property
    def value(self) -> float:
        """λ̂, the mean over all draws."""
        return float(self.scale * self.losses.mean())

    @property
    def of_chains(self) -> np.ndarray:
        """The estimate of each chain: array of shape `(num_chains,)`."""
        return self.scale * self.losses.mean(axis=1)

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.standard_error:.2g} (R-hat {self.r_hat:.3f})"

    def inference_data(self) -> "diagnostics.InferenceData":
        """Returns nβ(L(w) − L(w*)) of each draw as `arviz.InferenceData`."""
        return diagnostics.inference_data({"learning_coefficient": self.scale * self.losses})

    def summary(self) -> "diagnostics.DataFrame":
        """Returns a pandas DataFrame with mean, sd, Monte-Carlo errors, effective sample sizes and R̂."""
        return diagnostics.summary(self.inference_data())

    def plot_trace(self) -> np.ndarray:
        """Plots density and trace of nβ(L(w) − L(w*)), a line for each chain. Returns matplotlib axes, `(1, 2)`."""
        return diagnostics.plot_trace(self.inference_data())


def learning_coefficient(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    learning_rate: float,
    localization: float = 1.0,
    temperature: float | None = None,
    num_chains: int = 4,
    num_draws: int = 2000,
    burn_in: int = 1000,
    batch_size: int | None = None,
    layers: LayersArgument = None,
    optimizer: str = "lsgd",
    optimizer_arguments: dict[str, Any] | None = None,
    seed: int = 0,
    directory: str | Path | None = None,
    verbose: str | int = "auto",
) -> LearningCoefficient:
    """Estimates the local learning coefficient λ of a model at its weights w*.

        λ̂ = nβ · (E[L(w)] − L(w*)),   w ~ exp(−nβ L(w) − (κ/2)·|w − w*|²),   β = 1/T = 1/log n

    L is the mean of the compiled loss over n examples. docs/learning-coefficient.md says what L and w* must be, and how
    to choose the arguments.

    Args:
        model: a built Keras model that is compiled with a loss. Its weights do not change.
        x, y: arrays of shape `(n, ...)`, or structures of them.
        learning_rate: γ, float > 0.
        localization: κ, float > 0. Defaults to `1.0`.
        temperature: T, float > 0. Defaults to `None`, log n.
        num_chains: int >= 1. Defaults to `4`.
        num_draws: int >= 4, of each chain. Defaults to `2000`.
        burn_in: int >= 0, the first updates, which are discarded. Defaults to `1000`.
        batch_size: int, or `None` for all examples at once. Defaults to `None`.
        layers: the layers to sample, as for a Langevin optimizer. Defaults to `None` (all).
        optimizer: `"lsgd"`, `"baoab"`, `"sghmc"` or `"lrmsprop"` (with the drift Γ). Defaults to `"lsgd"`.
        optimizer_arguments: dict of other arguments of the optimizer. Defaults to `None`.
        seed: int >= 0, for noise and batches. Defaults to `0`.
        directory: path of a folder from which the same call resumes. Defaults to `None`.
        verbose: a progress bar, as in `fit`. Defaults to `"auto"`.

    Raises:
        ValueError: the loss at w* is not finite, a chain diverges, or the directory has chains of another call.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin.sampling import learning_coefficient
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    >>> model.compile(loss=lambda y, f: keras.ops.square(y - f) / 2)
    >>> x, y = np.ones((200, 2), "float32"), np.tile([[1.0], [-1.0]], (100, 1)).astype("float32")
    >>> found = learning_coefficient(model, x, y, learning_rate=0.05, num_draws=3000, verbose=0)
    >>> bool(abs(found.value - 0.5) < 0.1)
    True
    """
    diagnostics.arviz()  # raises an error before any work
    size = _checked_size(x, y)
    temperature = math.log(size) if temperature is None and size > 1 else temperature
    _check_numbers(learning_rate=learning_rate, localization=localization, temperature=temperature)
    check_int("num_chains", num_chains, 1)
    check_int("num_draws", num_draws, 4)
    check_int("burn_in", burn_in, 0)
    check_int("seed", seed, 0)
    batch_size = size if batch_size is None else batch_size
    check_int("batch_size", batch_size, 1)
    if batch_size > size:
        raise ValueError(
            f"`batch_size` must be at most {size}, the number of examples. Received: batch_size={batch_size}. Give "
            "None for all of them."
        )
    if optimizer not in SAMPLERS:
        raise ValueError(
            f"`optimizer` must be one whose law is known: {', '.join(map(repr, SAMPLERS))}. Received: "
            f"optimizer={optimizer!r}. Give its arguments as `optimizer_arguments`."
        )
    variables = _chosen(model, layers)
    loss = own_loss(model)
    if loss is None:
        raise ValueError(
            "`model` must be compiled with a loss. Received: a model without one. Call `model.compile(loss=...)`."
        )
    for line in list(warnings_of_losses(model)):  # the generator ignores warnings while it runs
        warnings.warn(line, stacklevel=2)
    scale = size / temperature
    batches = _batches((x, y), size, batch_size, seed)
    with restored(model):
        start = values_of(variables)
        arguments = {"learning_rate": learning_rate, "sigma": posterior_sigma(size, temperature), "seed": 0}
        sampler = registry.get(optimizer, **arguments, **SAMPLERS[optimizer] | (optimizer_arguments or {}))
        sampler.build(variables)
        pulls = [GaussianPrior(localization**-0.5, scale, center) for center in start]
        updates = LocalizedUpdates(model, loss, variables, pulls, sampler, batches)
        at_start = updates.losses()
        if not np.isfinite(at_start).all():
            raise ValueError(f"The loss must be finite at w*. Received: {at_start.mean()}. Check `x` and the weights.")
        call = {
            "weights": _digest(values_of(model.weights)),
            "data": _digest(keras.tree.flatten(batches)),
            "optimizer": sampler.get_config() | {"name": optimizer, "seed": seed},
            "numbers": [localization, temperature, burn_in, num_draws, batch_size],
            "layers": [variable.path for variable in variables],
        }
        run = _Run(updates, burn_in, num_draws, at_start, call, seed, directory, verbose, num_chains)
        losses = run.all_chains()
        descent = scale * run.descent()
    table = diagnostics.summary(diagnostics.inference_data({"loss": losses})).iloc[0]
    found = LearningCoefficient(
        losses,
        float(at_start.mean()),
        size,
        float(temperature),
        float(descent),
        float(table["r_hat"]),
        float(scale * table["mcse_mean"]),
    )
    for line in _doubts(found):
        warnings.warn(line, stacklevel=2)
    return found


class _Run:
    """All chains of a call. Each starts from the current state of `updates`."""

    def __init__(self, updates, burn_in, num_draws, at_start, call, seed, directory, verbose, num_chains):
        self.updates, self.burn_in, self.num_draws, self.at_start = updates, burn_in, num_draws, at_start
        self.call, self.seed, self.num_chains = call, seed, num_chains
        self.start = updates.state
        self.sigma = float(ops.convert_to_numpy(updates.optimizer.sigma))
        self.folder = None if directory is None else Path(directory)
        kept = [self._read(number) for number in range(num_chains)]  # raises an error before any work
        self.kept = kept
        self.length = burn_in + num_draws
        self.bar = keras.utils.Progbar(
            num_chains * self.length, verbose=1 if verbose == "auto" else verbose, unit_name="update"
        )

    def all_chains(self) -> np.ndarray:
        return np.stack([self._chain(number)[self.burn_in :] for number in range(self.num_chains)])

    def descent(self) -> float:
        """Returns how much updates without noise lower the loss: as many as in the burn-in, and at least `CHUNK`."""
        self.updates.state = self.start
        self.updates.optimizer.sigma = 0.0
        for order in _orders(max(self.burn_in, CHUNK), len(self.at_start), self.seed, self.num_chains):
            self.updates.run(order)
        found = self.at_start.mean() - self.updates.losses().mean()
        self.updates.optimizer.sigma = self.sigma
        return float(found)

    def _chain(self, number: int) -> np.ndarray:
        """Runs a chain. Returns L(w) − L(w*) of each update."""
        losses, state = self.kept[number] or ([], self.start)
        losses = list(losses)
        self.updates.state = state
        if not self.kept[number]:
            self.updates.optimizer.seed = chain_seed(self.seed, number)
        saved, done = time.monotonic(), 0
        self.bar.add(len(losses))
        for order in _orders(self.length, len(self.at_start), self.seed, number):
            done += len(order)
            if done <= len(losses):
                continue
            found = self.updates.run(order)
            if not np.isfinite(found).all():
                raise ValueError(
                    f"A chain must stay near w*. Received: a loss that is not finite in chain {number}, before update "
                    f"{done}. Lower `learning_rate`, or raise `localization`."
                )
            losses.extend(found - self.at_start[order])
            self.bar.add(len(order))
            if self.folder and (done == self.length or time.monotonic() - saved > _SAVED_EVERY):
                archive.write(self._path(number), self.call, [np.array(losses), *self.updates.state])
                saved = time.monotonic()
        return np.array(losses)

    def _path(self, number: int) -> Path:
        return self.folder / f"chain-{number}.npz"

    def _read(self, number: int):
        """Returns the losses and the state of a chain on the disk, or `None`."""
        if self.folder is None:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(number)
        if not path.exists():
            return None
        try:
            call, (losses, *state) = archive.read(path)
        except archive.UNREADABLE as error:
            raise ValueError(
                f"`directory` must hold chains of this call. Received: {path}, which is not readable as such "
                f"({type(error).__name__}: {str(error)[:200]}). Remove it, or choose another directory."
            ) from error
        different = [name for name in self.call if call.get(name) != self.call[name]]
        if different:
            raise ValueError(
                f"`directory` must hold chains of this call. Received: {path} of another one: its "
                f"{', '.join(different)} differ. Choose another directory."
            )
        return losses, state


def _orders(count: int, num_batches: int, seed: int, number: int):
    """Returns the batches of `count` updates: arrays of at most `CHUNK` indices. Each pass has its own order."""
    generator = np.random.default_rng([seed, number])
    passes = math.ceil(count / num_batches)
    order = np.concatenate([generator.permutation(num_batches) for _ in range(passes)])[:count]
    return [order[begin : begin + CHUNK] for begin in range(0, count, CHUNK)]


def _batches(data, size: int, batch_size: int, seed: int):
    """Returns structures of arrays of shape `(num_batches, batch_size, ...)`. Examples of the other batches fill up
    the last one."""
    chosen = np.arange(size)
    if batch_size < size:
        chosen = np.random.default_rng([seed, 0]).permutation(size)
        chosen = np.resize(chosen, math.ceil(size / batch_size) * batch_size)
    shape = (-1, batch_size)

    def of_each(array):
        array = as_fed(np.asarray(array))
        return array[chosen].reshape(*shape, *array.shape[1:])

    return keras.tree.map_structure(of_each, data)


def _doubts(found: LearningCoefficient):
    if found.descent > _DESCENT * max(found.value, 0.0):
        yield (
            "The weights must be near a local minimum of the loss. Received: weights from which updates without noise "
            f"lower nβ·L by {found.descent:.3g}, while the estimate is {found.value:.3g}. Train for longer, on the "
            "same loss without regularizers and dropout."
        )
    if found.value <= 0:
        yield (
            f"The estimate must be positive. Received: {found.value:.3g}. The chains find smaller losses than that of "
            "w*: train for longer, raise `localization`, or lower `learning_rate`."
        )
    if not found.r_hat <= _R_HAT:
        yield (
            f"The chains must agree and stay where they are. Received: R-hat={found.r_hat:.3f}. Raise `burn_in` and "
            "`num_draws`; where the trace (`plot_trace`) drifts, raise `localization` or lower `learning_rate`."
        )


def _chosen(model, layers) -> list:
    if not getattr(model, "built", False):
        raise ValueError("`model` must be built. Received: a model without weights. Call it on an example first.")
    return weights_of_layers(model, layers)


def _checked_size(x, y) -> int:
    sizes = {np.shape(array)[0] if np.ndim(array) else 0 for array in keras.tree.flatten((x, y))}
    if len(sizes) != 1 or sizes == {0}:
        raise ValueError(
            "`x` and `y` must be arrays, or structures of arrays, with the same number of examples. Received: "
            f"{sorted(sizes)} examples. Pass NumPy arrays."
        )
    return sizes.pop()


def _check_numbers(**numbers):
    for name, value in numbers.items():
        if not (is_real(value) and value > 0):
            raise ValueError(
                f"`{name}` must be a finite float > 0. Received: {name}={value!r}. Pass one, as in `{name}=1.0`."
            )


def _digest(arrays: list) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]
