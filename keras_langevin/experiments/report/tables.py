"""The tables of a report: rows of plain text, the terminal's, CSV and LaTeX."""

import csv
import json
import re
from typing import Any, TextIO

from rich.markup import escape
from rich.table import Table

from keras_langevin.experiments.records import Run
from keras_langevin.experiments.report.analysis import ArmResult, CellResult, Failures, PairedResult
from keras_langevin.experiments.report.formatting import count, plus_minus, probability, signed
from keras_langevin.experiments.statistics import mean_and_std
from keras_langevin.names import printable

COLUMNS = (
    "optimizer", "seeds", "trained", "test %", "median %", "middle half %", "each seed %", "failures",
    "difference", "95% interval", "p", "p (Holm)", "P(improve)",
)  # fmt: skip
DIFFERENCE_COLUMNS = ("setting", "difference", "seeds", "mean", "95% interval", "p", "p (Holm)", "P(improve)")
ORIGIN_COLUMNS = ("what", "found")


def cell_rows(result: CellResult) -> list[list[str]]:
    """A row for each optimizer of a setting, under `COLUMNS`."""
    pairs = {pair.label: pair for pair in result.pairs}
    return [_arm_row(arm, pairs.get(arm.label)) for arm in result.arms]


def _arm_row(arm: ArmResult, pair: PairedResult | None) -> list[str]:
    accuracy, of = arm.accuracy, max(arm.num_planned, len(arm.runs))
    return [
        arm.label,
        str(of) if accuracy.num_seeds == of else f"{accuracy.num_seeds} of {of}",
        f"{arm.trained.number} of {arm.trained.of}",
        plus_minus(accuracy.mean, accuracy.std),
        plus_minus(accuracy.median),
        plus_minus(accuracy.interquartile_mean),
        _each_seed(arm),
        failures_cell(arm.failures),
        *(_numbers(pair) if pair else ["-"] * 5),
    ]


def difference_rows(results: list[CellResult]) -> list[list[str]]:
    """A row for each difference of the report, under `DIFFERENCE_COLUMNS`."""
    return [
        [result.title, pair.name, str(len(pair.seeds)), *_numbers(pair)] for result in results for pair in result.pairs
    ]


def _numbers(pair: PairedResult) -> list[str]:
    difference = pair.difference
    interval = f"{signed(difference.low)} to {signed(difference.high)}" if difference.method else "-"
    p_values = map(probability, (difference.p_value, pair.holm_p_value))
    return [signed(difference.mean), interval, *p_values, f"{pair.improvement:.0%}"]


def _each_seed(arm: ArmResult) -> str:
    """Each run's test accuracy in percent, with * where it diverged; `error` where there is none."""
    marks = {"finished": "", "diverged": "*"}
    cells = (
        "error" if run.status == "failed" else f"{100 * run.test_accuracy:.1f}{marks[run.status]}" for run in arm.runs
    )
    return " ".join(cells) or "-"


def failures_cell(failures: Failures) -> str:
    """The failures by kind.

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
            found.setdefault(what, {})[printable(str(value))] = None

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


def table(result: CellResult) -> Table:
    """What a terminal shows: test accuracy (mean ± standard deviation, and every seed's value), loss and seconds."""
    grid = Table(title=f"{escape(result.title)}, {result.cell.comparison.epochs} epochs", pad_edge=False)
    grid.add_column("optimizer", overflow="fold", min_width=9)  # a long name takes several lines
    grid.add_column("test %", justify="right", no_wrap=True)
    grid.add_column("each seed %", justify="right", overflow="fold")
    grid.add_column("train loss", justify="right", overflow="fold")
    grid.add_column("seconds", justify="right", no_wrap=True)
    for arm in result.arms:
        accuracy = plus_minus(arm.accuracy.mean, arm.accuracy.std)
        loss, seconds = _mean(arm, "train_loss", ".3g"), _mean(arm, "seconds", ".1f", spread=False)
        grid.add_row(escape(arm.label), accuracy, _each_seed(arm), loss, seconds)
    return grid


def _mean(arm: ArmResult, name: str, form: str, *, spread: bool = True) -> str:
    values = [run.record.get(name) for run in arm.runs if run.status != "failed"]
    values = [value for value in values if value is not None]
    mean, std = mean_and_std(values) if values else (float("nan"), float("nan"))
    return plus_minus(mean, std if spread else float("nan"), form)


# --- CSV ------------------------------------------------------------------------------------------------------------

_RUN = (
    "optimizer", "label", "parent", "optimizer_learning_rate", "optimizer_sigma", "optimizer_layers", "seed", "status",
    "at_chance", "test_accuracy", "test_loss", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
    "epochs_done", "seconds", "device", "commit", "finished_at", "error", "file",
)  # fmt: skip
_DIFFERENCE = (
    "optimizer", "parent", "num_seeds", "mean", "low", "high", "interval", "p_value", "holm_p_value",
    "probability_of_improvement", "contains_zero", "seeds", "values",
)  # fmt: skip


def write_results(file: TextIO, results: list[CellResult]):
    """A line for each run: all settings, then what the run gave, in full precision."""
    lines = [
        _settings(result) | _run(run, arm.label, result.cell.parent(arm.arm))
        for result in results
        for arm in result.arms
        for run in arm.runs
    ]
    _write(file, results, _RUN, lines)


def write_differences(file: TextIO, results: list[CellResult]):
    """A line for each paired difference, in percentage points; `seeds` and `values` are in the same order."""
    lines = []
    for result in results:
        for pair in result.pairs:
            found = pair.difference
            numbers = (found.mean, found.low, found.high, found.method, found.p_value, pair.holm_p_value)
            texts = (" ".join(map(str, pair.seeds)), " ".join(map(repr, found.values.tolist())))
            line = (pair.label, pair.parent, len(pair.seeds), *numbers, pair.improvement, found.contains_zero, *texts)
            lines.append(_settings(result) | dict(zip(_DIFFERENCE, line, strict=True)))
    _write(file, results, _DIFFERENCE, lines)


def _write(file: TextIO, results: list[CellResult], columns: tuple[str, ...], lines: list[dict]):
    names = [*dict.fromkeys(name for result in results for name in _settings(result)), *columns]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_guarded, names))
    writer.writerows([_guarded(line.get(name, "")) for name in names] for line in lines)


