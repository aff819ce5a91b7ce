"""The numbers of a report: a summary of each optimizer, its difference to its parent, Holm's correction over all."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from keras_langevin.experiments.checkpoint import CURVES
from keras_langevin.experiments.config import Arm
from keras_langevin.experiments.records import Run
from keras_langevin.experiments.report.collecting import Cell, settings_key, titles
from keras_langevin.experiments.statistics import (
    Difference,
    Share,
    Summary,
    holm,
    paired_difference,
    probability_of_improvement,
    share,
    summary,
)
from keras_langevin.names import unknown

# Fewer seeds conclude nothing: their interval takes a normal law for granted, which four values cannot make plausible.
ENOUGH_SEEDS = 5


@dataclass(frozen=True)
class Failures:
    """How many runs failed, each counted once.

    Attributes:
        at_chance: int, runs that finished at chance level.
        diverged: int, runs whose loss was not finite; their accuracy counts.
        failed: int, runs that ended with an error, so that there is no accuracy.
    """

    at_chance: int
    diverged: int
    failed: int


@dataclass(frozen=True)
class ArmResult:
    """One optimizer under one setting.

    Attributes:
        arm: the optimizer.
        label: str, as tables show it.
        runs: its runs, by seed.
        num_planned: int, how many seeds the configurations ask for.
    """

    arm: Arm
    label: str
    runs: tuple[Run, ...]
    num_planned: int

    @cached_property
    def accuracy(self) -> Summary:
        """Of the test accuracies in percent, over the runs that did not end with an error."""
        return summary([100 * run.test_accuracy for run in self.runs if run.status != "failed"])

    @property
    def trained(self) -> Share:
        """The share that finished above chance level, of the runs that did not end with an error."""
        return share(sum(run.trained for run in self.runs), self.accuracy.num_seeds)

    @property
    def failures(self) -> Failures:
        statuses = [run.status for run in self.runs]
        at_chance = sum(run.at_chance for run in self.runs)
        return Failures(at_chance, statuses.count("diverged"), statuses.count("failed"))


@dataclass(frozen=True)
class PairedResult:
    """An optimizer's test accuracy minus its parent's on equal seeds, in percentage points.

    Attributes:
        label, parent: str, as tables show them.
        seeds: tuple of int, those that both have an accuracy for.
        diverged: tuple of bool, for each of these seeds whether a run of the pair diverged.
        difference: the values, mean, interval and p.
        improvement: float, the probability that a run of the optimizer is better than one of its parent.
        is_fair: bool, whether both have the same ε.
        holm_p_value: float, p by Holm's correction over all differences of the report.
    """

    label: str
    parent: str
    seeds: tuple[int, ...]
    diverged: tuple[bool, ...]
    difference: Difference
    improvement: float
    is_fair: bool = True
    holm_p_value: float = float("nan")

    @property
    def enough_seeds(self) -> bool:
        """Whether a conclusion may rest on the interval."""
        return len(self.seeds) >= ENOUGH_SEEDS

    @property
    def interval(self) -> tuple[float, float]:
        return self.difference.low, self.difference.high

    @property
    def name(self) -> str:
        return f"{self.label} − {self.parent}" + ("" if self.is_fair else " (unequal ε)")


@dataclass(frozen=True)
class CellResult:
    """One setting.

    Attributes:
        cell: the setting and its runs.
        title: str, what tells it from the others of the report.
        arms: a result for each optimizer.
        pairs: a result for each optimizer that has a seed in common with its parent.
    """

    cell: Cell
    title: str
    arms: tuple[ArmResult, ...]
    pairs: tuple[PairedResult, ...]

    def curves(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, list[np.ndarray]]]:
        """A curve of every optimizer, one of `CURVES`, by its label; accuracies are in percent.

        Returns:
            dict of arrays of shape `(num_seeds, num_epochs)`, without optimizers of which no run finished; dict of
            lists of arrays of shape `(num_epochs_before,)`, of the runs that diverged.

        Raises:
            ValueError: there is no such curve.
        """
        if name not in CURVES:
            raise unknown("curve", name, CURVES)
        factor = 100 if name.endswith("accuracy") else 1
        finished, diverged = {}, {}
        for arm in self.arms:
            curves = [(run.status, factor * np.array(run.curves[name], float)) for run in arm.runs]
            whole = [curve for status, curve in curves if status == "finished" and len(curve)]
            if whole:
                longest = max(map(len, whole))
                finished[arm.label] = np.array([curve for curve in whole if len(curve) == longest])
            diverged[arm.label] = [curve for status, curve in curves if status == "diverged"]
        return finished, diverged


@dataclass(frozen=True)
class DepthGroup:
    """Nets of one family, data and settings, of two depths or more.

    Attributes:
        title: str, what tells it from the other groups of the report.
        series: dict from the name of a difference, `L-Adam − Adam`, to a dict from depth to the difference.
    """

    title: str
    series: dict[str, dict[int, PairedResult]]


def analyse(cells: list[Cell]) -> list[CellResult]:
    """The numbers of a report over what `collect` returned; Holm's family is all differences of all cells."""
    results = []
    for cell, title in zip(cells, titles(cells), strict=True):
        arms = (ArmResult(arm, cell.label(arm), cell.of(arm), cell.num_planned(arm)) for arm in cell.arms)
        results.append(CellResult(cell, title, tuple(arms), tuple(_pairs(cell))))
    adjusted = iter(holm([pair.difference.p_value for result in results for pair in result.pairs]).tolist())
    return [
        replace(result, pairs=tuple(replace(pair, holm_p_value=next(adjusted)) for pair in result.pairs))
        for result in results
    ]


def _pairs(cell: Cell):
    for arm in cell.arms:
        parent = cell.parent(arm)
        own, others = in_common(cell, arm, parent) if parent else ([], [])
        if own:
            accuracies = [[100 * run.test_accuracy for run in runs] for runs in (own, others)]
            diverged = ("diverged" in (run.status, other.status) for run, other in zip(own, others, strict=True))
            yield PairedResult(
                cell.label(arm),
                cell.label(parent),
                tuple(run.seed for run in own),
                tuple(diverged),
                paired_difference(*accuracies),
                probability_of_improvement(*accuracies),
                cell.is_fair(arm, parent),
            )


def in_common(cell: Cell, arm: Arm, other: Arm) -> tuple[list[Run], list[Run]]:
    """The runs of two optimizers on the seeds for which both have an accuracy, by seed."""
    own, others = ({run.seed: run for run in cell.of(each) if run.status != "failed"} for each in (arm, other))
    seeds = sorted(own.keys() & others.keys())
    return [own[seed] for seed in seeds], [others[seed] for seed in seeds]


def depth_groups(results: list[CellResult]) -> list[DepthGroup]:
    """The groups of a report that differ in depth alone, the number at the end of the model's name."""
    groups: dict[tuple, list[CellResult]] = {}
    for result in results:
        family, depth = result.cell.family_and_depth
        if depth is not None:
            settings = {name: value for name, value in result.cell.settings.items() if name != "model"}
            groups.setdefault((family, settings_key(settings)), []).append(result)
    deep = [group for group in groups.values() if len(group) > 1]
    first = [group[0].cell for group in deep]
    subjects = [f"{cell.family_and_depth[0]} on {cell.dataset_label}" for cell in first]
    found = []
    for title, group in zip(titles(first, subjects), deep, strict=True):
        series = {}
        for result in group:
            for pair in result.pairs:
                series.setdefault(pair.name, {})[result.cell.family_and_depth[1]] = pair
        if any(len(points) > 1 for points in series.values()):
            found.append(DepthGroup(title, series))
    return found
