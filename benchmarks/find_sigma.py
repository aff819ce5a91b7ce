"""How good the sigma of `find_sigma` is, compared with the default and with a search, on pairs of net and optimizer.

Each arm trains the same seeds (initial weights, order of the batches, noise) with `StepDown`: after two thirds of the
epochs the learning rate falls to a tenth and the noise ends. Arms: no noise, the class's default sigma, the suggestion
of `find_sigma` for each seed's net, and the best of a search over sigma on the validation split, with another seed.

    KERAS_BACKEND=jax python benchmarks/find_sigma.py --data-dir FOLDER                             # all pairs
    KERAS_BACKEND=jax python benchmarks/find_sigma.py --data-dir FOLDER --pairs "dense-3 L-Adam"    # one pair
    KERAS_BACKEND=jax python benchmarks/find_sigma.py --limit 11000 --epochs 8 --batch-size 128 --seeds 3 --trials 8

Each run is stored as it ends, so a kill loses at most one. The same command resumes; more seeds, trials or pairs add to
what is stored. Several processes may measure different pairs at once.

A pair needs 56 runs and ten calls of `find_sigma` (highway-20: 36 and five; conv-dense-5 and resnet-20: 20 and three).
Minutes of one core: dense-3 4, dense-40 20, dense-30 13, each dense-20 10, he-dense-10 and dense-10 6, highway-20 22,
conv-dense-5 45, bn-dense-20 13, resnet-20 40; a bit more than three hours in all. With the recipe of the dense nets
conv-dense-5 would take a day and resnet-20 three, so theirs is smaller.
"""

import math
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from bench import Bench, parser, store, stored
from filelock import FileLock

from keras_langevin import LSGD, LAdadelta, LAdam, LRMSprop, datasets
from keras_langevin.experiments.machine import provenance


class Pair(NamedTuple):
    """A net and an optimizer, and how they are measured unless an option says otherwise.

    Attributes:
        net: str, a name that `models.build` takes.
        optimizer, arguments: the class, and its arguments other than `sigma` and `seed`.
        is_new: bool, whether the constants of `find_sigma` were chosen without this pair.
        limit: int, how many examples for training and validation, or `None` for all.
        batch_size, epochs, seeds, trials: ints.
    """

    net: str
    optimizer: type
    arguments: dict
    is_new: bool = False
    limit: int | None = None
    batch_size: int = 512
    epochs: int = 12
    seeds: int = 10
    trials: int = 16


# Smaller recipes for nets with convolutions, whose runs are expensive: see the minutes in the module's docstring.
SMALL = {"limit": 11_000, "batch_size": 128, "epochs": 8, "seeds": 3, "trials": 8}
SMALLEST = SMALL | {"limit": 2_200, "batch_size": 64, "epochs": 6}
PAIRS = {
    "dense-3 L-Adam": Pair("dense-3", LAdam, {"learning_rate": 1e-3}),
    "dense-40 L-Adam": Pair("dense-40", LAdam, {"learning_rate": 1e-3}),
    "dense-20 L-RMSprop": Pair("dense-20", LRMSprop, {"learning_rate": 1e-3}),
    "dense-30 L-RMSprop, ε outside": Pair("dense-30", LRMSprop, {"learning_rate": 1e-3, "epsilon_inside_sqrt": False}),
    "dense-20 L-Adadelta": Pair("dense-20", LAdadelta, {"learning_rate": 0.3}),
    "he-dense-10 L-SGD": Pair("he-dense-10", LSGD, {"learning_rate": 0.1}),
    "highway-20 L-Adam": Pair("highway-20", LAdam, {"learning_rate": 1e-3}, is_new=True, seeds=5),
    "conv-dense-5 L-RMSprop": Pair("conv-dense-5", LRMSprop, {"learning_rate": 1e-3}, **SMALL),
    "dense-10 L-Adadelta": Pair("dense-10", LAdadelta, {"learning_rate": 1.0}),
    "bn-dense-20 L-SGD": Pair("bn-dense-20", LSGD, {"learning_rate": 0.1}, is_new=True),
    "resnet-20 L-Adam": Pair("resnet-20", LAdam, {"learning_rate": 1e-3}, is_new=True, **SMALLEST),
}
RECIPE = ("epochs", "batch_size", "limit")
CHANGED = (*RECIPE, "seeds", "trials")
ARMS = ("none", "default", "suggested", "searched")
LOWEST, HIGHEST = 1e-5, 1.0  # range of the search
SEARCH_SEED = 10_000
RESULTS = Path(__file__).parent / "results"


