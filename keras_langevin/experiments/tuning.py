"""The search for each optimizer's learning rate and sigma, on the validation split, with one budget for all.

Every optimizer has the same number of trials: its default, the paper's rates if they are in the range and not the
default, and points of the Halton sequence (Halton 1960) from a tenth to ten times the default, on a logarithmic scale.
The best trial has the highest mean validation accuracy; among equals, the lowest mean loss; among these, it is the
first. If the best trial of an optimizer is at an edge of what it tried, all get a third as many more trials, a factor
of ten beyond the edge or around their best, at most twice. No point is tried twice. If trials are shorter than the
runs, the best three of each optimizer are trained again in full length, and the best of these is chosen: noise that
does no harm in a short training may do so in a long one. A search resumes from the records of its trials.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from keras_langevin.experiments.config import NO_SEARCH, Comparison, OptimizerSpec
from keras_langevin.experiments.optimizer_specs import FAMILIES
from keras_langevin.experiments.store import Store
from keras_langevin.files import replaced, writing_to
from keras_langevin.names import digest
from keras_langevin.values import is_number

FILE = "tuning.json"
_SEARCHED = ("learning_rate", "sigma")
_DECADES = {None: (-1, 1), "lowest": (-1, 0), "highest": (0, 1)}  # around the best, by where it lies
_EXTENSIONS = 2
_FINALS = 3  # of short trials, how many are trained again in full length


class Stage(StrEnum):
    """Why trials are trained, as the command says it."""

    FIRST = "First, learning rates and sigma are searched on the validation split"
    WIDER = "The best trial of an optimizer is at the edge of its range: the search continues"
    FINAL = "The best trials of each optimizer are trained again, as long as the runs"


@dataclass(frozen=True)
class Trial:
    """One point of a search and its result for each seed; `None` for a run that diverged or failed."""

    learning_rate: float
    sigma: float | None  # `None` for an optimizer without noise
    validation_accuracies: tuple[float | None, ...]  # in [0, 1], at the end of training
    validation_losses: tuple[float | None, ...]
    is_final: bool = False  # one of the best of the shorter trials, in full length

    @property
    def arguments(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in _SEARCHED if getattr(self, name) is not None}

    @property
    def validation_accuracy(self) -> float:
        """The mean over seeds; a run that diverged or failed counts as 0."""
        return math.fsum(value or 0.0 for value in self.validation_accuracies) / len(self.validation_accuracies)


@dataclass(frozen=True)
class Search:
    """The trials of an optimizer; the first has its default values, and the last may be final ones."""

    trials: tuple[Trial, ...]

    @property
    def finals(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.is_final)

    @property
    def chosen(self) -> Trial:
        """The best trial, of the final ones if there are any."""
        return self.best(1)[0]

    def best(self, number: int) -> list[Trial]:
        """Returns the best trials; a loss counts as infinite where a run diverged or failed."""

        def merit(trial: Trial):
            losses = [math.inf if value is None else value for value in trial.validation_losses]
            return -trial.validation_accuracy, sum(losses) / len(losses)

        return sorted(self.finals or self.trials, key=merit)[:number]

    @property
    def edges(self) -> dict[str, str]:
        """The arguments for which the best trial has the `"lowest"` or `"highest"` value that was tried."""
        found = {}
        for name, best in self.chosen.arguments.items():
            values = [getattr(trial, name) for trial in self.trials]
            if min(values) < max(values) and best in (min(values), max(values)):
                found[name] = "lowest" if best == min(values) else "highest"
        return found


def points(comparison: Comparison, arm: OptimizerSpec, search: Search = Search(())) -> list[dict[str, float]]:
    """Returns learning rate, and sigma if the optimizer has one, of the first trials or of those that extend `search`.

    >>> points(Comparison(tuning_trials=3), OptimizerSpec("ladam"))
    [{'learning_rate': 0.001, 'sigma': 0.001}, {'learning_rate': 0.005, 'sigma': 0.005}, \
{'learning_rate': 0.00316, 'sigma': 0.000167}]
    """
    from scipy.stats import qmc  # slow to import

    done = len(search.trials)
    centre, edges = (search.chosen.arguments, search.edges) if done else (comparison.arguments(arm), {})
    spans = {name: _DECADES[edges.get(name)] for name in _SEARCHED if name in centre}
    number = math.ceil(comparison.tuning_trials / (3 if done else 1))
    places = qmc.Halton(2, scramble=False).random(2 * done + number + 1)[done + 1 :]
    if not done:
        places[0] = 0.5
    drawn = [
        {
            name: float(f"{centre[name] * 10.0 ** ((high - low) * place + low):.3g}")
            for (name, (low, high)), place in zip(spans.items(), point, strict=False)
        }
        for point in places
    ]
    tried = [trial.arguments for trial in search.trials]
    found = [point for point in drawn if point not in tried][:number]  # about another centre some points come again
    paper = dict(zip(spans, FAMILIES[arm.family].paper, strict=False))
    is_in_range = all(0.1 <= rate / centre[name] <= 10 for name, rate in paper.items())
    if not done and len(found) > 1 and is_in_range and paper != found[0]:
        found[1] = paper
    return found


def settled(jobs: Sequence, train: Callable[[list, Stage], None]) -> list:
    """Returns the jobs with what their trials chose. `train` trains the trials; `tuning.json` keeps the choice."""
    searches = {
        number: dict.fromkeys(job.comparison.arms, Search(()))
        for number, job in enumerate(jobs)
        if job.comparison.tuning_trials and not (job.store.folder / FILE).exists()
    }
    for stage in (Stage.FIRST, *[Stage.WIDER] * _EXTENSIONS, Stage.FINAL):
        fresh = {
            (number, arm): _trials(jobs[number], arm, search, stage)
            for number, own in searches.items()
            if _is_needed(stage, jobs[number].comparison, own)
            for arm, search in own.items()
        }
        if fresh:
            train([trial for trials in fresh.values() for trial in trials], stage)
        for (number, arm), trials in fresh.items():
            found = (replace(_trial(trial), is_final=stage is Stage.FINAL) for trial in trials)
            searches[number][arm] = Search((*searches[number][arm].trials, *found))
    for number, own in searches.items():
        path, content = jobs[number].store.folder / FILE, {"made_for": _made_for(jobs[number])}
        content |= {arm.spec: [asdict(trial) for trial in search.trials] for arm, search in own.items()}
        with writing_to(path.parent), replaced(path) as file:
            json.dump(content, file, indent=1)
    return [_chosen(job) if job.comparison.tuning_trials else job for job in jobs]


def read(path: Path) -> dict[str, Search]:
    """Returns the searches in `tuning.json`, by optimizer as written. Raises `ValueError` for another file."""
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, str], dict[str, Search]]:
    """Returns what the searches were made for, and the searches."""
    try:
        content = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict) or not isinstance(made_for := content.pop("made_for", None), dict):
            raise ValueError("it is not an object, or has no object `made_for`")
        if not all(isinstance(trials, list) and trials for trials in content.values()):
            raise ValueError("`made_for` aside, it is not an object of lists of trials")
        return made_for, {spec: Search(tuple(map(_checked, trials))) for spec, trials in content.items()}
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path} must be what a search wrote. Received: {type(error).__name__}: {error}. "
            "Remove it to choose again from the trials on record."
        ) from error


def _checked(trial: dict) -> Trial:
    rates = [trial[name] for name in _SEARCHED]
    values = [tuple(trial[f"validation_{name}"]) for name in ("accuracies", "losses")]
    numbers = [rates[0], *(number for number in (rates[1], *values[0], *values[1]) if number is not None)]
    if not all(map(is_number, numbers)) or not any(values):
        raise ValueError(f"a trial's numbers must be finite, not {trial}")
    return Trial(*rates, *values, trial.get("is_final") is True)


def _has_finals(comparison: Comparison) -> bool:
    return (comparison.tuning_epochs or comparison.epochs) < comparison.epochs


def _is_needed(stage: Stage, comparison: Comparison, searches: dict[OptimizerSpec, Search]) -> bool:
    if stage is Stage.FINAL:
        return _has_finals(comparison)
    return any(not search.trials or search.edges for search in searches.values())


def _trials(job, arm: OptimizerSpec, search: Search, stage: Stage) -> list:
    found, whole, is_final = [], job.comparison, stage is Stage.FINAL
    epochs = whole.epochs if is_final else whole.tuning_epochs or whole.epochs
    shared = NO_SEARCH | {"seeds": whole.tuning_seeds, "epochs": epochs, "optimizers": (arm.spec,), "sigma": None}
    tried = [trial.arguments for trial in search.best(_FINALS)] if is_final else points(whole, arm, search)
    for number, values in enumerate(tried, start=len(search.trials)):
        comparison = replace(whole, **shared | values)
        folder = job.store.folder / "tuning" / f"{job.store.name(arm)}-{number}"
        store = Store(folder, comparison, job.store.data_sha256, **job.store.found | {"trial": True})
        found.append(job._replace(comparison=comparison, store=store))
    return found


def _trial(job) -> Trial:
    records, (arm,) = job.store.records(), job.comparison.arms
    if len(records) < job.comparison.seeds:
        raise ValueError(
            f"All runs of a trial must be on record. Received: {len(records)} of {job.comparison.seeds} in "
            f"{job.store.folder}. Train all jobs that `train` is given."
        )
    ended = [record if record["status"] == "finished" else {} for record in records]
    values = (tuple(record.get(f"validation_{name}") for record in ended) for name in ("accuracy", "loss"))
    return Trial(*(job.comparison.arguments(arm).get(name) for name in _SEARCHED), *values)


def _made_for(job) -> dict[str, str]:
    return {"configuration": digest(job.store.identity), "data_sha256": job.store.data_sha256}


def _chosen(job):
    """Returns the job with what its file chose."""
    path, first = job.store.folder / FILE, job.comparison.tuning_trials
    found_for, searches = _read(path)
    different = [f"another {name}" for name, value in _made_for(job).items() if found_for.get(name) != value]
    if any(bool(search.finals) != _has_finals(job.comparison) for search in searches.values()):
        different.append("no final trials" if _has_finals(job.comparison) else "final trials")
    expected = {arm.spec: points(job.comparison, arm) for arm in job.comparison.arms}
    found = {spec: [trial.arguments for trial in search.trials[:first]] for spec, search in searches.items()}
    if different or found != expected or len({len(search.trials) for search in searches.values()}) > 1:
        raise ValueError(
            f"{path} must be of the search for this comparison, with the {first} trials of each of "
            f"{', '.join(expected)}, and equally many more. Received one with {' and '.join(different) or 'others'}. "
            "Remove it to choose again from the trials on record."
        )
    return job._replace(chosen={spec: search.chosen.arguments for spec, search in searches.items()})
