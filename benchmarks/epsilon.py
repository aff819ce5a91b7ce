"""How ε compares with the gradients of an untrained net, and what this does to the first step.

For dense nets of growing depth on MNIST: the root mean square of the hidden kernels' gradient at the initial weights,
and for each optimizer the root mean squares of its first step and its noise with γ = σ = 1e-3, divided by that of the
weights.

    KERAS_BACKEND=jax python benchmarks/epsilon.py --data-dir FOLDER
"""

import argparse
import json
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_langevin import LAdam, LRMSprop, datasets, models, without_noise
from keras_langevin.experiments.machine import provenance

DEPTHS = (3, 20, 30, 40)
OPTIMIZERS = {
    "Adam, ε = 1e-7": lambda: LAdam(1e-3, epsilon=1e-7),
    "Adam, ε = 1e-6": lambda: LAdam(1e-3),
    "RMSprop, ε = 1e-7 inside": lambda: LRMSprop(1e-3, epsilon=1e-7),
    "RMSprop, ε = 1e-6 inside": lambda: LRMSprop(1e-3),
    "RMSprop, ε = 1e-6 outside": lambda: LRMSprop(1e-3, epsilon_inside_sqrt=False),
}
RESULTS = Path(__file__).parent / "results" / "epsilon.json"


def rms(arrays) -> float:
    """Returns the root mean square of all elements of a list of arrays."""
    return float(np.sqrt(np.mean(np.concatenate([np.ravel(array) for array in arrays]).astype("float64") ** 2)))


class GradientsKept(keras.optimizers.SGD):
    """Keeps the gradients in slots and does not change the weights."""

    def build(self, variables):
        super().build(variables)
        self.kept = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient, variable, learning_rate):
        self.assign(self.kept[self._get_variable_index(variable)], gradient)


def gradients(model, batch) -> list[np.ndarray]:
    """Returns the gradient of the loss at the model's weights."""
    optimizer = GradientsKept()
    model.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(*batch)
    return [ops.convert_to_numpy(kept) for kept in optimizer.kept]


def measure(depth: int, seed: int, batch) -> dict:
    """Returns the figures of one net."""
    keras.utils.set_random_seed(seed)
    model = models.dense(depth, batch[0].shape[1:], 10)
    found = gradients(model, batch)
    hidden = [index for index, weight in enumerate(model.trainable_variables) if weight.path.endswith("/kernel")][1:-1]
    weights = [ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    result = {"gradient": rms([found[index] for index in hidden]), "weights": rms([weights[i] for i in hidden])}
    for name, make in OPTIMIZERS.items():
        optimizer = make()
        variables = [keras.Variable(weight, name=f"w{number}") for number, weight in enumerate(weights)]
        silent = without_noise(optimizer)
        silent.build(variables)
        silent.apply([ops.convert_to_tensor(gradient) for gradient in found], variables)
        step = rms([ops.convert_to_numpy(variables[i]) - weights[i] for i in hidden])
        noisy = [keras.Variable(weight, name=f"w{number}") for number, weight in enumerate(weights)]
        optimizer.build(noisy)
        optimizer.apply([ops.convert_to_tensor(gradient) for gradient in found], noisy)
        added = [ops.convert_to_numpy(noisy[i]) - ops.convert_to_numpy(variables[i]) for i in hidden]
        result[name] = {"step": step / result["weights"], "noise": rms(added) / result["weights"]}
    return result


def main():
    """Measures all depths and seeds, stores the runs and prints their medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", help="where tensorflow-datasets has MNIST")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    data = datasets.load("mnist", data_dir=options.data_dir)
    batch = data.train.x[:512], data.train.y[:512]
    runs = {str(depth): [measure(depth, seed, batch) for seed in range(options.seeds)] for depth in DEPTHS}
    RESULTS.write_text(json.dumps({"provenance": provenance(), "runs": runs}, indent=1) + "\n", "utf-8")
    print(table(runs))


def table(runs: dict[str, list[dict]]) -> str:
    """Returns a Markdown table of medians over seeds: the gradient, then step / noise of each optimizer."""
    rows = [
        f"| hidden layers | gradient | {' | '.join(OPTIMIZERS)} |",
        "| --- |" + " --- |" * (1 + len(OPTIMIZERS)),
    ]
    for depth, found in runs.items():
        cells = [f"{np.median([run['gradient'] for run in found]):.1e}"]
        for name in OPTIMIZERS:
            step, noise = (np.median([run[name][which] for run in found]) for which in ("step", "noise"))
            cells.append(f"{step:.1e} / {noise:.1e}")
        rows.append(f"| {depth} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