def measure(name: str, pair: Pair, found: dict, data_dir: str | None, keep):
    """Makes the runs of a pair that are missing in `found`; calls `keep` after each."""
    data = datasets.load("mnist", data_dir=data_dir, limit=pair.limit)
    bench = Bench(pair.net, pair.optimizer(**pair.arguments, seed=0), data, pair.batch_size, pair.epochs)

    def run(key: str, seed: int, sigma: float):
        if found.get(key, {}).get("sigma") != sigma:  # more trials may change the best sigma
            found[key] = bench.trained(seed, sigma)
            print(f"{name}: {key}: sigma={sigma:.2g}, {found[key]['test']:.2f}%", flush=True)
            keep()

    for number, sigma in enumerate(levels(pair.trials)):
        run(f"trial {number}", SEARCH_SEED, sigma)
    trials = [found[f"trial {number}"] for number in range(pair.trials)]
    best = max(trials, key=lambda trial: trial["validation"])["sigma"]
    for seed in range(pair.seeds):
        run(f"none {seed}", seed, 0.0)
        run(f"default {seed}", seed, bench.default)
        if f"search {seed}" not in found:
            found[f"search {seed}"] = bench.suggestion(seed)
            print(f"{name}: {found[f'search {seed}']['reason']}", flush=True)
            keep()
        run(f"suggested {seed}", seed, found[f"search {seed}"]["sigma"])
        run(f"searched {seed}", seed, best)


def levels(trials: int) -> list[float]:
    """Returns the levels of the search: the first elements of van der Corput's sequence on a logarithmic scale, so that
    the levels of fewer trials stay the same."""
    halves = [sum((number >> bit & 1) / 2 ** (bit + 1) for bit in range(10)) for number in range(1, trials + 1)]
    return [LOWEST * (HIGHEST / LOWEST) ** half for half in halves]


class Outcome(NamedTuple):
    """The test accuracies of a pair, in percent, and its levels.

    Attributes:
        arms: dict from `ARMS` to lists of floats, one per seed.
        difference, error: floats, the suggestion minus the search, mean and standard error.
        suggested: list of floats, one per seed.
        searched: float.
    """

    arms: dict[str, list[float]]
    difference: float
    error: float
    suggested: list[float]
    searched: float


def outcome(found: dict) -> Outcome | None:
    """Returns the outcome of a pair's complete seeds, or `None` if there are none."""
    seeds = [key.split()[1] for key in found if key.startswith("searched ")]  # the last run of a seed
    if not seeds:
        return None
    arms = {arm: [found[f"{arm} {seed}"]["test"] for seed in seeds] for arm in ARMS}
    paired = np.subtract(arms["suggested"], arms["searched"])
    error = np.std(paired, ddof=1) / math.sqrt(len(paired)) if len(paired) > 1 else math.nan
    suggested = [found[f"suggested {seed}"]["sigma"] for seed in seeds]
    return Outcome(arms, float(paired.mean()), float(error), suggested, found[f"searched {seeds[0]}"]["sigma"])


def table(runs: dict[str, dict]) -> str:
    """Returns mean test accuracies by pair, and the suggestion minus the search with its standard error."""
    heads = ["pair", "seeds", "no noise", "default", "suggested", "searched"]
    heads += ["suggested − searched", "suggested σ", "searched σ"]
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " --- |" * (len(heads) - 1)]
    for name, pair in PAIRS.items():
        if not (of_pair := outcome(runs.get(name, {}))):
            continue
        lowest, highest = (f"{end(of_pair.suggested):.2g}" for end in (min, max))
        cells = [f"{name}{' (new)' * pair.is_new}", str(len(of_pair.suggested))]
        cells += [f"{np.mean(of_pair.arms[arm]):.2f}" for arm in ARMS]
        cells += [f"{of_pair.difference:+.2f} ± {of_pair.error:.2f}".replace("-", "−")]
        cells += [lowest if lowest == highest else f"{lowest} to {highest}", f"{of_pair.searched:.2g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Measures what is missing and prints the table."""
    options = parser(__doc__)
    options.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS), metavar="PAIR")
    for name in CHANGED:
        options.add_argument(f"--{name.replace('_', '-')}", type=int, help="for all pairs, instead of each pair's own")
    options = options.parse_args()
    changed = {name: getattr(options, name) for name in CHANGED if getattr(options, name) is not None}
    label = "".join(f"-{changed[name]}" for name in RECIPE if name in changed)
    path = RESULTS / f"find_sigma-{keras.backend.backend()}{label}.json"

    def runs() -> dict[str, dict]:
        return (stored(path) or {"runs": {}})["runs"]

    for name in options.pairs:
        pair, found = PAIRS[name]._replace(**changed), runs().get(name, {})
        found["settings"] = {each: getattr(pair, each) for each in RECIPE}

        def keep(name=name, found=found):
            with FileLock(path.with_suffix(".lock")):  # other processes may measure other pairs
                store(path, {"runs": runs() | {name: found}, "provenance": provenance()})

        measure(name, pair, found, options.data_dir, keep)
    print(table(runs()))


if __name__ == "__main__":
    main()
