"""`keras-langevin bench`: what the noise costs compared with the same optimizer without noise."""

import argparse
import json
from pathlib import Path

from keras_langevin.cli.terminal import add_shared, new_command, new_console, print_table, start_keras
from keras_langevin.files import check_writable, read_json, replaced
from keras_langevin.names import unknown
from keras_langevin.values import check_int

_COLUMNS = ("case", "Adam, ms", "L-Adam, ms", "ratio (quartiles)", "target", "first step", "target", "bytes more")


def add(commands):
    option = new_command(commands, "bench", bench)
    option("--cases", nargs="+", metavar="CASE", help="names in the table, with x for × (default: all)")
    option("--rounds", type=int, default=20, help="pairs of measurements of a step (default: 20)")
    option("--steps", type=int, default=40, help="steps per measurement, fewer for slow nets (default: 40)")
    option("--starts", type=int, default=3, help="pairs of new processes for the first step; 0: none (default: 3)")
    option("--out", help="a JSON file for the results")
    add_shared(option, "--backend")


def bench(options: argparse.Namespace):
    """Measure what the noise costs.

    Trains nets with Adam and L-Adam in turn (A B A B) and shows the median and quartiles of the ratio of their times,
    pair by pair. On a busy machine the ratios are reliable even if the times are not.
    """
    how = {"rounds": options.rounds, "steps": options.steps, "starts": options.starts}
    for name, value in how.items():
        check_int(name, value, 0 if name == "starts" else 1)
    out = check_writable(options.out) if options.out else None
    backend = start_keras(options.backend)
    from keras_langevin.experiments import overhead
    from keras_langevin.experiments.machine import provenance

    typed = {name.replace("×", "x"): name for name in overhead.CASES}  # no keyboard has a ×
    names = [name.replace("×", "x") for name in options.cases or overhead.names()]
    for name in names:
        if name not in typed:
            raise unknown("case", name, typed)
    names = [typed[name] for name in names]
    console, results = new_console(), {"provenance": provenance(), "cases": {}}
    if out and out.exists():
        results["cases"] = _finished(out, results["provenance"])
    for name in names:
        if name not in results["cases"]:
            console.print(f"{name} on {backend} ...")
            results["cases"][name] = overhead.measure(name, **how)
            if out:  # after each case, so that no measurement is lost
                with replaced(out) as file:
                    json.dump(results, file, indent=1)
    rows = [(name, *_row(result)) for name, result in results["cases"].items()]
    print_table(console, f"{backend}: a step with L-Adam compared with Adam", _COLUMNS, rows)


def _finished(out: Path, provenance: dict) -> dict:
    """Returns the cases already in a file, so that an interrupted run resumes. Code and machine must be the same."""
    results = read_json(out, "the results of a benchmark")
    if not isinstance(results, dict) or not all(isinstance(results.get(key), dict) for key in ("provenance", "cases")):
        raise ValueError(f"{out} must be what `bench --out` wrote. Received another JSON file. Name another file.")
    for key in ("backend", "commit", "device", "cores"):
        if results["provenance"].get(key) != provenance[key]:
            raise ValueError(
                f"{out} holds results with {key} {results['provenance'].get(key)!r}. Results of this run "
                f"({provenance[key]!r}) cannot be added. Remove it, or name another file."
            )
    return results["cases"]


def _row(result: dict) -> list[str]:
    step, first = result["step"], result.get("first_step", {})
    numbers = (step["parent_ms"], step["langevin_ms"], result["target"], first.get("ratio"), first.get("target"))
    parent, langevin, *others = ("-" if number is None else f"{number:.2f}" for number in numbers)
    ratio = f"{step['ratio']:.3f} ({step['ratio_low']:.3f} to {step['ratio_high']:.3f})"
    return [parent, langevin, ratio, *others, str(result["extra_bytes"])]
