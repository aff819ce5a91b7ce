"""`keras-langevin bench`: what the noise costs, beside the same optimizer without noise."""

import argparse
import json
from pathlib import Path

from keras_langevin.cli.terminal import add_backend, new_console, start_keras
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
    for option, least, default, text in (
        ("--rounds", 1, 20, "pairs of turns for the step"),
        ("--steps", 1, 40, "steps in a turn, fewer for nets with slow ones"),
        ("--starts", 0, 3, "pairs of fresh processes for the first step; 0: none"),
    ):
        parser.add_argument(option, type=_int_from(least), default=default, metavar="N", help=text)
    parser.add_argument("--out", help="a JSON file for the results")
    add_backend(parser)
    parser.set_defaults(run=run)


def _int_from(least: int):
    def parse(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"must be an int >= {least}. Received: {text}")
        return int(text)

    parse.__name__ = "int"  # for argparse's own error
    return parse


def run(options: argparse.Namespace):
    """Runs the sub-command."""
    out = check_writable(options.out) if options.out else None
    backend = start_keras(options.backend)
    from keras_langevin.experiments import overhead
    from keras_langevin.experiments.machine import provenance

    names = options.cases or overhead.names()
    for name in names:
        if name not in overhead.CASES:
            raise unknown("case", name, overhead.CASES)
    console, results = new_console(), {"provenance": provenance(), "cases": {}}
    if out and out.exists():
        results["cases"] = _finished(out, results["provenance"])
    for name in names:
        if name not in results["cases"]:
            console.print(f"{name} on {backend} ...")
            results["cases"][name] = overhead.measure(
                name, rounds=options.rounds, steps=options.steps, starts=options.starts
            )
            if out:  # as they come, so that nothing measured is lost
                with replaced(out) as file:
                    json.dump(results, file, indent=1)
    console.print(_table(backend, results["cases"]), soft_wrap=False)


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


def _table(backend: str, cases: dict):
    from rich.table import Column, Table

    columns = ("case", "Adam, ms", "L-Adam, ms", "ratio (quartiles)", "target", "first step", "target", "bytes more")
    columns = (Column(name, overflow="fold") for name in columns)
    table = Table(*columns, title=f"{backend}: a step with L-Adam beside Adam")
    for name, result in cases.items():
        step, first = result["step"], result.get("first_step", {})
        times = (_shown(step[key]) for key in ("parent_ms", "langevin_ms"))
        ratio = f"{step['ratio']:.3f} ({step['ratio_low']:.3f} to {step['ratio_high']:.3f})"
        others = (_shown(value) for value in (result["target"], first.get("ratio"), first.get("target")))
        table.add_row(name, *times, ratio, *others, str(result["extra_bytes"]))
    return table


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
