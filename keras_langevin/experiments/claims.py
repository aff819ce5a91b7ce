"""What the paper claims, and whether the results on record bear it out. No Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from keras_langevin.experiments import paper, report
from keras_langevin.experiments.arms import Arm
from keras_langevin.experiments.report.analysis import ENOUGH_SEEDS, CellResult, in_common
from keras_langevin.experiments.report.formatting import count, signed
from keras_langevin.experiments.statistics import Difference, paired_difference

MARGIN = 1.0  # percentage points: two optimizers that differ by less are called equally good
RULE = (
    "A difference bears a claim out where its 95% interval lies "
    'above zero ("better", "gains", "grows", "helps", "is worth it"), '
    f'within ±{MARGIN:g} point ("changes little") or above −{MARGIN:g} point ("no worse"). '
    'Else it refutes the claim where the interval excludes zero: it lies below, for "changes little" on either side. '
    "A claim holds where every difference bears it out, and holds partly where some do. "
    "Where none does, it does not hold if one refutes it, and is not shown if none does. "
    f"Fewer than {ENOUGH_SEEDS} seeds conclude nothing. "
    "With six seeds or more the interval is that of Fisher's sign-flip test, with five that of Student's t test."
)


class Expects(StrEnum):
    """What a claim says of a mean difference in test accuracy.

    It is borne out where the 95% interval lies above zero (`BETTER`, `GROWS`), within ±1 point (`SAME`), or above −1
    point (`NO_WORSE`). Else it is refuted where the interval excludes zero: below it, or for `SAME` on either side.
    Where the interval contains zero, it is open.
    """

    BETTER = "better"
    GROWS = "grows"
    SAME = "same"
    NO_WORSE = "no worse"


class Verdict(StrEnum):
    """Whether a claim holds: in every difference that it is about, or in some. Where none bears it out, it does not
    hold if one refutes it, and is not shown if none does: more seeds may tell. With arms of unequal ε there is no
    verdict."""

    HOLDS = "holds"
    PARTLY = "holds partly"
    NOT = "does not hold"
    NOT_SHOWN = "not shown"
    UNFAIR = "no verdict: unequal ε"
    OPEN = "not measured"


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        text: str, the claim.
        source: str, where the paper makes it, or that it is ours.
        preset: str, the preset that measures it.
        expects: `Expects`.
        optimizers: tuple of str, as in `Arm`, which are compared.
        models: tuple of str: for `GROWS` the shallowest and the deepest, else each counts, under each setting that its
            preset has.
        against: str, the optimizer that they are compared with; empty for the parent of each. Defaults to empty.
        dataset: str, the data. Defaults to `"mnist"`.
    """

    text: str
    source: str
    preset: str
    expects: Expects
    optimizers: tuple[str, ...]
    models: tuple[str, ...]
    against: str = ""
    dataset: str = "mnist"


@dataclass(frozen=True)
class Finding:
    """One difference that a claim is about.

    Attributes:
        name: str, what is compared, and where.
        difference: the values of each seed, their mean and its interval, in percentage points.
        holds: bool, whether it bears the claim out.
        refutes: bool, whether it says the contrary.
        is_fair: bool, whether both arms had the same ε. Defaults to `True`.
    """

    name: str
    difference: Difference
    holds: bool
    refutes: bool
    is_fair: bool = True

    def __str__(self) -> str:
        d = self.difference
        interval = f" [{signed(d.low)}, {signed(d.high)}]" if d.method else ""
        unequal = "" if self.is_fair else " (unequal ε)"
        return f"{self.name}: {signed(d.mean)}{interval}, {count(len(d.values), 'seed')}{unequal}"


@dataclass(frozen=True)
class Judgement:
    """A claim with what was found.

    Attributes:
        claim: the claim.
        findings: a finding for each difference that it is about.
        scale: str, of the preset as it was trained; where it was not, the smallest that gives a verdict.
        seeds: int, how many were trained, where those of the preset are not as many. Defaults to `None`.
    """

    claim: Claim
    findings: tuple[Finding, ...]
    scale: str = "cpu"
    seeds: int | None = None

    @property
    def verdict(self) -> Verdict:
        if not self.findings:
            return Verdict.OPEN
        if not all(finding.is_fair for finding in self.findings):
            return Verdict.UNFAIR
        holding = [finding.holds for finding in self.findings]
        if all(holding):
            return Verdict.HOLDS
        if any(holding):
            return Verdict.PARTLY
        return Verdict.NOT if any(finding.refutes for finding in self.findings) else Verdict.NOT_SHOWN


