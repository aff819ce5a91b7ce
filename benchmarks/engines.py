"""How long `--engine processes` takes beside `--engine local`: whole commands of the same runs, turn by turn.

    python benchmarks/engines.py --backend jax

Writes `results/engines-BACKEND.json` as it goes: the seconds of each command and their ratio. The records of both are
compared, too: they must be equal.
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
COMPARISON = ["--model", "dense-20", "--dataset", "digits", "--optimizers", "adam", "ladam"]


def command(engine: str, backend: str, seeds: int, epochs: int, workers: int) -> tuple[float, dict]:
    """Seconds of one command, from nothing, and its curves by run."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "keras_langevin", "compare", *COMPARISON, "--backend", backend]
        line += ["--seeds", str(seeds), "--epochs", str(epochs), "--out", f"{folder}/out", "--engine", engine]
        line += ["--workers", str(workers)] if engine == "processes" else []
        began = time.perf_counter()
        subprocess.run(line, check=True, capture_output=True)
        seconds = time.perf_counter() - began
        records = {path.name: json.loads(path.read_text()) for path in Path(folder, "out", "runs").glob("*.json")}
        return seconds, {name: record["curves"] for name, record in records.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", required=True, choices=("jax", "tensorflow", "torch"))
    parser.add_argument("--turns", type=int, default=3, help="default: 3")
    parser.add_argument("--seeds", type=int, default=10, help="default: 10")
    parser.add_argument("--epochs", type=int, default=60, help="default: 60")
    parser.add_argument("--workers", type=int, help="default: one on each core")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend

    from keras_langevin.experiments.engines.sharing import available_cores
    from keras_langevin.experiments.provenance import provenance
    from keras_langevin.files import replaced

    options.workers = options.workers or len(available_cores())
    sizes = (options.backend, options.seeds, options.epochs, options.workers)
    results = {"provenance": provenance(), "comparison": COMPARISON}
    results |= {name: getattr(options, name) for name in ("seeds", "epochs", "workers")}
    results["seconds"] = {"local": [], "processes": []}
    for turn in range(options.turns):
        curves = {}
        for engine in ("local", "processes") if turn % 2 == 0 else ("processes", "local"):
            seconds, curves[engine] = command(engine, *sizes)
            results["seconds"][engine].append(seconds)
        pairs = zip(results["seconds"]["local"], results["seconds"]["processes"], strict=True)
        results["local_over_processes"] = statistics.median(local / processes for local, processes in pairs)
        results["equal"] = results.get("equal", True) and curves["local"] == curves["processes"]
        with replaced(RESULTS / f"engines-{options.backend}.json") as file:
            json.dump(results, file, indent=1)
        print(json.dumps({name: results[name] for name in ("seconds", "local_over_processes", "equal")}), flush=True)


if __name__ == "__main__":
    main()
