"""How long another engine takes compared with `--engine local`: whole commands with the same runs, in turns.

    python benchmarks/engines.py --backend jax                      # processes
    python benchmarks/engines.py --backend jax --engine vmap        # many runs at once

Writes `results/engines-BACKEND.json`, or `engines-vmap-MODEL-DEVICE.json`, as it goes: the seconds of each command,
their ratio, and the images per second without the epoch that compiled. Also whether the curves of both are equal, and
the largest relative difference of the first epoch's train loss (not 0 for `vmap`).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def command(engine: str, comparison: list[str], options: argparse.Namespace) -> tuple[float, dict]:
    """Runs one command in an empty folder and returns its seconds and its records by run."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "keras_langevin_command", "compare", *comparison, "--backend", options.backend]
        line += ["--seeds", str(options.seeds), "--epochs", str(options.epochs), "--out", f"{folder}/out"]
        line += ["--engine", engine, *(["--workers", str(options.workers)] if engine == "processes" else [])]
        began = time.perf_counter()
        subprocess.run(line, check=True, capture_output=True)
        seconds = time.perf_counter() - began
        return seconds, {
            path.name: json.loads(path.read_text("utf-8")) for path in Path(folder, "out", "runs").glob("*.json")
        }


def throughput(records: dict) -> float:
    """Returns the median of the runs' images per second, without the epoch that compiled. Runs that were trained at
    once each have the rate of all together."""
    return statistics.median(record["images_per_second"] for record in records.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", required=True, choices=("jax", "tensorflow", "torch"))
    parser.add_argument("--turns", type=int, default=3, help="default: 3")
    parser.add_argument("--seeds", type=int, default=10, help="default: 10")
    parser.add_argument("--epochs", type=int, default=60, help="default: 60")
    parser.add_argument("--engine", choices=("processes", "vmap"), default="processes", help="default: processes")
    parser.add_argument("--model", default="dense-20", help="default: dense-20")
    parser.add_argument("--dataset", default="digits", help="default: digits")
    parser.add_argument("--data-file", help="as compare takes it")
    parser.add_argument("--limit", type=int, help="as compare takes it")
    parser.add_argument("--workers", type=int, help="default: one per core")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend

    from keras_langevin.experiments.engines.processes import available_cores
    from keras_langevin.experiments.machine import has_accelerator, provenance
    from keras_langevin.files import replaced

    options.workers = options.workers or len(available_cores())
    comparison = ["--model", options.model, "--dataset", options.dataset, "--optimizers", "adam", "ladam"]
    for name in ("data_file", "limit"):
        value = getattr(options, name)
        comparison += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    name = f"engines-{options.backend}"
    if options.engine == "vmap":
        name = f"engines-vmap-{options.model}-{'gpu' if has_accelerator() else 'cpu'}"
    results = {"provenance": provenance(), "model": options.model, "dataset": options.dataset, "limit": options.limit}
    results |= {name: getattr(options, name) for name in ("engine", "seeds", "epochs", "workers")}
    results |= {kind: {"local": [], options.engine: []} for kind in ("seconds", "images_per_second")}
    for turn in range(options.turns):
        records, order = {}, ("local", options.engine)
        for engine in order if turn % 2 == 0 else reversed(order):
            seconds, records[engine] = command(engine, comparison, options)
            results["seconds"][engine].append(seconds)
            results["images_per_second"][engine].append(throughput(records[engine]))
        pairs = zip(results["seconds"]["local"], results["seconds"][options.engine], strict=True)
        results[f"local_over_{options.engine}"] = statistics.median(local / other for local, other in pairs)
        pairs = zip(*(results["images_per_second"][engine] for engine in (options.engine, "local")), strict=True)
        results["throughput_over_local"] = statistics.median(other / local for other, local in pairs)
        mine, others = (
            {run: each["curves"]["train_loss"] for run, each in found.items()}
            for found in (records["local"], records[options.engine])
        )
        results["equal"] = results.get("equal", True) and mine == others
        results["first_epoch_differs_by"] = max(abs(mine[run][0] - others[run][0]) / mine[run][0] for run in mine)
        with replaced(RESULTS / f"{name}.json") as file:
            json.dump(results, file, indent=1)
        shown = ("seconds", f"local_over_{options.engine}", "throughput_over_local", "equal", "first_epoch_differs_by")
        print(json.dumps({name: results[name] for name in shown}), flush=True)


if __name__ == "__main__":
    main()