def _guarded(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula: text that would begin one has a `'` before it. Line ends, which
    would begin another cell, and other control characters are spaces."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    if not text.lstrip().startswith(("=", "+", "-", "@")):
        return text
    try:
        list(map(float, text.split()))
    except ValueError:
        return f"'{text}"
    return text


def _settings(result: CellResult) -> dict[str, Any]:
    """The settings, by names that the other columns do not have."""
    taken = {*_RUN, *_DIFFERENCE}
    return {
        (f"setting_{name}" if name in taken else name): _value(value) for name, value in result.cell.settings.items()
    }


def _run(run: Run, label: str, parent) -> dict[str, Any]:
    record, names = run.record, ("learning_rate", "sigma", "layers")
    arguments, origin = record.get("arguments") or {}, record.get("provenance") or {}
    last = {name: values[-1] if values else None for name, values in run.curves.items()}
    kept = {name: record.get(name) for name in ("test_loss", "train_loss", "seconds")}
    return {
        "optimizer": run.arm.spec,
        "label": label,
        "parent": parent.spec if parent else "",
        **{f"optimizer_{name}": _value(arguments.get(name)) for name in names},
        "seed": run.seed,
        "status": run.status,
        "at_chance": run.at_chance,
        "test_accuracy": run.test_accuracy,
        **last,
        **kept,
        "epochs_done": len(run.curves["train_loss"]),
        **{name: _value(origin.get(name)) for name in ("device", "commit", "finished_at")},
        "error": run.error,
        "file": str(run.path),
    }


def _value(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else json.dumps(value)


# --- LaTeX ----------------------------------------------------------------------------------------------------------

# These have a line of their own below, for a page is narrow.
_BELOW = ("trained", "median %", "middle half %", "each seed %", "failures")
_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "±": r"$\pm$", "−": "$-$", "×": r"$\times$",
    "σ": r"$\sigma$", "γ": r"$\gamma$", "ε": r"$\varepsilon$", **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip


def latex(results: list[CellResult]) -> str:
    r"""A `table` environment with booktabs, to be read with `\input`: a block of rows for each setting."""
    heads = [name for name in COLUMNS if name not in _BELOW]
    whole = rf"\multicolumn{{{len(heads)}}}{{@{{}}l}}"
    lines = [
        "% \\usepackage{booktabs}, and for \\textquotedbl \\usepackage[T1]{fontenc}",
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{tabular}}{{@{{}}l{'r' * (len(heads) - 1)}@{{}}}}",
        r"\toprule",
        _latex_row(heads),
    ]
    for result in results:
        lines += [r"\midrule", rf"{whole}{{\textit{{{latex_escaped(result.title)}}}}} \\"]
        for row in (dict(zip(COLUMNS, values, strict=True)) for values in cell_rows(result)):
            below = "; ".join(f"{name.removesuffix(' %')}: {row[name]}" for name in _BELOW)
            lines.append(_latex_row([row[name] for name in heads]))
            lines.append(rf"{whole}{{\quad\scriptsize {latex_escaped(below)}}} \\")
    caption = (
        "Test accuracy in percent: mean ± standard deviation over seeds, how many trained above chance level, median, "
        "mean of the middle half, every seed's value (* diverged). Difference: to the parent without noise on equal "
        "seeds, in percentage points, with the 95% interval of the mean; p by the sign-flip test (with five seeds or "
        "fewer Student's t test), and by Holm's correction over "
        f"{count(sum(len(result.pairs) for result in results), 'difference')}; P(improve): the probability that a run "
        "has a higher accuracy than one of the parent."
    )
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{latex_escaped(caption)}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def latex_escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> print(latex_escaped("30%-Layer_\\{x}"))
    30\%-Layer\_\textbackslash{}\{x\}
    """
    return re.sub("|".join(map(re.escape, _SPECIAL)), lambda match: _SPECIAL[match[0]], text)


def _latex_row(values: list[str]) -> str:
    return " & ".join(map(latex_escaped, values)) + r" \\"
