"""The tables of a report as rows of plain text; how they are escaped is each format's own affair."""

from keras_langevin.experiments.report.analysis import ArmResult, CellResult, Failures, PairedResult
from keras_langevin.experiments.report.numbers import plus_minus, probability, signed
from keras_langevin.experiments.report.runs import Run

COLUMNS = (
    "optimizer", "seeds", "test %", "median %", "each seed %", "failures",
    "difference", "95% interval", "p", "p (Holm)",
)  # fmt: skip
DIFFERENCE_COLUMNS = ("setting", "difference", "seeds", "mean", "95% interval", "p", "p (Holm)")
ORIGIN_COLUMNS = ("what", "found")


def cell_rows(result: CellResult) -> list[list[str]]:
    """A row for each optimizer of a setting, under `COLUMNS`."""
    pairs = {pair.label: pair for pair in result.pairs}
    return [_arm_row(arm, pairs.get(arm.label)) for arm in result.arms]


def _arm_row(arm: ArmResult, pair: PairedResult | None) -> list[str]:
    accuracy = arm.accuracy
    return [
        arm.label,
        seeds_cell(accuracy.num_seeds, max(arm.num_planned, len(arm.runs))),
        plus_minus(accuracy.mean, accuracy.std),
        plus_minus(accuracy.median, float("nan")),
        " ".join(map(seed_cell, arm.runs)) or "-",
        failures_cell(arm.failures),
        *(_numbers(pair) if pair else ["-"] * 4),
    ]


def difference_rows(results: list[CellResult]) -> list[list[str]]:
    """A row for each difference of the report, under `DIFFERENCE_COLUMNS`."""
    return [
        [result.title, pair.name, str(len(pair.seeds)), *_numbers(pair)] for result in results for pair in result.pairs
    ]


def _numbers(pair: PairedResult) -> list[str]:
    difference = pair.difference
    interval = f"{signed(difference.low)} to {signed(difference.high)}" if difference.method else "-"
    return [signed(difference.mean), interval, probability(difference.p_value), probability(pair.holm_p_value)]


def seed_cell(run: Run) -> str:
    """A run's test accuracy in percent, with * where it diverged; `error` where there is none."""
    if run.status == "failed":
        return "error"
    return f"{100 * run.test_accuracy:.1f}{'*' if run.status == 'diverged' else ''}"


def seeds_cell(number: int, of: int) -> str:
    """How many seeds gave an accuracy, and of how many where that differs."""
    return str(number) if number == of else f"{number} of {of}"


def failures_cell(failures: Failures) -> str:
    """The failures by kind.

    Example:

    >>> failures_cell(Failures(at_chance=2, diverged=0, failed=1)), failures_cell(Failures(0, 0, 0))
    ('2 at chance, 1 error', '0')
    """
    kinds = ((failures.at_chance, "at chance"), (failures.diverged, "diverged"), (failures.failed, "error"))
    return ", ".join(f"{number} {kind}" for number, kind in kinds if number) or "0"


def origin_rows(results: list[CellResult]) -> list[list[str]]:
    """Where the runs come from: folders, versions, commits, devices, dates, each value once."""
    found: dict[str, dict[str, None]] = {}

    def add(what, value):
        if value not in (None, ""):
            text = "".join(letter if letter.isprintable() else " " for letter in str(value))
            found.setdefault(what, {})[text] = None

    for result in results:
        for folder in result.cell.folders:
            add("folder", folder)
        for run in result.cell.runs:
            origin = run.record.get("provenance") or {}
            versions = origin.get("versions")
            for name, version in (versions if isinstance(versions, dict) else {}).items():
                add("version", f"{name} {version}")
            for name in ("python", "commit", "device", "cores", "data"):
                add(name, origin.get(name))
            add("finished", str(origin.get("finished_at", ""))[:10])
    return [[what, ", ".join(sorted(values))] for what, values in found.items()]
