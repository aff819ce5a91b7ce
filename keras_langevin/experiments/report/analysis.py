"""The numbers of a report: a summary of each optimizer, its difference to its parent, Holm's correction over all."""

from dataclasses import dataclass, replace

from keras_langevin.experiments.config import Arm
from keras_langevin.experiments.report.cells import Cell, titles
from keras_langevin.experiments.report.runs import Run
from keras_langevin.experiments.statistics import Difference, Summary, holm, paired_difference, summary

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
        accuracy: summary of the test accuracies in percent, over the runs that did not end with an error.
        failures: their counts.
    """

    arm: Arm
    label: str
    runs: tuple[Run, ...]
    num_planned: int
    accuracy: Summary
    failures: Failures


@dataclass(frozen=True)
class PairedResult:
    """An optimizer's test accuracy minus its parent's on equal seeds, in percentage points.

    Attributes:
        label, parent: str, as tables show them.
        seeds: tuple of int, those that both have an accuracy for.
        diverged: tuple of bool, for each of these seeds whether a run of the pair diverged.
        difference: the values, mean, interval and p.
        holm_p_value: float, p by Holm's correction over all differences of the report.
        is_fair: bool, whether both have the same ε.
    """

    label: str
    parent: str
    seeds: tuple[int, ...]
    diverged: tuple[bool, ...]
    difference: Difference
    holm_p_value: float = float("nan")
    is_fair: bool = True

    @property
    def enough_seeds(self) -> bool:
        """Whether a conclusion may rest on the interval."""
        return len(self.seeds) >= ENOUGH_SEEDS

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


def analyse(cells: list[Cell]) -> list[CellResult]:
    """The numbers of a report; Holm's family is all differences of all cells.

    Args:
        cells: what `collect` returned.
    """
    results = [
        CellResult(cell, title, tuple(_arm_result(cell, arm) for arm in cell.arms), tuple(_pairs(cell)))
        for cell, title in zip(cells, titles(cells), strict=True)
    ]
    adjusted = iter(holm([pair.difference.p_value for result in results for pair in result.pairs]).tolist())
    return [
        replace(result, pairs=tuple(replace(pair, holm_p_value=next(adjusted)) for pair in result.pairs))
        for result in results
    ]


def _arm_result(cell: Cell, arm: Arm) -> ArmResult:
    runs = cell.of(arm)
    failures = Failures(
        at_chance=sum(run.at_chance for run in runs),
        diverged=sum(run.status == "diverged" for run in runs),
        failed=sum(run.status == "failed" for run in runs),
    )
    accuracy = summary([100 * run.test_accuracy for run in runs if run.status != "failed"])
    return ArmResult(arm, cell.label(arm), runs, cell.num_planned(arm), accuracy, failures)


def _pairs(cell: Cell):
    for arm in cell.arms:
        parent = cell.parent(arm)
        if parent is None:
            continue
        own, others = in_common(cell, arm, parent)
        if own:
            accuracies = ([100 * run.test_accuracy for run in runs] for runs in (own, others))
            difference = paired_difference(*accuracies)
            seeds = tuple(run.seed for run in own)
            diverged = tuple("diverged" in (run.status, other.status) for run, other in zip(own, others, strict=True))
            is_fair = cell.is_fair(arm, parent)
            yield PairedResult(cell.label(arm), cell.label(parent), seeds, diverged, difference, is_fair=is_fair)


def in_common(cell: Cell, arm: Arm, other: Arm) -> tuple[list[Run], list[Run]]:
    """The runs of two optimizers on the seeds for which both have an accuracy, by seed."""
    own, others = ({run.seed: run for run in cell.of(each) if run.status != "failed"} for each in (arm, other))
    seeds = sorted(own.keys() & others.keys())
    return [own[seed] for seed in seeds], [others[seed] for seed in seeds]
