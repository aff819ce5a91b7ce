"""What `LangevinMonitor` and `LayerScheduler` cost: epochs of L-Adam with and without them, in turns in one process.

    python benchmarks/callback_overhead.py --backend jax

Writes `results/callback_overhead-BACKEND.json` as it goes. For each net: the ratio of the seconds of an epoch with the
monitor to those of one without it, with the same compiled step (median and quartiles of pairs of turns); the share of
an epoch that the monitor's own work takes, which other work on the machine disturbs less; and the ratio of an epoch
with a gate for every layer to one with `layers=None`.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
# steps per epoch, by the names in `keras_langevin.experiments.overhead`; 117 batches of 512 are MNIST
EPOCHS = {"dense 30×64": 117, "dense 4×1024": 117, "resnet-20": 20}


def timed(monitor_class):
    """Returns a monitor that counts the seconds of its own work: of the last two calls of an epoch."""
    import keras

    class Timed(monitor_class):
        seconds = 0.0

        def on_train_batch_begin(self, batch, logs=None):
            self._timed(super().on_train_batch_begin, batch, batch == self.params["steps"] - 1)

        def on_epoch_end(self, epoch, logs=None):
            self._timed(super().on_epoch_end, epoch, True)

        def _timed(self, method, argument, is_timed):
            if is_timed:  # waits for steps that are still running: they are not its work
                for variable in self.model.trainable_variables:
                    keras.ops.convert_to_numpy(variable)
            began = time.perf_counter()
            method(argument)
            self.seconds += is_timed * (time.perf_counter() - began)

    return Timed


def measure(name: str, turns: int, scale: float) -> dict:
    """Returns the figures of one net."""
    from keras_langevin import LangevinMonitor, LayerScheduler
    from keras_langevin.experiments.overhead import CASES

    case, steps = CASES[name], max(2, round(EPOCHS[name] * scale))
    x, y = case.batches(steps)
    plain, gated = (case.compiled_model("langevin") for _ in range(2))
    monitor, schedule = timed(LangevinMonitor)(warn_ratio=None), LayerScheduler({0: None})
    arms = {"plain": (plain, []), "monitor": (plain, [monitor]), "gate": (gated, [schedule])}
    seconds, shares = {arm: [] for arm in arms}, []
    for turn in range(turns + 1):
        for arm in arms if turn % 2 == 0 else reversed(arms):
            model, callbacks = arms[arm]
            monitor.seconds = 0.0
            began = time.perf_counter()
            model.fit(x, y, batch_size=case.batch_size, epochs=1, shuffle=False, verbose=0, callbacks=callbacks)
            if turn:  # the first turn compiles
                seconds[arm].append(time.perf_counter() - began)
                shares += [monitor.seconds / seconds[arm][-1]] if arm == "monitor" else []

    def ratio(arm):
        pairs = np.array(seconds[arm]) / np.array(seconds["plain"])
        return [round(float(value), 4) for value in np.quantile(pairs, (0.5, 0.25, 0.75))]

    share = [round(float(value), 4) for value in np.quantile(shares, (0.5, 0.25, 0.75))]
    figures = {"steps": steps, "monitor_over_plain": ratio("monitor"), "share_in_monitor": share}
    return figures | {"gate_over_plain": ratio("gate"), "seconds": seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", required=True, choices=("jax", "tensorflow", "torch"))
    parser.add_argument("--turns", type=int, default=5, help="default: 5")
    parser.add_argument("--nets", nargs="+", default=list(EPOCHS), choices=list(EPOCHS), help="default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the steps per epoch; default: 1")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend

    from keras_langevin.experiments.machine import provenance
    from keras_langevin.files import replaced

    results = {"provenance": provenance() | {"backend": options.backend}, "nets": {}}
    for name in options.nets:
        results["nets"][name] = measure(name, options.turns, options.scale)
        with replaced(RESULTS / f"callback_overhead-{options.backend}.json") as file:
            json.dump(results, file, indent=1)
        print(name, {key: value for key, value in results["nets"][name].items() if key != "seconds"}, flush=True)


if __name__ == "__main__":
    main()
