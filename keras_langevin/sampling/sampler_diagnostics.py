"""`SamplerDiagnostics`."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_langevin import batches
from keras_langevin.optimizers import SGHMC, posterior_sigma
from keras_langevin.reading import number
from keras_langevin.sampling.metropolis import Proposals
from keras_langevin.sampling.potential import Point, Potential, langevin_optimizer
from keras_langevin.sampling.prior import GaussianPrior
from keras_langevin.sampling.temperature import temperature_faults
from keras_langevin.values import check_int, is_real

# A measure is wrong beyond these limits; if it is random, also beyond three standard errors.
_WIDTH = 0.2  # of the temperature: samples are 10% too wide
_ACCEPTANCE = 0.9
_SHARE = 0.1
_ERRORS = 3.0
_FEWEST = 10  # epochs, for a standard error


@dataclass(frozen=True)
class Diagnosis:
    """The measures of a sampler after an epoch.

    Attributes:
        epoch: int.
        configurational_temperature: float, relative to what σ says; NaN before the second epoch.
        kinetic_temperature: float, the same for the momentum; NaN without a momentum.
        acceptance: float, the probability that a Metropolis test accepts such a step.
        gradient_noise_share: float, the variance that batches add to a step, over that of its noise.
    """

    epoch: int
    configurational_temperature: float
    kinetic_temperature: float
    acceptance: float
    gradient_noise_share: float


NAMES = tuple(Diagnosis.__dataclass_fields__)[1:]


class SamplerDiagnostics(keras.callbacks.Callback):
    """A callback that measures whether a sampler samples exp(−2V/σ²), and says in one sentence what is wrong.

    At the end of each epoch, it passes over `x` and puts its measures into `logs`. docs/sampling.md lists them with
    their right values. `diagnosis` is the sentence; `faults` lists all of them, the worst first.

    Args:
        x, y, sample_weight: the training data, as for `fit`.
        batch_size: int, for arrays: the one of the training. Defaults to `None`, all examples in one batch.
        burn_in: int >= 0, the number of epochs to leave out. Defaults to `0`.
        data_size: N, int, to check `sigma` and the priors against. Defaults to `None`: no check.
        temperature: T, float > 0, to check against with `data_size`. Defaults to `1.0`.
        num_proposals: int >= 1, Metropolis proposals in each epoch. Defaults to `1`.
        seed: int, for the proposals. Defaults to `0`.
        verbose: int, 1 to print the sentence. Defaults to `1`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LSGD, SamplerDiagnostics, posterior_sigma
    >>> x = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    >>> model.compile(LSGD(0.05, sigma=10 * posterior_sigma(50), seed=0), loss="mse")
    >>> diagnostics = SamplerDiagnostics(x, x[:, :1], data_size=50, verbose=0)
    >>> _ = model.fit(x, x[:, :1], batch_size=50, epochs=20, callbacks=[diagnostics], verbose=0)
    >>> diagnostics.diagnosis[:69]
    'sigma=2 is a temperature of 100 with data_size=50, and 1 is wanted: t'

    References:
        H. H. Rugh, Physical Review Letters 78 (1997). G. O. Roberts and R. L. Tweedie, Bernoulli 2 (1996).

    Attributes:
        history: list of `Diagnosis`.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        batch_size: int | None = None,
        burn_in: int = 0,
        data_size: int | None = None,
        temperature: float = 1.0,
        num_proposals: int = 1,
        seed: int = 0,
        verbose: int = 1,
    ):
        super().__init__()
        check_int("burn_in", burn_in, 0, "the number of epochs that are left out")
        check_int("num_proposals", num_proposals, 1)
        if data_size is not None:
            check_int("data_size", data_size, 1, "the number of training examples")
        if not (is_real(temperature) and temperature > 0):
            raise ValueError(
                f"`temperature` must be a finite float > 0. Received: temperature={temperature!r}. Pass 1.0 for the "
                "posterior."
            )
        self.burn_in, self.data_size, self.temperature = burn_in, data_size, temperature
        self.num_proposals, self.verbose = num_proposals, verbose
        self._batches = batches.whole(x, y, sample_weight, batch_size)
        self._generator = np.random.default_rng(seed)
        self._model_of_potential = None
        self._begin_anew()

    def _begin_anew(self):
        self.history: list[Diagnosis] = []
        self._count = 0
        self._means = None
        self._products: list[float] = []
        self._stiffness = 0.0
        self._settings: list[str] = []

    # --- the callback -----------------------------------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        model = checked_sampler(self.model, type(self).__name__)
        if self._model_of_potential is not model:
            self._model_of_potential = model
            self._begin_anew()
        self._potential = Potential(model, self._batches)
        self._settings = [*self._of_sigma(), *self._of_priors(), *temperature_faults(model)]
        self._measured = None

    def before_epoch_end(self, epoch: int) -> None:
        """Measures, before other callbacks may change weights or settings at the end of the epoch."""
        self.model  # noqa: B018 (on JAX, Keras then writes the state of the steps back into the variables)
        self._measured = self.measure(epoch) if epoch >= self.burn_in else None

    def on_epoch_end(self, epoch, logs=None):
        if self._measured is None:
            self.before_epoch_end(epoch)  # if no `CallbackList` of Keras has called it
        measured, self._measured = self._measured, None
        if measured is not None and logs is not None:
            logs |= {name: getattr(measured, name) for name in NAMES}

    def on_train_end(self, logs=None):
        if self.verbose:
            print(f"SamplerDiagnostics: {self.diagnosis}")

    # --- the measures -----------------------------------------------------------------------------------------------

    def measure(self, epoch: int) -> Diagnosis:
        """Measures the sampler in its current state, and adds the result to `history`."""
        potential = self._potential
        potential.refresh()
        proposals, point = Proposals.of(potential), potential.at(potential.theta)
        rate = proposals.learning_rate
        self._add(point, proposals.time * rate * proposals.preconditioner)
        accepted = [proposals.propose(point, rate, self._generator)[1] for _ in range(self.num_proposals)]
        found = Diagnosis(
            epoch,
            self._configurational(proposals),
            self._kinetic(proposals),
            float(np.mean(accepted)),
            proposals.gradient_noise_share(point, rate),
        )
        self.history.append(found)
        return found

    def _add(self, point: Point, rate: np.ndarray):
        """Updates Welford's sums of products of the deviations of θ and ∇V from their means."""
        self._count += 1
        if self._means is None:
            self._means = [point.theta.copy(), point.gradient.copy()]
            return
        theta, gradient = self._means
        moved = point.theta - theta
        theta += moved / self._count
        changed = point.gradient - gradient
        gradient += changed / self._count
        rest = point.gradient - gradient
        self._products.append(float(moved @ rest))
        self._stiffness += float((rate * changed) @ rest)

    def _configurational(self, proposals: Proposals) -> float:
        self._expected = len(proposals.preconditioner) * proposals.sigma**2 / 2
        return float(np.mean(self._products)) / self._expected if self._products else math.nan

    def _kinetic(self, proposals: Proposals) -> float:
        optimizer = proposals.potential.optimizer
        if not isinstance(optimizer, SGHMC) or not optimizer.momentum:
            return math.nan
        noisy = [index for group in optimizer._noisy_groups() for index in group.indices]
        momentum = np.concatenate([np.ravel(ops.convert_to_numpy(optimizer.momentums[index])) for index in noisy])
        expected = proposals.sigma**2 / 2 * proposals.learning_rate / (1 - optimizer.friction / 2)
        return float(np.mean(np.square(momentum, dtype="float64"))) / expected

    @property
    def standard_error(self) -> float:
        """The standard error of `configurational_temperature`, from means of blocks; NaN for up to 10 epochs."""
        count = len(self._products)
        if count < _FEWEST:
            return math.nan
        blocks = [np.mean(block) for block in np.array_split(self._products, max(int(count**0.5), 5))]
        return float(np.std(blocks, ddof=1) / math.sqrt(len(blocks)) / self._expected)

    # --- the sentences ----------------------------------------------------------------------------------------------

    @property
    def diagnosis(self) -> str:
        """A sentence that says what is wrong, or that no fault was seen."""
        if self.faults:
            return self.faults[0]
        if not self.history:
            return "nothing was measured: `burn_in` is not over."
        temperature, error = self.history[-1].configurational_temperature, self.standard_error
        return f"nothing wrong was seen: the temperature is {temperature:.3g} ± {error:.2g} of what sigma says."

    @property
    def faults(self) -> list[str]:
        """A sentence for each fault. The first explains the most."""
        return [*self._settings, *self._of_law()]

    def _of_sigma(self) -> list[str]:
        if self.data_size is None:
            return []
        sigma, wanted = number(self._potential.optimizer.sigma), posterior_sigma(self.data_size, self.temperature)
        if math.isclose(sigma, wanted, rel_tol=1e-3):
            return []
        return [
            f"sigma={sigma:.3g} is a temperature of {(sigma / wanted) ** 2 * self.temperature:.3g} with "
            f"data_size={self.data_size}, and {self.temperature:g} is wanted: take "
            f"sigma=posterior_sigma({self.data_size}, {self.temperature:g}), {wanted:.3g}."
        ]

    def _of_priors(self) -> list[str]:
        if self.data_size is None:
            return []
        layers = self.model._flatten_layers()
        priors = [value for layer in layers for value in vars(layer).values() if isinstance(value, GaussianPrior)]
        sizes = sorted({prior.data_size for prior in priors} - {self.data_size})
        return [
            f"a GaussianPrior has data_size={size}, and {self.data_size} is that of the data: the prior counts "
            f"{self.data_size / size:.3g} times as much as it should."
            for size in sizes
        ]

    def _of_law(self) -> list[str]:
        if not self.history:
            return []
        latest = self.history[-1]
        acceptance, acceptance_error = _mean_and_error([each.acceptance for each in self.history])
        share = float(np.mean([each.gradient_noise_share for each in self.history]))
        found = []
        width, error = latest.configurational_temperature, self.standard_error
        is_wide, is_narrow = (
            math.isfinite(error) and sign * (width - 1) > max(_WIDTH, _ERRORS * error) for sign in (1, -1)
        )
        wide = f"samples are {math.sqrt(width) - 1:.0%} too wide" if is_wide else "steps are not those of the law"
        # In a direction with curvature h, finite steps make the variance 1/(1 − γPh/2) times too large.
        by_steps = self._stiffness / sum(self._products) / 2 if sum(self._products) > 0 else 0.0
        too_large = acceptance + _ERRORS * acceptance_error < _ACCEPTANCE or (is_wide and by_steps > _WIDTH / 2)
        if share > _SHARE and (not too_large or share > max(by_steps, 1 - acceptance)):
            found.append(
                f"batches are too small or the learning rate is too large: {wide}; the gradient's noise adds "
                f"{share:.0%} to the variance of the injected noise."
            )
        if too_large:
            found.append(
                f"the learning rate is too large: {wide}; a Metropolis step would accept {acceptance:.0%}. Lower it, "
                "by `tune_learning_rate`."
            )
        if is_wide and not found:
            found.append(f"{wide}, and neither learning rate nor batches explain it: is burn-in over?")
        if is_narrow:
            found.append(
                f"samples are {1 - math.sqrt(max(width, 0.0)):.0%} too narrow: the drift is larger than the noise is "
                "made for, or the chain has not moved through its law yet."
            )
        kinetic = [each.kinetic_temperature for each in self.history]
        mean, error = _mean_and_error(kinetic)
        if abs(mean - 1) > max(_WIDTH, _ERRORS * error):
            found.append(
                f"the momentum is at {mean:.3g} times the temperature that sigma says: the learning rate is too large, "
                "or batches add noise."
            )
        return found


def _mean_and_error(values: list[float]) -> tuple[float, float]:
    """Returns the mean and its standard error. For a single value the error is NaN, and nothing exceeds it."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(np.mean(values)), error


def checked_sampler(model, user: str):
    """Returns the model if it can sample, and builds its optimizer.

    Raises:
        ValueError: it is not compiled with one Langevin optimizer, is not built, or has no noise.
    """
    optimizer = langevin_optimizer(model)
    if not model.built:
        raise ValueError(
            f"`{user}` needs a model whose weights exist. Received a model that is not built: {model.name}. Start it "
            "with `keras.Input(shape)`."
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    if not number(optimizer.sigma) > 0 or not optimizer.noisy_layers:
        raise ValueError(
            f"`{user}` needs noise to sample with. Received: sigma={number(optimizer.sigma):g}, layers="
            f"{optimizer.layers!r}. Give a sigma > 0, as in `sigma=posterior_sigma(N)`, and noisy layers."
        )
    return model
