"""What moves in the first updates of a very deep net: kernels, activations, gradients and noise by layer.

    KERAS_BACKEND=jax python benchmarks/first_updates.py

Trains dense-40 on MNIST for 200 updates: with Adam, with L-Adam (γ = σ = 1e-3), and with Adam from initial kernels that
are 1.2 times as large. Writes root mean squares by hidden layer to a JSON file after each run, and resumes there if the
commit is the same. `python benchmarks/why_noise_helps.py` draws them.
"""

import argparse
import json
import os
import random
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results" / "first_updates.json"
# name -> model, whether it has noise
ARMS = {
    "Adam": ("dense-40", False),
    "L-Adam": ("dense-40", True),
    "Adam, initial kernels × 1.2": ("gain-1.2-dense-40", False),
}
UPDATES = [0, 1, 2, 3, 5, 7, 10, 14, 20, 28, 35, 50, 70, 100, 140, 200]
BATCH, RATE, SIGMA = 512, 1e-3, 1e-3
MEASURES = ("kernels", "activations", "gradients", "noise")


def measure(seeds: int):
    import keras

    from keras_langevin import LAdam, datasets, models, without_noise
    from keras_langevin.experiments.machine import provenance
    from keras_langevin.files import replaced

    results = {"provenance": provenance(), "updates": UPDATES, "arms": {name: {} for name in ARMS}}
    if RESULTS.exists():
        before = json.loads(RESULTS.read_text())
        if before["provenance"]["commit"] == results["provenance"]["commit"]:
            results["arms"] |= before["arms"]
    x, y = datasets.load("mnist").train
    for seed in range(seeds):
        for name, (model_name, is_noisy) in ARMS.items():
            if str(seed) in results["arms"][name]:
                continue
            random.seed(seed)  # Keras's initializers draw their seeds from it
            model = models.build(model_name, x.shape[1:], 10)
            optimizer = LAdam(RATE, sigma=SIGMA, seed=seed)
            optimizer = optimizer if is_noisy else without_noise(optimizer)
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(optimizer=optimizer, loss=loss, jit_compile=True)
            results["arms"][name][str(seed)] = _trace(model, x, y, seed)
            with replaced(RESULTS) as file:
                json.dump(results, file)
            print(f"{name}, seed {seed}: loss {results['arms'][name][str(seed)]['loss'][-1]:.3f}", flush=True)


def _trace(model, x, y, seed: int) -> dict:
    """Returns root mean squares by hidden layer after each of `UPDATES`, on the first batch."""
    order = np.random.default_rng(seed).permutation(len(x))
    batches = [order[start : start + BATCH] for start in range(0, len(x) - BATCH + 1, BATCH)]
    hidden = [layer for layer in model.layers if layer.name.startswith("dense_")]
    found = {"loss": [], **{name: [] for name in MEASURES}}
    for update in range(UPDATES[-1] + 1):
        if update in UPDATES:
            for name, values in _measured(model, hidden, x[batches[0]], y[batches[0]]).items():
                found[name].append(values)
        chosen = batches[update % len(batches)]
        model.train_on_batch(x[chosen], y[chosen])
    return found


def shown(value) -> float:
    """Rounds to four digits, enough for a figure; with all digits the file takes 1.5 MB."""
    return float(f"{float(value):.4g}")


def _measured(model, hidden, x, y) -> dict:
    import jax
    import keras
    from keras import ops

    def rms(values):
        return shown(np.sqrt(np.mean(np.square(np.asarray(values, "float64")))))

    def loss(trainable):
        logits, _ = model.stateless_call(trainable, [v.value for v in model.non_trainable_variables], x, training=False)
        return model.loss(y, logits)

    value, gradients = jax.value_and_grad(loss)([v.value for v in model.trainable_variables])
    places = {id(variable): place for place, variable in enumerate(model.trainable_variables)}
    outputs = keras.Model(model.inputs[0], [layer.output for layer in hidden])(x, training=False)
    kernels = [places[id(layer.kernel)] for layer in hidden]
    optimizer, noise = model.optimizer, [0.0] * len(hidden)
    if hasattr(optimizer, "sigma") and int(optimizer.iterations):  # before the first update there is no P
        t = ops.cast(optimizer.iterations, "float32")
        factors = [optimizer.preconditioner(t, optimizer._velocities[place], None) for place in kernels]
        noise = [shown(SIGMA * (RATE * float(ops.mean(factor))) ** 0.5) for factor in factors]
    return {
        "loss": shown(value),
        "kernels": [rms(layer.kernel.value) for layer in hidden],
        "activations": [rms(output) for output in outputs],
        "gradients": [rms(gradients[place]) for place in kernels],
        "noise": noise,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="default: %(default)s")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    measure(parser.parse_args().seeds)


if __name__ == "__main__":
    main()
