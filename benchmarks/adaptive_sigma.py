"""Whether a noise level that follows the drift is better than a fixed one, and transfers better between nets.

Arms, each with one number:

    fixed      σ
    held       r: σ is set so that noise_rms / drift_rms = r, both over the noisy layers in the latest update
    decaying   r: the same with r · 10^(−2t/T), where T is the number of updates with noise

`AdaptiveSigma` below sets σ after every `STEPS` updates, from what `LangevinMonitor` measures. In every arm the noise
ends after two thirds of the epochs, when the learning rate falls to a tenth (`StepDown`).

Nets: dense-3, dense-20, dense-40 and highway-20 with L-Adam, dense-20 with L-RMSprop (ε outside the root), on MNIST.

Budget: six values per arm, half a decade apart, with two tuning seeds. For each net and arm the value with the best
mean validation accuracy is chosen, on a tie the first. It then trains ten other seeds, the same in all arms, and is
judged on the test split. A choice at the edge of the six is marked.

Measures, fixed before any run:

1. The paired difference in test accuracy to the fixed σ, over the ten seeds, with its 95% interval by sign flips.
2. Transfer, on the tuning seeds. The regret of a value on a net is the best mean validation accuracy of any arm and
   value on that net, minus that of the value. The best single value of an arm has the smallest mean regret over the
   nets. Its mean and its largest regret are compared with those of the best single σ.

`AdaptiveSigma` joins the package if an arm has an interval above zero on a net and no interval below zero on another,
or if the mean regret of its best single value is at least 1 point less than that of the best single σ, and no interval
of (1) lies below −1 point. Otherwise it does not.

We expect that it does not. A fixed σ already follows the drift: its noise is σ√(γP), and P falls by orders of magnitude
when a very deep net starts to train. A ratio that is large enough to start such a net is ruinous later.

    KERAS_BACKEND=jax python benchmarks/adaptive_sigma.py --data-dir FOLDER --out adaptive-sigma
    KERAS_BACKEND=jax python benchmarks/adaptive_sigma.py --data-dir FOLDER --out rehearsal --rehearse   # tiny

330 runs. Each is written to a file in --out as it ends. The same command resumes, and several processes may measure
different `--nets`. Once all runs are done, the summary is written to benchmarks/results/adaptive_sigma.json.
"""

import itertools
import math
from pathlib import Path

import numpy as np
from bench import Bench, parser, store, stored

from keras_langevin import LAdam, LRMSprop, datasets
from keras_langevin.callbacks.base import SigmaCallback
from keras_langevin.callbacks.measurement import Change, Reader, Snapshot, rows
from keras_langevin.experiments.machine import provenance
from keras_langevin.experiments.report.words import with_interval
from keras_langevin.experiments.statistics import paired_difference
from keras_langevin.reading import number
from keras_langevin.values import two_thirds

NETS = {  # model, optimizer, its arguments, and how many examples for training and validation (`None`: all)
    "dense-3": ("dense-3", LAdam, {}, None),
    "dense-20": ("dense-20", LAdam, {}, None),
    "dense-40": ("dense-40", LAdam, {}, None),
    "dense-20-rmsprop": ("dense-20", LRMSprop, {"epsilon_inside_sqrt": False}, None),
    "highway-20": ("highway-20", LAdam, {}, 11_000),
}
ARMS = {
    "fixed": [10 ** (-4 + i / 2) for i in range(6)],
    "held": [10 ** (i / 2) for i in range(6)],
    "decaying": [10 ** (0.5 + i / 2) for i in range(6)],
}
DECADES = {"held": 0.0, "decaying": 2.0}
TUNING_SEEDS = (1_000_000, 1_000_001)
SEEDS = range(10)
BATCH_SIZE, EPOCHS, STEPS = 512, 12, 5
FIRST = 1e-6  # σ until a ratio has been measured
RESULTS = Path(__file__).parent / "results" / "adaptive_sigma.json"


class AdaptiveSigma(SigmaCallback):
    """Holds the ratio of noise to drift: σ ← σ · wanted / measured. Where σ is 0 it stays 0.

    Args:
        ratio: float > 0, r at the first update.
        decades: float >= 0, the powers of ten by which r falls over two thirds of the epochs.
    """

    def __init__(self, ratio: float, decades: float):
        super().__init__()
        self.ratio, self.decades = ratio, decades
        self.levels: list[float] = []  # σ at the end of each epoch

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        (self._optimizer,) = self.optimizers
        self._reader = Reader(self._optimizer)
        self._initial = self._reader.weights()
        self._updates = two_thirds(self.params["epochs"]) * self.params["steps"]

    def on_train_batch_begin(self, batch, logs=None):
        model = self.model  # on JAX, this makes Keras write the state of the steps back to the variables
        is_noisy = number(self._optimizer.sigma) > 0
        self._before = Snapshot(self._reader, model.steps_per_execution > 1) if is_noisy else None

    def on_train_batch_end(self, batch, logs=None):
        if self._before is None:
            return
        self.model  # noqa: B018
        updates = int(number(self._optimizer.iterations))
        with np.errstate(all="ignore"):
            measured = rows(0, [Change(self._reader, self._before, updates)], [self._initial])[0].noise_to_drift
        if math.isfinite(measured) and measured > 0:
            wanted = self.ratio * 10 ** (-self.decades * updates / self._updates)
            self.set_sigma([self.sigmas()[0] * wanted / measured])

    def on_epoch_end(self, epoch, logs=None):
        self.levels += self.sigmas()


