"""The search for each optimizer's learning rate and sigma, on the validation split, with one budget for all.

Every optimizer has equally many trials, the parent as many as its Langevin optimizer. The first is its default; the
others are points of the Halton sequence (Halton 1960) on a logarithmic scale, from a tenth to ten times the default: in
the k-th trial all optimizers have the same multiple of their learning rate. The trial with the highest mean validation
accuracy at the end of training is chosen; of equal ones, that with the lower mean validation loss, then the earlier.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.store import Store
from keras_langevin.files import replaced, writing_to
from keras_langevin.names import digest
from keras_langevin.values import is_number

FILE = "tuning.json"
_MADE_FOR = "made_for"  # beside the optimizers; files of the first version have none
FACTOR = 10.0  # a search goes so far below and above the default


@dataclass(frozen=True)
class Trial:
    """One point of a search, and what it gave.

    Attributes:
        learning_rate: float.
        sigma: float, or `None` for an optimizer without noise.
        validation_accuracies: tuple of floats in [0, 1], at the end of training, one for each seed; `None` for a run
            that diverged or failed.
        validation_losses: the same of the loss.
    """

    learning_rate: float
    sigma: float | None
    validation_accuracies: tuple[float | None, ...]
    validation_losses: tuple[float | None, ...]

    @property
    def arguments(self) -> dict[str, float]:
        """The learning rate, and sigma where there is one."""
        values = {"learning_rate": self.learning_rate, "sigma": self.sigma}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def validation_accuracy(self) -> float:
        """The mean over seeds; a run that diverged or failed counts as 0."""
        return math.fsum(value or 0.0 for value in self.validation_accuracies) / len(self.validation_accuracies)

    @property
    def validation_loss(self) -> float:
        """The mean over seeds; infinite where a run diverged or failed."""
        losses = [math.inf if value is None else value for value in self.validation_losses]
        return sum(losses) / len(losses)


@dataclass(frozen=True)
class Search:
    """All trials of an optimizer; the first has its default values.

    Attributes:
        trials: tuple of `Trial`.
    """

    trials: tuple[Trial, ...]

    @property
    def chosen(self) -> Trial:
        """The best trial on the validation split.

        >>> default, other = Trial(1e-3, None, (0.9,), (0.5,)), Trial(5e-3, None, (0.9,), (0.4,))
        >>> Search((default, other)).chosen.learning_rate
        0.005
        """
        return max(self.trials, key=lambda trial: (trial.validation_accuracy, -trial.validation_loss))

    @property
    def at_edge(self) -> list[str]:
        """Where the choice is the lowest or the highest of the search: a wider one may find a better.

        >>> trials = [Trial(rate, None, (accuracy,), (1.0,)) for rate, accuracy in ((1e-3, 0.5), (5e-3, 0.9))]
        >>> Search(tuple(trials)).at_edge
        ['the highest learning rate']
        """
        found = []
        for name, chosen in self.chosen.arguments.items():
            values = sorted(getattr(trial, name) for trial in self.trials)
            if values[0] < values[-1]:
                ends = {values[0]: "lowest", values[-1]: "highest"}
                end = ends.get(chosen)
                found += [f"the {end} {name.replace('_', ' ')}"] if end else []
        return found


def points(comparison: Comparison, arm: Arm) -> list[dict[str, float]]:
    """The learning rate, and sigma where the optimizer has one, of each trial; the centre are those of the comparison
    where they are given, else the optimizer's own.

    >>> points(Comparison(tuning_trials=3), Arm("ladam"))
    [{'learning_rate': 0.001, 'sigma': 0.001}, {'learning_rate': 0.000316, 'sigma': 0.00215}, \
{'learning_rate': 0.00316, 'sigma': 0.000167}]
    """
    from scipy.stats import qmc  # which takes long to import

    centre = comparison.arguments(arm)
    names = [name for name in ("learning_rate", "sigma") if name in centre]
    sequence = qmc.Halton(2, scramble=False).random(comparison.tuning_trials + 1)[1:]
    sequence[:1] = 0.5
    return [
        {
            name: float(f"{centre[name] * FACTOR ** (2 * place - 1):.3g}")
            for name, place in zip(names, point, strict=False)
        }
        for point in sequence
    ]


def trials(jobs: Sequence) -> list:
    """The jobs to be trained before those that are to be tuned and have not been, in folders below theirs."""
    unsettled = (job for job in jobs if not (job.store.folder / FILE).exists())
    return [trial for job in unsettled for group in _trials(job).values() for trial in group]


def settled(jobs: Sequence) -> list:
    """The jobs with what their trials chose. It is written to `tuning.json`, which from then on decides.

    Args:
        jobs: sequence of `runner.Job`, whose `trials` are on record.

    Raises:
        ValueError: a trial is not on record, or the file is none of this search: of another configuration, or other
            data.
        StorageError: the file cannot be written.
    """
    return [_settled(job) if job.comparison.tuning_trials else job for job in jobs]


def read(path: Path) -> dict[str, Search]:
    """The searches in `tuning.json`, by optimizer as written.

    Raises:
        ValueError: the file cannot be read, or is none.
    """
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, str], dict[str, Search]]:
    """What the searches were made for, and the searches."""
    try:
        content = json.loads(path.read_text("utf-8"))
        made_for = content.pop(_MADE_FOR, {}) if isinstance(content, dict) else {}
        if not isinstance(made_for, dict):
            raise ValueError(f"`{_MADE_FOR}` is no object")
        if not isinstance(content, dict) or not all(isinstance(trials, list) and trials for trials in content.values()):
            raise ValueError("no object of lists of trials")
        return made_for, {spec: Search(tuple(map(_checked, trials))) for spec, trials in content.items()}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path} must be what a search wrote. Received: {type(error).__name__}: {error}. "
            "Remove it to choose again from the trials on record."
        ) from error


def _checked(trial: dict) -> Trial:
    rates = [trial["learning_rate"], trial["sigma"]]
    values = [tuple(trial[f"validation_{name}"]) for name in ("accuracies", "losses")]
    numbers = [rates[0], *(number for number in (rates[1], *values[0], *values[1]) if number is not None)]
    if not all(map(is_number, numbers)) or not any(values):
        raise ValueError(f"a trial's numbers must be finite, not {trial}")
    return Trial(*rates, *values)


def _trials(job) -> dict[Arm, list]:
    found = {}
    for arm in job.comparison.arms if job.comparison.tuning_trials else ():
        found[arm] = []
        for number, values in enumerate(points(job.comparison, arm)):
            comparison = replace(
                job.comparison,
                optimizers=(arm.spec,),
                **{"sigma": None, **values},
                seeds=job.comparison.tuning_seeds,
                tuning_trials=0,
                tuning_seeds=1,
            )
            folder = job.store.folder / "tuning" / f"{job.store.name(arm)}-{number}"
            store = Store(folder, comparison, job.store.data_sha256, **job.store.found | {"trial": True})
            found[arm].append(job._replace(comparison=comparison, store=store))
    return found


def _settled(job):
    arms, path = job.comparison.arms, job.store.folder / FILE
    made_for = {"configuration": digest(job.store.identity), "data_sha256": job.store.data_sha256}
    if not path.exists():
        searches = {arm.spec: [asdict(_trial(trial)) for trial in group] for arm, group in _trials(job).items()}
        with writing_to(path.parent), replaced(path) as file:
            json.dump({_MADE_FOR: made_for} | searches, file, indent=1)
    found_for, searches = _read(path)
    different = [name for name, value in made_for.items() if value and found_for.get(name, value) not in (value, "")]
    if different:
        raise ValueError(
            f"{path} must be of the search for this comparison. Received one that was made for another "
            f"{' and other '.join(different)}. Remove it to choose again from the trials on record."
        )
    expected = {arm.spec: points(job.comparison, arm) for arm in arms}
    found = {spec: [trial.arguments for trial in search.trials] for spec, search in searches.items()}
    if found != expected:
        raise ValueError(
            f"{path} must have the {job.comparison.tuning_trials} trials of each of {', '.join(expected)}. "
            f"Received others. Remove it to choose again from the trials on record."
        )
    return job._replace(chosen={spec: search.chosen.arguments for spec, search in searches.items()})


def _trial(job) -> Trial:
    records, (arm,) = job.store.records(), job.comparison.arms
    if len(records) < job.comparison.seeds:
        raise ValueError(
            f"All runs of a trial must be on record. Received: {len(records)} of {job.comparison.seeds} in "
            f"{job.store.folder}. Train tuning.trials(jobs) first."
        )
    ended = [record if record["status"] == "finished" else {} for record in records]
    arguments = job.comparison.arguments(arm)
    return Trial(
        arguments["learning_rate"],
        arguments.get("sigma"),
        tuple(record.get("validation_accuracy") for record in ended),
        tuple(record.get("validation_loss") for record in ended),
    )
