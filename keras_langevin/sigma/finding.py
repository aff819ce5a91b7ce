"""`find_sigma`."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_langevin import batches
from keras_langevin.callbacks.base import check_built, langevin_optimizers
from keras_langevin.callbacks.measurement import Change, Reader, Snapshot, rows
from keras_langevin.optimizers import Langevin
from keras_langevin.reading import number
from keras_langevin.sigma.restoring import Start, untouched
from keras_langevin.sigma.result import SigmaSearch
from keras_langevin.values import LARGEST, check_int, is_level

# How much a level may add to the loss. Measured with the nets and optimizers of benchmarks/find_sigma.py.
_EXCESS = 0.1  # in a trial: this share of the loss at the start, or of what the net learns if it learns
_LAW = 0.02  # in the long run: this share of the loss at the start,
_LAW_IF_LEARNING = 0.005  # or this share, if the net learns in a trial without noise
_MARGIN = 1.5  # safety factor between the level that the trials tolerate and the suggestion
_FROM_HARM = 2.0  # the smallest factor between a level that does harm and the suggestion
_STEP = math.sqrt(10)  # between neighbouring levels
_FINE = 10**0.126  # the search for the level that does harm ends at this factor: two bisections of a step
_FEWEST, _MOST = 10, 30  # updates of a trial
_LONGER = 3  # the factor by which the first trial, without noise, is longer, to see whether the net learns
_RUIN = 10.0  # a trial ends if the loss is this many times the loss at the start


class Trial(NamedTuple):
    """A few updates at one level.

    Attributes:
        sigma: float.
        loss: float, the mean over its second half; infinite if the weights are ruined.
        noise_to_drift: float, the ratio in its last update; NaN if the trial ended before.
        first: float, the loss of its first batch.
        later: float, for the trial without noise, which is longer: the mean loss of its last updates. Else NaN.
    """

    sigma: float
    loss: float
    noise_to_drift: float
    first: float
    later: float = math.nan


def find_sigma(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int = 32,
    epochs: int = 10,
    sigmas: Sequence[float] | None = None,
    num_sigmas: int = 10,
    verbose: str | int = "auto",
) -> SigmaSearch:
    """Suggests a noise level σ for a compiled model, from a few updates at each of several levels.

        suggestion = σ_law if the net learns without noise, otherwise max(σ_trial, σ_law); at most σ_harm / 2
        σ_trial = σ_harm / (1.5 · √(T/n)),   σ_law² · d/4 = 2% of the loss at the start (0.5% if the net learns)

    It makes n updates at each level. σ_harm is the lowest level that does harm, and d the number of noisy weights,
    see docs/choosing-sigma.md. Model, optimizer and random generators stay unchanged.

    Args:
        model: a built model that is compiled with a Langevin optimizer.
        x, y, sample_weight: the training data, as `fit` takes them, except a generator.
        batch_size: int, of arrays. Defaults to `32`.
        epochs: int >= 1, how many epochs the noise will last; T is their number of updates. Defaults to `10`.
        sigmas: floats > 0, the levels to try. Defaults to `None`: the search chooses them.
        num_sigmas: int >= 2, the maximum number of levels to try. Defaults to `10`.
        verbose: `"auto"` or 1 for a progress bar, 0 for none. Defaults to `"auto"`.

    Returns:
        `SigmaSearch`, with the suggestion as `sigma`, a `reason` and `plot()`.

    Raises:
        ValueError: the loss is not finite without noise, or the optimizer's sigma is a schedule.

    Example:

    >>> import keras, numpy as np
    >>> from keras_langevin import LAdam, find_sigma
    >>> x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> model.compile(LAdam(1e-2, seed=0), loss="mse")
    >>> search = find_sigma(model, x, x[:, :1], batch_size=16, verbose=0)
    >>> model.optimizer.sigma = search.sigma
    """
    optimizer = _checked_optimizer(model)
    check_int("batch_size", batch_size, 1)
    check_int("epochs", epochs, 1, "how long the noise is to last")
    check_int("num_sigmas", num_sigmas, 2, "how many levels are tried")
    levels = None if sigmas is None else _checked_levels(sigmas)
    most = num_sigmas if levels is None else len(levels)
    per_epoch = batches.num_batches(x, batch_size)
    accumulated = optimizer.gradient_accumulation_steps or 1
    per_trial = _FEWEST if per_epoch is None else per_epoch // ((most + _LONGER) * accumulated)
    updates = min(max(per_trial, _FEWEST), _MOST)
    of_training = max(epochs * (per_epoch or updates * most) // accumulated, updates)
    bar = keras.utils.Progbar(
        (most + _LONGER) * updates * accumulated,
        verbose=1 if verbose == "auto" else verbose,
        stateful_metrics=["sigma", "loss"],
    )
    with untouched(model) as start:
        some = batches.take(x, y, sample_weight, batch_size, _LONGER * updates * accumulated)
        trials = _Trials(model, optimizer, start, some[: updates * accumulated], bar)
        without = trials.run(0.0, some)
        if not math.isfinite(without.loss + without.later):
            raise ValueError(
                f"The loss must be finite without noise. Received: {without.later} within {len(some)} batches with "
                f"learning_rate={number(optimizer.learning_rate):g}. Lower the learning rate, or check the data."
            )
        share = _LAW_IF_LEARNING if _is_learning(without) else _LAW
        by_law = 2 * math.sqrt(share * _scale(without) / trials.num_noisy)
        allowed = without.loss + _allowed(without)
        if levels is None:
            _bracket(trials, min(by_law, LARGEST / _STEP**most), allowed, most)
        else:
            for level in levels:
                trials.run(level)
    bar.update(bar.target, finalize=True)
    return _result(trials.done, without, allowed, by_law, share, updates, of_training, trials.num_noisy)


def _scale(without: Trial) -> float:
    """Returns the size of the loss, which may be negative or close to 0 at the start."""
    return max(abs(without.first), abs(without.first - without.loss), float(np.finfo("float32").tiny))


def _allowed(without: Trial) -> float:
    """Returns how much higher a trial's loss may be than without noise: a share of what was learned if that is much,
    otherwise a share of the loss."""
    learned = max(without.first - without.loss, 0.0)
    learns = min(learned / (_EXCESS * _scale(without)), 1.0)
    return _EXCESS * (learns * learned + (1 - learns) * _scale(without))


def _is_learning(without: Trial) -> bool:
    """Whether the net learns by itself, so that it needs no noise to start."""
    return without.first - without.later > _EXCESS / 2 * _scale(without)


def _bracket(trials: "_Trials", level: float, allowed: float, most: int):
    """Tries levels until one does harm and the next lower one does not, then levels between them."""
    harmless, harm = 0.0, math.inf
    for _ in range(most):
        if trials.run(level).loss > allowed:
            harm = min(harm, level)
        else:
            harmless = max(harmless, level)
        if harmless == 0:
            level = harm / _STEP
        elif harm == math.inf:
            level = harmless * _STEP
        elif harm / harmless < _FINE:
            return
        else:
            level = math.sqrt(harmless * harm)


class _Trials:
    """Runs trials, each from the same start.

    Args:
        model: the compiled model.
        optimizer: its Langevin optimizer.
        start: `Start` of the model.
        some: list of batches, the steps of a trial.
        bar: `keras.utils.Progbar`.
    """

    def __init__(self, model, optimizer: Langevin, start: Start, some: list[tuple], bar):
        self._model, self._optimizer, self._start, self._some, self._bar = model, optimizer, start, some, bar
        self._reader = Reader(optimizer)
        self._initial = self._reader.weights()
        self._steps = 0
        self.done: list[Trial] = []
        shapes = [optimizer._trainable_variables[i].shape for group in optimizer._noisy_groups() for i in group.indices]
        self.num_noisy = sum(math.prod(shape) for shape in shapes)

    def run(self, sigma: float, longer: Sequence[tuple] = ()) -> Trial:
        """Runs a trial at one level; with `longer` on these batches, which begin with those of a trial."""
        some = longer or self._some
        self._start.restore()
        self._optimizer.sigma = sigma
        losses, before, ratio = [], None, math.nan
        last = len(some) - (self._optimizer.gradient_accumulation_steps or 1)
        for step, (x, y, sample_weight) in enumerate(some):
            if step == last:
                before = Snapshot(self._reader, several=False)
            logs = self._model.train_on_batch(x, y, sample_weight, return_dict=True)
            losses.append(float(logs["loss"]))
            self._steps += 1
            if self._steps < self._bar.target:  # the last is shown at the end
                self._bar.update(self._steps, [("sigma", sigma), ("loss", losses[-1])])
            if self.done and not losses[-1] < _RUIN * _scale(self.done[0]) + abs(losses[0]):
                losses = [math.inf]
                break
        else:
            updates = int(number(self._optimizer.iterations))
            with np.errstate(all="ignore"):
                change = Change(self._reader, before if before.updates < updates else None, updates)
                ratio = rows(0, [change], [self._initial])[0].noise_to_drift
        count = len(self._some)
        own, later = losses[:count], _mean(losses[-count:]) if longer else math.nan
        found = Trial(sigma, _mean(own[len(own) // 2 :]), ratio, losses[0], later)
        self.done.append(found)
        return found


def _mean(losses: list[float]) -> float:
    """Returns the mean of a trial's losses, infinite if the weights are ruined."""
    return float(np.mean(losses)) if np.isfinite(losses).all() else math.inf


