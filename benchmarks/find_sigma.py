"""How good the sigma of `find_sigma` is, beside the default and beside a search, on pairs of a net and an optimizer.

Each arm trains the same seeds (initial weights, order of the batches, noise) with `StepDown`: after two thirds of the
epochs the learning rate is a tenth and there is no noise. Arms: no noise, the class's default sigma, the suggestion of
`find_sigma` on each seed's own net, and the best of a search over sigma on the validation split, with another seed.

    KERAS_BACKEND=jax python benchmarks/find_sigma.py --data-dir FOLDER                       # all of it: hours
    KERAS_BACKEND=jax python benchmarks/find_sigma.py --limit 11000 --epochs 8 --batch-size 128 --seeds 3 --trials 8

A run is written as it ends. The same command resumes; more seeds, trials or pairs add to what is there. `--pairs` takes
some of the pairs, as "dense-3 L-Adam"; several processes may measure different pairs at once.
"""

import math
from pathlib import Path

import keras
import numpy as np
from bench import Bench, parser, store, stored
from filelock import FileLock

from keras_langevin import LSGD, LAdadelta, LAdam, LRMSprop, datasets
from keras_langevin.experiments.machine import provenance

# The net, the optimizer without its sigma, and whether the constants of `find_sigma` were chosen on the pair.
PAIRS = {
    "dense-3 L-Adam": ("dense-3", LAdam, {"learning_rate": 1e-3}, True),
    "dense-40 L-Adam": ("dense-40", LAdam, {"learning_rate": 1e-3}, True),
    "dense-20 L-RMSprop": ("dense-20", LRMSprop, {"learning_rate": 1e-3}, True),
    "dense-30 L-RMSprop, ε outside": (
        "dense-30",
        LRMSprop,
        {"learning_rate": 1e-3, "epsilon_inside_sqrt": False},
        True,
    ),
    "dense-20 L-Adadelta": ("dense-20", LAdadelta, {"learning_rate": 0.3}, True),
    "he-dense-10 L-SGD": ("he-dense-10", LSGD, {"learning_rate": 0.1}, True),
    "highway-20 L-Adam": ("highway-20", LAdam, {"learning_rate": 1e-3}, False),
    "conv-dense-5 L-RMSprop": ("conv-dense-5", LRMSprop, {"learning_rate": 1e-3}, False),
    "dense-10 L-Adadelta": ("dense-10", LAdadelta, {"learning_rate": 1.0}, False),
    "bn-dense-20 L-SGD": ("bn-dense-20", LSGD, {"learning_rate": 0.1}, False),
    "resnet-20 L-Adam": ("resnet-20", LAdam, {"learning_rate": 1e-3}, False),
}
ARMS = ("none", "default", "suggested", "searched")
LOWEST, HIGHEST = 1e-5, 1.0  # of the search
SEARCH_SEED = 10_000
RESULTS = Path(__file__).parent / "results"


def measure(name: str, found: dict, data, options, keep):
    """All runs of a pair that are missing in `found`; `keep` is called after each."""
    wanted = [f"trial {number}" for number in range(options.trials)]
    wanted += [f"{arm} {seed}" for arm in ARMS for seed in range(options.seeds)]
    if all(key in found for key in wanted):
        return
    net, optimizer, arguments, _ = PAIRS[name]
    bench = Bench(net, optimizer(**arguments, seed=0), data, options.batch_size, options.epochs)

    def run(key: str, seed: int, sigma: float):
        if found.get(key, {}).get("sigma") != sigma:  # with more trials, another may be the best
            found[key] = bench.trained(seed, sigma)
            print(f"{name}: {key}: sigma={sigma:.2g}, {found[key]['test']:.2f}%", flush=True)
            keep()

    for number, sigma in enumerate(levels(options.trials)):
        run(f"trial {number}", SEARCH_SEED, sigma)
    trials = [found[f"trial {number}"] for number in range(options.trials)]
    best = max(trials, key=lambda trial: trial["validation"])["sigma"] if trials else None
    for seed in range(options.seeds):
        run(f"none {seed}", seed, 0.0)
        run(f"default {seed}", seed, bench.default)
        if f"search {seed}" not in found:
            found[f"search {seed}"] = bench.suggestion(seed)
            print(f"{name}: {found[f'search {seed}']['reason']}", flush=True)
            keep()
        run(f"suggested {seed}", seed, found[f"search {seed}"]["sigma"])
        if best is not None:
            run(f"searched {seed}", seed, best)


def levels(trials: int) -> list[float]:
    """Levels of the search: the first of van der Corput's sequence, on a logarithmic scale, so that more trials add to
    fewer."""
    halves = [sum((number >> bit & 1) / 2 ** (bit + 1) for bit in range(10)) for number in range(1, trials + 1)]
    return [LOWEST * (HIGHEST / LOWEST) ** half for half in halves]


def table(runs: dict[str, dict]) -> str:
    """Test accuracies by pair: means over seeds, and the suggestion minus the search with its standard error."""
    heads = ["pair", "no noise", "default", "suggested", "searched", "difference", "suggested sigma", "searched sigma"]
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " --- |" * (len(heads) - 1)]
    for name, found in runs.items():
        seeds = [key.split()[1] for key in found if key.startswith("searched ")]  # the last run of a seed
        if not seeds:
            continue
        arms = {arm: [found[f"{arm} {seed}"]["test"] for seed in seeds] for arm in ARMS}
        paired = np.subtract(arms["suggested"], arms["searched"])
        error = np.std(paired, ddof=1) / math.sqrt(len(paired)) if len(paired) > 1 else math.nan
        sigmas = [found[f"suggested {seed}"]["sigma"] for seed in seeds]
        searched = found[f"searched {seeds[0]}"]["sigma"]
        new = "" if PAIRS[name][3] else " (new)"
        cells = [f"{np.mean(values):.2f}" for values in arms.values()]
        cells += [f"{paired.mean():+.2f} ± {error:.2f}", f"{min(sigmas):.2g} to {max(sigmas):.2g}", f"{searched:.2g}"]
        lines.append(f"| {name}{new} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Measures what is missing, and prints the table."""
    options = parser(__doc__)
    options.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS), metavar="PAIR")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--trials", type=int, default=16)
    options.add_argument("--epochs", type=int, default=12)
    options.add_argument("--batch-size", type=int, default=512)
    options.add_argument("--limit", type=int, help="so many training examples; all by default")
    options = options.parse_args()
    data = datasets.load("mnist", data_dir=options.data_dir, limit=options.limit)
    settings = {"epochs": options.epochs, "batch_size": options.batch_size, "limit": options.limit}
    label = f"{options.epochs}x{options.batch_size}" + (f"-{options.limit}" if options.limit else "")
    path = RESULTS / f"find_sigma-{keras.backend.backend()}-{label}.json"

    def runs() -> dict[str, dict]:
        return (stored(path) or {"runs": {}})["runs"]

    for name in options.pairs:
        found = runs().get(name, {})

        def keep(name=name, found=found):
            with FileLock(path.with_suffix(".lock")):  # other processes may measure other pairs
                store(path, {"runs": runs() | {name: found}, "provenance": provenance(), "settings": settings})

        measure(name, found, data, options, keep)
    print(table(runs()))


if __name__ == "__main__":
    main()
