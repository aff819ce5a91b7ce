"""What the paper claims, and whether the results on record support it. No Keras."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
from scipy import stats

from keras_langevin.experiments import paper, report
from keras_langevin.experiments.optimizer_specs import OptimizerSpec
from keras_langevin.experiments.report.analysis import ENOUGH_SEEDS
from keras_langevin.experiments.report.collecting import SettingResult
from keras_langevin.experiments.report.words import with_interval
from keras_langevin.experiments.statistics import Difference, paired_difference
from keras_langevin.names import count

MARGIN = 1.0  # percentage points: two optimizers that differ by less are called equally good
RULE = (
    "A difference supports a claim where its 95% interval lies "
    'above zero ("better", "gains", "grows", "helps", "is worth it"), '
    f'within ±{MARGIN:g} point ("changes little") or above −{MARGIN:g} point ("no worse"). '
    'Else it refutes the claim where the interval excludes zero: it lies below, for "changes little" on either side. '
    "The p-values of all differences in the table are corrected together by Benjamini and Hochberg's procedure: a "
    "difference whose corrected p is above 0.05 supports nothing. "
    "A claim holds where every difference supports it, and holds partly where some do. "
    "Where none does, it does not hold if one refutes it, and is not shown if none does. "
    f"Fewer than {ENOUGH_SEEDS} seeds conclude nothing. "
    "With six seeds or more the interval is that of Fisher's sign-flip test, with five that of Student's t test."
)


class Expects(StrEnum):
    """What a claim says about a mean difference in test accuracy; `RULE` says when results support or refute it."""

    BETTER = "better"
    GROWS = "grows"
    SAME = "same"
    NO_WORSE = "no worse"


class Verdict(StrEnum):
    """Whether a claim holds, by `RULE`."""

    HOLDS = "holds"
    PARTLY = "holds partly"
    NOT = "does not hold"
    NOT_SHOWN = "not shown"
    OPEN = "not measured"


@dataclass(frozen=True)
class Claim:
    """A line of claims.csv."""

    text: str
    source: str  # where the paper makes it, or that it is ours
    presets: tuple[str, ...]  # the presets that measure it
    expects: Expects
    optimizers: tuple[str, ...]  # those that are compared, as in `OptimizerSpec`
    models: tuple[str, ...]  # for `GROWS` the shallowest and the deepest; else each counts, in each setting
    against: str = ""  # the optimizer to compare with; empty: the parent of each, or with `beside` the same optimizer
    beside: str = ""  # the model in which `against` is trained; empty: the same model
    dataset: str = "mnist"


@dataclass(frozen=True)
class Finding:
    """One difference that a claim is about, in percentage points."""

    name: str  # what is compared, and where
    difference: Difference
    holds: bool  # whether it supports the claim
    refutes: bool  # whether it contradicts the claim
    p_value: float = 1.0  # of the null hypothesis: the difference is zero, or is outside the margin
    trained: tuple[int, int] | None = None  # how many of these seeds trained above chance level, if not all did

    def __str__(self) -> str:
        seeds = count(len(self.difference.values), "seed")
        trained = " (trained: {} against {})".format(*self.trained) if self.trained else ""
        return f"{self.name}: {with_interval(self.difference)}, {seeds}{trained}"


@dataclass(frozen=True)
class Judgement:
    """A claim and its findings."""

    claim: Claim
    findings: tuple[Finding, ...]
    commands: tuple[str, ...] = ()  # these train the runs of its presets

    @property
    def verdict(self) -> Verdict:
        if not self.findings:
            return Verdict.OPEN
        holding = [finding.holds for finding in self.findings]
        if any(holding):
            return Verdict.HOLDS if all(holding) else Verdict.PARTLY
        return Verdict.NOT if any(finding.refutes for finding in self.findings) else Verdict.NOT_SHOWN


def _claims() -> tuple[Claim, ...]:
    with open(Path(__file__).with_name("claims.csv"), newline="", encoding="utf-8") as file:
        return tuple(
            Claim(
                **row
                | {"expects": Expects(row["expects"])}
                | {name: tuple(row[name].split()) for name in ("presets", "optimizers", "models")}
            )
            for row in csv.DictReader(file)
        )


CLAIMS = _claims()  # the lines of claims.csv; the paper's RMSprop has ε outside the root


def judge(folder: str | Path, claims: Sequence[Claim] = CLAIMS) -> list[Judgement]:
    """Judges each claim by the results in the folders of presets below `folder`."""

    @cache
    def found_in(*names: str) -> list[SettingResult]:
        places = [Path(folder) / name for name in names]
        return report.analyse(report.collect(places)) if all(place.is_dir() for place in places) else []

    results = {names: found_in(*names) for names in {claim.presets for claim in claims}}
    commands = {name: _command(name, found_in(name), folder) for names in results for name in names}
    found = {claim: list(_findings(claim, results[claim.presets])) for claim in claims}
    p_values = [finding.p_value for findings in found.values() for finding in findings]
    corrected = iter(stats.false_discovery_control(p_values) if p_values else ())
    return [
        Judgement(
            claim,
            tuple(replace(each, holds=next(corrected) <= 0.05 and each.holds) for each in findings),
            tuple(commands[name] for name in claim.presets),
        )
        for claim, findings in found.items()
    ]


def text(judgements: Sequence[Judgement]) -> str:
    """Returns the rule and a table of all claims in Markdown, with the commands that measure each."""
    rows = [
        RULE,
        "",
        "| claim | found, in percentage points of test accuracy | verdict | command |",
        "| --- | --- | --- | --- |",
    ]
    for judgement in judgements:
        claim = judgement.claim
        found = "<br>".join(map(str, judgement.findings)) or "-"
        commands = "<br>".join(f"`{command}`" for command in judgement.commands)
        rows.append(f"| {claim.text} ({claim.source}) | {found} | {judgement.verdict} | {commands} |")
    return "\n".join(rows)


def _command(name: str, results: list[SettingResult], folder: str | Path) -> str:
    """Returns the command that trained a preset, with its seeds if they differ; at scale cpu if no scale matches."""
    names = ("model", "dataset", "limit", "epochs", "tuning_trials")
    found = {tuple(result.settings[each] for each in names) for result in results}
    chosen, seeds = "cpu", ""
    for scale in paper.SCALES:
        comparisons = paper.sweep(name, scale).comparisons
        if found == {tuple(getattr(comparison, each) for each in names) for comparison in comparisons}:
            number = max(arm.num_planned for result in results for arm in result.arms)
            chosen, seeds = scale, "" if number == comparisons[0].seeds else f" --seeds {number}"
            break
    return f"keras-langevin reproduce {name} --scale {chosen}{seeds} --out {Path(folder) / name}"


def _findings(claim: Claim, results: list[SettingResult]):
    about = [(each, model) for model in claim.models for each in results if _is_of(each, claim.dataset, model)]
    for spec in claim.optimizers:
        arm = OptimizerSpec(spec)
        other = OptimizerSpec(claim.against or (spec if claim.beside else arm.parent))
        compared = []  # setting, model, setting of the other, their runs of equal seeds
        for each, model in about:
            beside = _beside(each, claim, results)
            if pairs := _pairs(each, arm, beside, other):
                compared.append((each, model, beside, pairs))
        pair = f"{arm.label} − {other.label}"
        if claim.expects is not Expects.GROWS:
            for each, _, beside, pairs in compared:
                name = f"{arm.label}, {each.title} − {other.label}, {beside.title}"
                name = f"{pair}, {each.title}" if beside is each else name
                gains = _gains(pairs)
                trained = tuple(sum(run.trained for run in runs) for runs in zip(*pairs, strict=True))
                yield _finding(claim, name, gains, dict.fromkeys(gains, 0.0), trained)
        elif tuple(model for _, model, *_ in compared) == claim.models:
            shallow, deep = (_gains(pairs) for *_, pairs in compared)
            yield _finding(claim, f"{pair}, {claim.models[1]} beside {claim.models[0]}", deep, shallow)


def _beside(result: SettingResult, claim: Claim, results: list[SettingResult]) -> SettingResult | None:
    """Returns the setting to compare a result with: itself, or the same setting with the model `beside`."""
    settings = {**result.settings, "model": claim.beside or result.settings["model"]}
    return next((each for each in results if each.settings == settings), None)


def _is_of(result: SettingResult, dataset: str, model: str) -> bool:
    return (result.comparison.dataset, result.comparison.model) == (dataset, model)


def _pairs(result: SettingResult, arm: OptimizerSpec, beside: SettingResult | None, other: OptimizerSpec) -> list:
    own, others = result.find(arm), beside and beside.find(other)
    return own.in_common(others) if own and others else []


def _gains(pairs: list) -> dict[int, float]:
    """Returns the difference in percentage points for each seed."""
    return {run.seed: 100 * (run.test_accuracy - beside.test_accuracy) for run, beside in pairs}


def _finding(
    claim: Claim,
    name: str,
    gains: dict[int, float],
    others: dict[int, float],
    trained: tuple[int, int] | None = None,
) -> Finding:
    seeds = sorted(gains.keys() & others.keys())
    own, other = (np.array([values[seed] for seed in seeds]) for values in (gains, others))
    difference = paired_difference(own, other)
    low, high = difference.low, difference.high
    holds, refutes = {
        Expects.BETTER: (low > 0, high < 0),
        Expects.GROWS: (low > 0, high < 0),
        Expects.SAME: (low > -MARGIN and high < MARGIN, high < 0 or low > 0),
        Expects.NO_WORSE: (low > -MARGIN, high < 0),
    }[claim.expects]
    bounds = {Expects.SAME: (-MARGIN, MARGIN), Expects.NO_WORSE: (-MARGIN,)}.get(claim.expects, (0.0,))
    p_value = max(paired_difference(own, other + bound).p_value for bound in bounds)
    enough = len(seeds) >= ENOUGH_SEEDS
    some_failed = trained if trained and min(trained) < len(seeds) else None
    return Finding(name, difference, enough and holds, enough and refutes and not holds, p_value, some_failed)
