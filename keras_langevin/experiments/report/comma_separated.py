"""The report's numbers as CSV."""

import csv
import json
from typing import Any, TextIO

from keras_langevin.experiments.report.analysis import CellResult
from keras_langevin.experiments.report.runs import Run

_RUN = (
    "optimizer", "label", "parent", "optimizer_learning_rate", "optimizer_sigma", "optimizer_layers", "seed", "status",
    "at_chance", "test_accuracy", "test_loss", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
    "epochs_done", "seconds", "device", "commit", "finished_at", "error", "file",
)  # fmt: skip
_DIFFERENCE = (
    "optimizer", "parent", "num_seeds", "mean", "low", "high", "interval", "p_value", "holm_p_value",
    "contains_zero", "seeds", "values",
)  # fmt: skip


_FORMULA = ("=", "+", "-", "@")


def write_results(file: TextIO, results: list[CellResult]):
    """A line for each run: all settings, then what the run gave, in full precision.

    Args:
        file: an open text file.
        results: what `analyse` returned.
    """
    lines = [
        _settings(result) | _run(run, arm.label, result.cell.parent(arm.arm))
        for result in results
        for arm in result.arms
        for run in arm.runs
    ]
    _write(file, results, _RUN, lines)


def write_differences(file: TextIO, results: list[CellResult]):
    """A line for each paired difference, in percentage points; `seeds` and `values` are in the same order.

    Args:
        file: an open text file.
        results: what `analyse` returned.
    """
    lines = []
    for result in results:
        for pair in result.pairs:
            difference = pair.difference
            lines.append(
                _settings(result)
                | {
                    "optimizer": pair.label,
                    "parent": pair.parent,
                    "num_seeds": len(pair.seeds),
                    "mean": difference.mean,
                    "low": difference.low,
                    "high": difference.high,
                    "interval": difference.method,
                    "p_value": difference.p_value,
                    "holm_p_value": pair.holm_p_value,
                    "contains_zero": difference.contains_zero,
                    "seeds": " ".join(map(str, pair.seeds)),
                    "values": " ".join(map(repr, difference.values.tolist())),
                }
            )
    _write(file, results, _DIFFERENCE, lines)


def _write(file: TextIO, results: list[CellResult], columns: tuple[str, ...], lines: list[dict]):
    settings = dict.fromkeys(name for result in results for name in _settings(result))
    names = [*settings, *columns]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_cell, names))
    writer.writerows([_cell(line.get(name, "")) for name in names] for line in lines)


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula: text that would begin one has a `'` before it. Line ends, which
    would begin another cell, and other control characters are spaces."""
    if not isinstance(value, str):
        return value
    text = "".join(letter if letter.isprintable() else " " for letter in value)
    if not text.lstrip().startswith(_FORMULA):
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
    record = run.record
    arguments, origin = record.get("arguments") or {}, record.get("provenance") or {}
    last = {name: values[-1] if values else None for name, values in run.curves.items()}
    return {
        "optimizer": run.arm.spec,
        "label": label,
        "parent": parent.spec if parent else "",
        **{f"optimizer_{name}": _value(arguments.get(name)) for name in ("learning_rate", "sigma", "layers")},
        "seed": run.seed,
        "status": run.status,
        "at_chance": run.at_chance,
        "test_accuracy": run.test_accuracy,
        "test_loss": record.get("test_loss"),
        **(last | {"train_loss": record.get("train_loss")}),
        "epochs_done": len(run.curves["train_loss"]),
        "seconds": record.get("seconds"),
        "device": _value(origin.get("device")),
        "commit": _value(origin.get("commit")),
        "finished_at": _value(origin.get("finished_at")),
        "error": run.error,
        "file": str(run.path),
    }


def _value(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else json.dumps(value)