# The paper's RMSprop has ε outside the root.
_LANGEVIN = ("ladam", "lrmsprop-eps-outside", "ladadelta", "lsgd")
_LAYERS = ("ladam@0.3", "lrmsprop-eps-outside@0.3", "ladadelta@0.3")
_UNTUNED = ("ladam", "lrmsprop-eps-outside", "lrmsprop", "ladadelta")
CLAIMS = (
    Claim("In shallow nets noise changes little.", "Figure 1", "figure-1", Expects.SAME, _LANGEVIN, ("dense-3",)),
    Claim(
        "In very deep nets Langevin optimizers are better than their parents.",
        *("Figure 1", "figure-1", Expects.BETTER, _LANGEVIN, ("dense-30", "dense-40")),
    ),
    Claim(
        "The deeper the net, the larger the gain.",
        *("Figure 1", "figure-1", Expects.GROWS, _LANGEVIN, ("dense-3", "dense-40")),
    ),
    Claim(
        "At equal ε and default rates noise changes little in shallow nets.",
        *("ours, after Figure 1", "equal-epsilon", Expects.SAME, _UNTUNED, ("dense-3",)),
    ),
    Claim(
        "At equal ε and default rates a net of 30 layers gains by noise.",
        *("ours, after Figure 1", "equal-epsilon", Expects.BETTER, _UNTUNED, ("dense-30",)),
    ),
    Claim(
        "At equal ε and default rates a net of 40 layers gains by noise.",
        *("ours, after Figure 1", "equal-epsilon", Expects.BETTER, _UNTUNED, ("dense-40",)),
    ),
    Claim(
        "With less noise and a higher learning rate than by default, a very deep net gains with Adadelta too.",
        *("ours, after Figure 1", "adadelta-rates", Expects.BETTER, ("ladadelta",), ("dense-30", "dense-40")),
    ),
    Claim(
        "Noise in the first 35 updates alone is enough for a gain.",
        *("ours, after Figure 1", "first-updates", Expects.BETTER, ("first-35-ladam",), ("dense-40",)),
    ),
    Claim(
        "Noise in the first 35 updates is no worse than noise in two thirds of the training.",
        *("ours, after Figure 1", "first-updates", Expects.NO_WORSE, ("first-35-ladam",), ("dense-40",), "ladam"),
    ),
    Claim(
        "With 1.12 times the initial kernels noise changes little.",
        *("ours, after Figure 1", "first-updates", Expects.SAME, ("ladam",), ("gain-1.12-dense-40",)),
    ),
    Claim(
        "A very deep net gains by noise whatever its learning rate is.",
        *("ours, after Figure 1", "learning-rates", Expects.BETTER, ("ladam",), ("dense-40",)),
    ),
    Claim(
        "A highway net of 80 layers gains by noise.",
        *("Figure 2", "figure-2", Expects.BETTER, _LANGEVIN[:3], ("highway-80",)),
        dataset="cifar10",
    ),
    Claim(
        "Noise on the first 30% of the layers is no worse than noise on all.",
        *("Figure 3", "figure-3", Expects.NO_WORSE, ("ladam@0.3",), ("dense-30",), "ladam"),
    ),
    Claim(
        "Noise on the first layers is better than on as many of the last.",
        *("ours, after Figure 3", "figure-3", Expects.BETTER, ("ladam@0.3",), ("dense-30",), "ladam@-9"),
    ),
    Claim(
        "ResNet-20 gains by noise on the first 30% of its layers.",
        *("Table 1", "table-1", Expects.BETTER, _LAYERS, ("resnet-20",)),
        dataset="cifar10",
    ),
    Claim(
        "A DenseNet gains by noise on the first 30% of its layers.",
        *("Table 2", "table-2", Expects.BETTER, _LAYERS, ("densenet-40", "densenet-13")),
        dataset="cifar10",
    ),
    Claim(
        "In highway nets, too, the gain grows with depth.",
        *("ours, after Figure 2", "highway-depth", Expects.GROWS, ("ladam",), ("highway-10", "highway-80")),
    ),
    Claim(
        "Behind convolutions, too, a very deep dense net gains by noise.",
        *("ours, after its nets on CIFAR-10", "conv-dense-depth", Expects.BETTER, ("ladam",), ("conv-dense-30",)),
    ),
    Claim(
        "Noise on the first layers is better than on as many that are drawn at random.",
        *("ours", "controls", Expects.BETTER, ("ladam@0.3",), ("dense-30",), paper.NINE_AT_RANDOM),
    ),
    Claim(
        "Langevin's noise is better than isotropic noise of the same power.",
        *("ours", "controls", Expects.BETTER, ("ladam",), ("dense-30",), "isotropic-adam"),
    ),
    Claim(
        "Langevin's noise is better than noise on the gradient.",
        *("ours", "controls", Expects.BETTER, ("ladam",), ("dense-30",), "gradient-noise-adam"),
    ),
    Claim(
        "Noise on the gradient helps as well, if it is small.",
        *("ours", "gradient-noise", Expects.BETTER, ("gradient-noise-adam",), ("dense-30",)),
    ),
    Claim(
        "Noise is worth it where gradients are clipped or the learning rate is warmed up.",
        *("ours", "remedies", Expects.BETTER, ("clip-ladam", "warmup-ladam"), ("dense-30",)),
    ),
    Claim(
        "Noise is worth it where a deep net is initialized or normalized for depth.",
        *("ours", "remedies", Expects.BETTER, ("ladam",), ("he-dense-30", "bn-dense-30")),
    ),
)