def _result(done, without, allowed, by_law, share, updates, of_training, num_noisy) -> SigmaSearch:
    trials = sorted(done[1:])
    harmless = [trial.sigma for trial in itertools.takewhile(lambda trial: trial.loss <= allowed, trials)]
    rest = trials[len(harmless) :]
    below = harmless[-1] if harmless else None
    harm = below if below and not rest else rest[0].sigma
    if below and rest:  # between the two, and near the lower one if they are far apart
        harm = below * math.sqrt(min(harm / below, _STEP))
    spread = _MARGIN * math.sqrt(of_training / updates)
    by_trials = harm / spread
    if not harmless:
        sigma = min(by_trials, by_law)
    else:  # a net that learns without noise needs none to start
        sigma = min(by_law if _is_learning(without) else max(by_trials, by_law), harm / _FROM_HARM)
    return SigmaSearch(
        sigma=sigma,
        reason=_reason(sigma, by_trials, by_law, share, harm, harmless, rest, updates, of_training, num_noisy),
        sigmas=np.array([trial.sigma for trial in trials]),
        losses=np.array([trial.loss for trial in trials]),
        noise_to_drift=np.array([trial.noise_to_drift for trial in trials]),
        loss_without_noise=without.loss,
        allowed_loss=allowed,
        loss_at_start=without.first,
        num_updates=updates,
    )


