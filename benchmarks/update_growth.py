"""How the time of an update grows with the number of parameters, in one variable and in 100.

    KERAS_BACKEND=jax python benchmarks/update_growth.py
    python benchmarks/update_growth.py --plot

The first writes a JSON file for the backend as it goes, and resumes there if the commit is the same. The second draws
the files that exist. (30% noisy needs several layers, so it is measured with 100 variables only.)
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from turns import in_turns

RESULTS = Path(__file__).parent / "results"
SIZES = [10**exponent for exponent in range(3, 9)]
VARIABLES = {"one variable": 1, "100 variables": 100}
ARMS = {
    "Adam": None,
    "LAdam": {},
    "LAdam, 30% of the layers": {"layers": 0.3},
    "LAdam, rademacher": {"noise": "rademacher"},
}


def measure(rounds: int):
    import keras

    from keras_langevin.experiments.machine import provenance
    from keras_langevin.experiments.overhead import make_optimizer, make_update
    from keras_langevin.files import replaced

    out = RESULTS / f"update_growth-{keras.backend.backend()}.json"
    results = {"provenance": provenance(), "rounds": rounds, "ms": {}}
    if out.exists():
        before = json.loads(out.read_text())
        if before["provenance"]["commit"] == results["provenance"]["commit"]:
            results["ms"] = before["ms"]
    for kind, count in VARIABLES.items():
        for size in SIZES:
            if str(size) in results["ms"].get(kind, {}):
                continue
            shapes = [(size // count // 10, 10)] * count
            runs = {}
            for name, arguments in ARMS.items():
                if count > 1 or "layers" not in (arguments or {}):
                    optimizer = make_optimizer("parent" if arguments is None else "langevin", **(arguments or {}))
                    runs[name] = make_update(optimizer, shapes)
            times = in_turns(runs, rounds=rounds if size < 10**8 else max(3, rounds // 3))
            own = {name: (1e3 * np.quantile(seconds, [0.25, 0.5, 0.75])).tolist() for name, seconds in times.items()}
            results["ms"].setdefault(kind, {})[str(size)] = own
            with replaced(out) as file:
                json.dump(results, file, indent=1)
            print(f"{kind}, {size:,}: " + ", ".join(f"{name} {ms[1]:.3f} ms" for name, ms in own.items()), flush=True)


def plot(out: Path):
    from keras_langevin.plots.files import new_figure, save_figure

    files = sorted(RESULTS.glob("update_growth-*.json"))
    if not files:
        raise SystemExit("There is nothing to draw. Run this without --plot first, on each backend.")
    figure = new_figure(4 * len(files) + 1, 7)
    grid = figure.subplots(2, len(files), sharex=True, sharey=True, squeeze=False)
    for column, file in enumerate(files):
        results = json.loads(file.read_text())
        for row, (kind, sizes) in enumerate(results["ms"].items()):
            axes = grid[row, column]
            for name, colour in zip(ARMS, ("#666666", "#0072b2", "#56b4e9", "#e69f00"), strict=True):
                points = [(int(size), times[name]) for size, times in sizes.items() if name in times]
                if points:
                    x = [size for size, _ in points]
                    low, middle, high = np.array([quartiles for _, quartiles in points]).T
                    axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
                    axes.plot(x, middle, color=colour, marker="o", markersize=3, label=name)
            axes.set(xscale="log", yscale="log", title=f"{results['provenance']['backend']}, {kind}")
            axes.grid(alpha=0.3)
    for axes in grid[-1]:
        axes.set_xlabel("parameters")
    for axes in grid[:, 0]:
        axes.set_ylabel("an update, ms (median, quartiles)")
    grid[-1, 0].legend(frameon=False)
    save_figure(figure, out)
    print(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="default: 9")
    parser.add_argument("--plot", action="store_true", help="draw the files that exist, measure nothing")
    parser.add_argument("--out", type=Path, default=Path("docs/update-growth.png"), help="default: %(default)s")
    options = parser.parse_args()
    if options.plot:
        plot(options.out)
    else:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        measure(options.rounds)


if __name__ == "__main__":
    main()
