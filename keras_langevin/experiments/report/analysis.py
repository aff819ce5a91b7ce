"""The numbers of a report: each optimizer's difference to its parent, Holm's correction over all, groups by depth."""

from dataclasses import dataclass, replace

import numpy as np

from keras_langevin.experiments.records import CURVES
from keras_langevin.experiments.report.collecting import OptimizerResult, SettingRuns, settings_key, titles
from keras_langevin.experiments.statistics import Difference, holm, paired_difference, probability_of_improvement
from keras_langevin.names import unknown

# Fewer seeds conclude nothing: their interval takes a normal law for granted, which four values cannot make plausible.
ENOUGH_SEEDS = 5


@dataclass(frozen=True)
class PairedResult:
    """An optimizer's test accuracy minus its parent's on equal seeds, in percentage points."""

    label: str
    parent: str
    seeds: tuple[int, ...]  # those that both have an accuracy for
    diverged: tuple[bool, ...]  # for each of these seeds whether a run of the pair diverged
    difference: Difference
    improvement: float  # the probability that a run of the optimizer is better than one of its parent
    is_fair: bool = True  # whether both have the same ε
    holm_p_value: float = float("nan")  # p by Holm's correction over all differences of the report

    @property
    def may_conclude(self) -> bool:
        """Whether a conclusion may rest on the interval."""
        return self.is_fair and len(self.seeds) >= ENOUGH_SEEDS

    @property
    def verdict(self) -> str:
        """`"better"` or `"worse"` than the parent; empty where no difference is shown."""
        if not self.may_conclude or self.difference.contains_zero:
            return ""
        return "better" if self.difference.mean > 0 else "worse"

    @property
    def interval(self) -> tuple[float, float]:
        return self.difference.low, self.difference.high

    @property
    def name(self) -> str:
        return f"{self.label} − {self.parent}" + ("" if self.is_fair else " (unequal ε)")


@dataclass(frozen=True)
class SettingResult:
    """One setting."""

    cell: SettingRuns
    title: str  # what tells it from the others of the report
    pairs: tuple[PairedResult, ...]  # one for each optimizer that has a seed in common with its parent

    @property
    def arms(self) -> tuple[OptimizerResult, ...]:
        return self.cell.arms

    def curves(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, list[np.ndarray]]]:
        """By optimizer one of `CURVES`, accuracies in percent: arrays of finished runs, lists of diverged."""
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
    """Nets of one family, data and settings, of two depths or more."""

    title: str  # what tells it from the other groups of the report
    series: dict[str, dict[int, PairedResult]]  # by the name of a difference, `L-Adam − Adam`, then by depth

    @property
    def differences(self) -> dict[str, dict[int, np.ndarray]]:
        return {name: {d: pair.difference.values for d, pair in own.items()} for name, own in self.series.items()}

    @property
    def intervals(self) -> dict[str, dict[int, tuple[float, float]]]:
        return {name: {d: pair.interval for d, pair in own.items()} for name, own in self.series.items()}


def analyse(cells: list[SettingRuns]) -> list[SettingResult]:
    """The numbers of a report over what `collect` returned; Holm's family is all differences of all cells."""
    results = [
        SettingResult(cell, title, tuple(_pairs(cell))) for cell, title in zip(cells, titles(cells), strict=True)
    ]
    adjusted = iter(holm([pair.difference.p_value for result in results for pair in result.pairs]).tolist())
    return [
        replace(result, pairs=tuple(replace(pair, holm_p_value=next(adjusted)) for pair in result.pairs))
        for result in results
    ]


def _pairs(cell: SettingRuns):
    for arm in cell.arms:
        parent = cell.parent(arm.arm)
        runs = arm.in_common(parent) if parent else []
        if runs:
            accuracies = np.transpose([[100 * run.test_accuracy for run in pair] for pair in runs])
            yield PairedResult(
                arm.label,
                parent.label,
                tuple(run.seed for run, _ in runs),
                tuple("diverged" in (run.status, other.status) for run, other in runs),
                paired_difference(*accuracies),
                probability_of_improvement(*accuracies),
                cell.is_fair(arm.arm, parent.arm),
            )


def depth_groups(results: list[SettingResult]) -> list[DepthGroup]:
    """The groups of a report that differ in depth alone, the number at the end of the model's name."""
    groups: dict[tuple, list[SettingResult]] = {}
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