def _reason(sigma, by_trials, by_law, share, harm, harmless, rest, updates, of_training, num_noisy) -> str:
    if not rest:
        tolerated = f"the model tolerates sigma={harm:.2g}, the largest that was tried, for {updates} updates"
    elif not harmless:
        tolerated = f"even sigma={harm:.2g}, the smallest that was tried, raises the loss within {updates} updates"
    else:
        tolerated = f"the model tolerates up to about sigma={harm:.2g} for {updates} updates"
    if sigma == by_trials:
        why = f"noise adds up: over {of_training:,} updates it tolerates 1/{harm / by_trials:.0f} of it"
    elif sigma == by_law:
        why = f"in the long run this level adds at most {share:.1%} of the loss by {num_noisy:,} noisy weights"
    else:
        why = "the suggestion stays a factor of 2 below it"
    return f"sigma={sigma:.2g}: {tolerated}, and {why}."


# --- checks -----------------------------------------------------------------------------------------------------------


def _checked_optimizer(model) -> Langevin:
    found = langevin_optimizers(model, "find_sigma")
    check_built(model, "find_sigma")
    if len(found) > 1:
        raise ValueError(
            "`find_sigma` needs a model with one Langevin optimizer. Received: a `MultiOptimizer` with "
            f"{len(found)}. For the search, compile the model with one of them, and choose its layers by `layers=`."
        )
    (optimizer,) = found
    if not isinstance(optimizer._sigma, keras.Variable):
        raise ValueError(
            "`find_sigma` sets the noise level, so `sigma` must be a float. Received an optimizer whose sigma is "
            f"{optimizer._sigma!r}. Compile the model with `{type(optimizer).__name__}(sigma=1e-3)`, and make a "
            "schedule from the level that was found."
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    if not any(group.indices for group in optimizer._noisy_groups()):
        raise ValueError(
            f"`find_sigma` needs an optimizer with noisy layers. Received: layers={optimizer.layers!r}, which chooses "
            "none. Choose some, as in `layers=None` for all."
        )
    return optimizer


def _checked_levels(sigmas) -> list[float]:
    levels = list(sigmas) if not isinstance(sigmas, float | int | str) else []
    if not levels or not all(is_level(level) and level > 0 for level in levels):
        raise ValueError(
            f"`sigmas` must be finite floats > 0. Received: sigmas={sigmas!r}. Give the levels to try, as in "
            "`sigmas=[1e-4, 1e-3, 1e-2]`, or leave it out."
        )
    return sorted(float(level) for level in levels)
