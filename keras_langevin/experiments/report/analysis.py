"""The numbers of a report: each optimizer's difference to its parent, Holm's correction over all, groups by depth."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from keras_langevin.experiments.report.collecting import SettingResult, settings_key, titles
from keras_langevin.experiments.statistics import Difference, holm, paired_difference, probability_of_improvement

# Fewer seeds conclude nothing: their interval assumes a normal distribution, which four values cannot make plausible.
ENOUGH_SEEDS = 5


@dataclass(frozen=True)
class PairedResult:
    """An optimizer's test accuracy minus its parent's on equal seeds, in percentage points."""

    label: str
    parent: str
    seeds: tuple[int, ...]  # those for which both have an accuracy
    diverged: tuple[bool, ...]  # for each of these seeds whether a run of the pair diverged
    difference: Difference
    improvement: float  # the probability that a run of the optimizer is better than one of its parent
    holm_p_value: float = float("nan")  # p by Holm's correction over all differences of the report

    @property
    def may_conclude(self) -> bool:
        return len(self.seeds) >= ENOUGH_SEEDS

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
        return f"{self.label} − {self.parent}"


class DepthGroup(NamedTuple):
    """Nets of the same family, data and settings, with two or more depths."""

    title: str  # distinguishes it from the other groups of the report
    series: dict[str, dict[int, PairedResult]]  # by the name of a difference, `L-Adam − Adam`, then by depth

    @property
    def differences(self) -> dict[str, dict[int, np.ndarray]]:
        return {name: {d: pair.difference.values for d, pair in own.items()} for name, own in self.series.items()}

    @property
    def intervals(self) -> dict[str, dict[int, tuple[float, float]]]:
        return {name: {d: pair.interval for d, pair in own.items()} for name, own in self.series.items()}


def analyse(settings: list[SettingResult]) -> list[SettingResult]:
    """Adds titles and differences to what `collect` returned. Holm's family is all differences of all settings."""
    pairs = [tuple(_pairs(result)) for result in settings]
    adjusted = iter(holm([pair.difference.p_value for own in pairs for pair in own]).tolist())
    return [
        replace(result, title=title, pairs=tuple(replace(pair, holm_p_value=next(adjusted)) for pair in own))
        for result, title, own in zip(settings, titles(settings), pairs, strict=True)
    ]


def _pairs(result: SettingResult):
    for arm in result.arms:
        parent = result.parent(arm.arm)
        if runs := arm.in_common(parent) if parent else []:
            accuracies = np.transpose([[100 * run.test_accuracy for run in pair] for pair in runs])
            yield PairedResult(
                arm.label,
                parent.label,
                tuple(run.seed for run, _ in runs),
                tuple("diverged" in (run.status, other.status) for run, other in runs),
                paired_difference(*accuracies),
                probability_of_improvement(*accuracies),
            )


def depth_groups(results: list[SettingResult]) -> list[DepthGroup]:
    """Groups settings that differ only in depth, which is the number at the end of the model's name."""
    groups: dict[tuple, list[SettingResult]] = {}
    for result in results:
        family, depth = result.family_and_depth
        if depth is not None:
            groups.setdefault((family, settings_key(result.settings | {"model": None})), []).append(result)
    deep = [group for group in groups.values() if len(group) > 1]
    first = [group[0] for group in deep]
    subjects = [f"{result.family_and_depth[0]} on {result.dataset_label}" for result in first]
    found = [DepthGroup(title, {}) for title in titles(first, subjects)]
    for (_, series), group in zip(found, deep, strict=True):
        for result in group:
            for pair in result.pairs:
                series.setdefault(pair.name, {})[result.family_and_depth[1]] = pair
    return [group for group in found if any(len(points) > 1 for points in group.series.values())]