def judge(folder: str | Path, claims: Sequence[Claim] = CLAIMS) -> list[Judgement]:
    """Each claim with what was found.

    Args:
        folder: where the results of presets are, each in a folder named after it.
        claims: the claims. Defaults to `CLAIMS`.

    Raises:
        ValueError: a file of results is corrupt.
    """
    results = {}
    for name in {claim.preset for claim in claims}:
        place = Path(folder) / name
        results[name] = report.analyse(report.collect([place])) if place.is_dir() else []
    trained = {name: _scale_and_seeds(name, found) for name, found in results.items()}
    findings = (tuple(_findings(claim, results[claim.preset])) for claim in claims)
    return [Judgement(claim, found, *trained[claim.preset]) for claim, found in zip(claims, findings, strict=True)]


def text(judgements: Sequence[Judgement], folder: str | Path) -> str:
    """The rule and all claims as a table in Markdown, with the command that measures each.

    Args:
        judgements: what `judge` returned.
        folder: where the results are, for the commands.
    """
    rows = [
        RULE,
        "",
        "| claim | found, in percentage points of test accuracy | verdict | command |",
        "| --- | --- | --- | --- |",
    ]
    for judgement in judgements:
        claim = judgement.claim
        found = "<br>".join(map(str, judgement.findings)) or "-"
        place = Path(folder) / claim.preset
        seeds = f" --seeds {judgement.seeds}" if judgement.seeds else ""
        command = f"`keras-langevin reproduce {claim.preset} --scale {judgement.scale}{seeds} --out {place}`"
        rows.append(f"| {claim.text} ({claim.source}) | {found} | {judgement.verdict} | {command} |")
    return "\n".join(rows)


def _scale_and_seeds(name: str, results: list[CellResult]) -> tuple[str, int | None]:
    """The scale at which a preset was trained, and how many seeds, where the preset has another number there."""
    names = ("model", "dataset", "limit", "epochs", "tuning_trials")
    found = {tuple(result.cell.settings[each] for each in names) for result in results}
    for scale in paper.SCALES:
        comparisons = paper.sweep(name, scale).comparisons
        if found == {tuple(getattr(comparison, each) for each in names) for comparison in comparisons}:
            seeds = 1 + max(seed for result in results for _, seed in result.cell.planned)
            return scale, None if seeds == comparisons[0].seeds else seeds
    return "cpu", None


def _findings(claim: Claim, results: list[CellResult]):
    about = [(claim.dataset, model) for model in claim.models]
    cells = [each for place in about for each in results if _place(each) == place]
    for spec in claim.optimizers:
        arm = Arm(spec)
        other = Arm(claim.against) if claim.against else Arm(arm.parent)
        gains = [(each, gain) for each in cells if (gain := _gain(each, arm, other))]
        pair = f"{arm.label} − {other.label}"
        if claim.expects is not Expects.GROWS:
            for each, gain in gains:
                zeros = [0.0] * len(gain)
                fair = each.cell.is_fair(arm, other)
                yield _finding(claim, f"{pair}, {each.title}", list(gain.values()), zeros, fair)
        elif [_place(each) for each, _ in gains] == about:
            (_, shallow), (_, deep) = gains
            seeds = sorted(shallow.keys() & deep.keys())
            title = f"{pair}, {claim.models[1]} beside {claim.models[0]}"
            fair = all(each.cell.is_fair(arm, other) for each, _ in gains)
            yield _finding(claim, title, [deep[seed] for seed in seeds], [shallow[seed] for seed in seeds], fair)


def _place(result: CellResult) -> tuple[str, str]:
    """The data and the model."""
    return result.cell.comparison.dataset, result.cell.comparison.model


def _gain(result: CellResult, arm: Arm, other: Arm) -> dict[int, float]:
    """Of each seed that both have: the difference in percentage points."""
    pairs = zip(*in_common(result.cell, arm, other), strict=True)
    return {run.seed: 100 * (run.test_accuracy - beside.test_accuracy) for run, beside in pairs}


def _finding(claim: Claim, name: str, values: list[float], others: list[float], is_fair: bool) -> Finding:
    difference = paired_difference(values, others)
    low, high = difference.low, difference.high
    holds, refutes = {
        Expects.BETTER: (low > 0, high < 0),
        Expects.GROWS: (low > 0, high < 0),
        Expects.SAME: (low > -MARGIN and high < MARGIN, high < 0 or low > 0),
        Expects.NO_WORSE: (low > -MARGIN, high < 0),
    }[claim.expects]
    enough = len(values) >= ENOUGH_SEEDS
    return Finding(name, difference, enough and holds, enough and refutes and not holds, is_fair)