class Measurement:
    """Reads the runs in a folder and makes those that are missing.

    Args:
        out: path of the folder.
        data_dir: where MNIST is.
        rehearse: bool, whether to make small runs that mean nothing.
    """

    def __init__(self, out: Path, data_dir: str | None, rehearse: bool):
        self.out, self.data_dir, self.rehearse = out, data_dir, rehearse
        self.values = {arm: values[::3] if rehearse else values for arm, values in ARMS.items()}
        self.tuning_seeds = TUNING_SEEDS[:1] if rehearse else TUNING_SEEDS
        self.seeds = SEEDS[:2] if rehearse else SEEDS
        self._benches: dict[str, Bench] = {}  # of the latest net

    def path(self, net: str, arm: str, value: float, seed: int) -> Path:
        return self.out / net / f"{arm} {value:.3g} {seed}.json"

    def run(self, net: str, arm: str, value: float, seed: int) -> dict:
        """Returns the record of a run, and makes the run first if it has none."""
        path = self.path(net, arm, value, seed)
        if found := stored(path):
            return found
        if net not in self._benches:
            self._benches = {net: self._bench(net)}
        adaptive = None if arm == "fixed" else AdaptiveSigma(value, DECADES[arm])
        sigma = FIRST if adaptive else value
        scores = self._benches[net].trained(seed, sigma, callbacks=[adaptive] if adaptive else [])
        levels = {"sigmas": [level if math.isfinite(level) else None for level in adaptive.levels]} if adaptive else {}
        store(path, scores | levels | {"provenance": provenance()})
        print(f"{net}: {path.stem}: {scores['test']:.2f}%, {scores['seconds']:.1f} s", flush=True)
        return stored(path)

    def _bench(self, net: str) -> Bench:
        model, optimizer, arguments, limit = NETS[net]
        limit, epochs = (3000, 3) if self.rehearse else (limit, EPOCHS)
        data = datasets.load("mnist", data_dir=self.data_dir, limit=limit)
        return Bench(model, optimizer(1e-3, **arguments, seed=0), data, BATCH_SIZE, epochs, steps_per_execution=STEPS)

    def measure(self, net: str) -> dict:
        """Makes all runs of a net and returns them in the form of the summary."""
        tuning, chosen, test = {}, {}, {}
        for arm, values in self.values.items():
            runs = [[self.run(net, arm, value, seed) for seed in self.tuning_seeds] for value in values]
            tuning[arm] = [[run["validation"] for run in of_value] for of_value in runs]
            means = np.mean(tuning[arm], axis=1)
            chosen[arm] = values[int(means.argmax())]
        for seed, arm in itertools.product(self.seeds, self.values):
            test.setdefault(arm, []).append(self.run(net, arm, chosen[arm], seed)["test"])
        return {"tuning": tuning, "chosen": chosen, "test": test}

    def is_complete(self, net: str) -> bool:
        count = len(self.values) * (len(self.values["fixed"]) * len(self.tuning_seeds) + len(self.seeds))
        return len(list((self.out / net).glob("[!.]*.json"))) == count


def differences(nets: dict[str, dict]) -> str:
    """Returns the first measure: the table of test accuracies."""
    lines = ["| net | " + " | ".join(f"{arm}, value" for arm in ARMS) + " | held − fixed | decaying − fixed |"]
    lines.append("| --- |" + " --- |" * 5)
    for net, found in nets.items():
        cells = []
        for arm, value in found["chosen"].items():
            edge = ", edge" * (value in (ARMS[arm][0], ARMS[arm][-1]))
            cells.append(f"{np.mean(found['test'][arm]):.2f} ({value:.3g}{edge})")
        for arm in ("held", "decaying"):
            cells.append(with_interval(paired_difference(found["test"][arm], found["test"]["fixed"])))
        lines.append(f"| {net} | {' | '.join(cells)} |")
    return "\n".join(lines)


def transfer(nets: dict[str, dict], values: dict[str, list[float]]) -> dict[str, dict]:
    """Returns the second measure: each arm's best single value, with its mean and largest regret over the nets."""
    means = {arm: np.array([np.mean(found["tuning"][arm], axis=1) for found in nets.values()]) for arm in values}
    best = np.max(np.concatenate(list(means.values()), axis=1), axis=1)
    result = {}
    for arm, of_nets in means.items():
        regrets = best[:, None] - of_nets
        single = int(regrets.mean(0).argmin())
        result[arm] = {
            "value": values[arm][single],
            "mean_regret": float(regrets[:, single].mean()),
            "largest_regret": float(regrets[:, single].max()),
        }
    return result


def main():
    """Measures what is missing; once nothing is, writes the summary."""
    options = parser(__doc__)
    options.add_argument("--out", type=Path, required=True, help="folder for the runs")
    options.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS), metavar="NET")
    options.add_argument("--rehearse", action="store_true", help="small runs, which mean nothing")
    options = options.parse_args()
    measurement = Measurement(options.out, options.data_dir, options.rehearse)
    for net in options.nets:
        measurement.measure(net)
    if not all(map(measurement.is_complete, NETS)):
        return
    nets = {net: measurement.measure(net) for net in NETS}
    settings = {"batch_size": BATCH_SIZE, "epochs": EPOCHS, "values": measurement.values}
    found = {"settings": settings, "nets": nets, "transfer": transfer(nets, measurement.values)}
    store(options.out / "summary.json" if options.rehearse else RESULTS, {"provenance": provenance()} | found)
    print(differences(nets))
    for arm, single in found["transfer"].items():
        print(arm, {name: round(value, 4) for name, value in single.items()})


if __name__ == "__main__":
    main()
