"""`keras-langevin bench`: what the noise costs, beside the same optimizer without noise."""

import argparse
import json
from pathlib import Path

from rich.table import Column, Table

from keras_langevin.cli.backend import BACKENDS, start_keras
from keras_langevin.cli.terminal import UsageError, new_console
from keras_langevin.files import check_writable, read_json, replaced
from keras_langevin.names import unknown


def add(commands):
    """Adds the sub-command."""
    parser = commands.add_parser(
        "bench",
        help="measure what the noise costs",
        description="Trains nets with Adam and with L-Adam in turn, A B A B, and shows the ratio of their times, pair "
        "by pair: median and quartiles. Ratios hold on a busy machine where times do not.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="as the table names them; all unless given")
    parser.add_argument("--rounds", type=int, default=20, help="pairs of turns for the step")
    parser.add_argument("--steps", type=int, default=40, help="steps in a turn, fewer for nets with slow ones")
    parser.add_argument("--starts", type=int, default=3, help="pairs of fresh processes for the first step; 0: none")
    parser.add_argument("--out", help="a JSON file for the results")
    parser.add_argument("--backend", choices=BACKENDS, help="KERAS_BACKEND, else Keras's own choice, unless given")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the sub-command and returns its exit status."""
    try:
        for name, least in (("rounds", 1), ("steps", 1), ("starts", 0)):
            if getattr(options, name) < least:
                raise ValueError(f"--{name} must be an int >= {least}. Received: {getattr(options, name)}")
        out = check_writable(options.out) if options.out else None
        backend = start_keras(options.backend)
        from keras_langevin.experiments import overhead
        from keras_langevin.experiments.machine import provenance

        names = options.cases or overhead.names()
        for name in names:
            if name not in overhead.CASES:
                raise unknown("case", name, overhead.CASES)
    except ValueError as error:
        raise UsageError(error) from error

    console = new_console()
    results = {"provenance": provenance(), "cases": {}}
    if out and out.exists():
        try:
            results["cases"] = _finished(out, results["provenance"])
        except ValueError as error:
            raise UsageError(error) from error
    for name in names:
        if name in results["cases"]:
            continue
        console.print(f"{name} on {backend} ...", highlight=False)
        results["cases"][name] = overhead.measure(
            name, rounds=options.rounds, steps=options.steps, starts=options.starts
        )
        if out:  # as they come, so that nothing measured is lost
            with replaced(out) as file:
                json.dump(results, file, indent=1)
    console.print(_table(backend, results["cases"]))
    return 0


def _finished(out: Path, provenance: dict) -> dict:
    """The cases that a file holds, so that an interrupted run resumes; they must be of this code and machine."""
    results = read_json(out, "the results of a benchmark")
    if not isinstance(results, dict) or not all(isinstance(results.get(key), dict) for key in ("provenance", "cases")):
        raise ValueError(f"{out} must be what `bench --out` wrote. Received another JSON file. Name another file.")
    for key in ("backend", "commit", "device", "cores"):
        if results["provenance"].get(key) != provenance[key]:
            raise ValueError(
                f"{out} holds results with {key} {results['provenance'].get(key)!r}, to which those of this run "
                f"({provenance[key]!r}) cannot be added. Remove it, or name another file."
            )
    return results["cases"]


def _table(backend: str, cases: dict) -> Table:
    columns = ("case", "Adam, ms", "L-Adam, ms", "ratio (quartiles)", "target", "first step", "target", "bytes more")
    columns = [Column(name, overflow="fold") for name in columns]
    table = Table(*columns, title=f"{backend}: a step with L-Adam beside Adam")
    for name, result in cases.items():
        step, first = result["step"], result.get("first_step")
        table.add_row(
            name,
            f"{step['parent_ms']:.2f}",
            f"{step['langevin_ms']:.2f}",
            f"{step['ratio']:.3f} ({step['ratio_low']:.3f} to {step['ratio_high']:.3f})",
            _shown(result["target"]),
            f"{first['ratio']:.2f}" if first else "-",
            _shown(first["target"] if first else None),
            str(result["extra_bytes"]),
        )
    return table


def _shown(target: float | None) -> str:
    return "-" if target is None else f"{target:.2f}"
