"""Whether a few updates tell which learning rate is good for a training.

`find_sigma` makes a few updates without noise, and a few at each of several levels. Here it does so at five learning
rates, from the same weights and on the same batches. It would suggest the rate whose updates without noise end with the
lowest loss. Then a net is trained at each rate, with the sigma found there and `StepDown`: after two thirds of the
epochs the learning rate falls to a tenth and the noise ends.

Measure: the test accuracy at the suggested rate minus that at the rate with the best mean over the seeds, averaged over
the seeds. The suggestion is good if it is within 0.5 points in each of the four cases.

    KERAS_BACKEND=jax python benchmarks/learning_rates.py --data-dir FOLDER    # 60 trainings of a few seconds

Each run is stored as it ends. The same command resumes.
"""

from pathlib import Path

import numpy as np
from bench import Bench, parser, store, stored

from keras_langevin import LAdam, datasets
from keras_langevin.experiments.machine import provenance

RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]
CASES = {  # net, data, examples for training and validation, batch size, epochs
    "dense-3, digits": ("dense-3", "digits", None, 32, 20),
    "dense-20, digits": ("dense-20", "digits", None, 32, 20),
    "dense-3, MNIST": ("dense-3", "mnist", 11_000, 128, 8),
    "dense-20, MNIST": ("dense-20", "mnist", 11_000, 128, 8),
}
RESULTS = Path(__file__).parent / "results" / "learning_rates.json"


def measure(case: str, runs: dict, data_dir: str | None, seeds: int, keep):
    """Makes the runs of a case that are missing in `runs`; calls `keep` after each."""
    wanted = [(rate, seed) for seed in range(seeds) for rate in RATES]
    if all(f"{rate:g} {seed}" in runs for rate, seed in wanted):
        return
    net, dataset, limit, *recipe = CASES[case]
    data = datasets.load(dataset, data_dir=data_dir, limit=limit)
    bench = Bench(net, LAdam(seed=0), data, *recipe)
    for rate, seed in wanted:
        key = f"{rate:g} {seed}"
        if key not in runs:
            found = bench.suggestion(seed, rate)
            runs[key] = bench.trained(seed, found["sigma"], rate) | {"loss": found["loss_without_noise"]}
            print(f"{case}: {key}: loss {runs[key]['loss']:.3g}, {runs[key]['test']:.2f}%", flush=True)
            keep()


def complete(runs: dict) -> list[str]:
    """Returns the seeds that have trained at every rate."""
    seeds = sorted({key.split()[1] for key in runs}, key=int)
    return [seed for seed in seeds if all(f"{rate:g} {seed}" in runs for rate in RATES)]


def table(cases: dict[str, dict]) -> str:
    """Returns the table: mean test accuracies by rate, each seed's suggested rate, and how much accuracy it loses."""
    heads = ["case", "seeds", *(f"γ = {rate:g}" for rate in RATES), "suggested γ", "suggested − best"]
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " --- |" * (len(heads) - 1)]
    for case, runs in cases.items():
        seeds = complete(runs)
        if not seeds:
            continue
        accuracies, losses = (
            np.array([[runs[f"{rate:g} {seed}"][what] for rate in RATES] for seed in seeds])
            for what in ("test", "loss")
        )
        suggested, best = losses.argmin(1), accuracies.mean(0).argmax()
        lost = accuracies[np.arange(len(seeds)), suggested] - accuracies[:, best]
        cells = [str(len(seeds)), *(f"{mean:.2f}" for mean in accuracies.mean(0))]
        cells += [", ".join(f"{RATES[index]:g}" for index in suggested), f"{lost.mean():+.2f}"]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Measures what is missing and prints the table."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options = options.parse_args()
    result = {"cases": (stored(RESULTS) or {"cases": {}})["cases"]}

    def keep():
        store(RESULTS, {"provenance": provenance()} | result)

    for case in CASES:
        measure(case, result["cases"].setdefault(case, {}), options.data_dir, options.seeds, keep)
    print(table(result["cases"]))


if __name__ == "__main__":
    main()
