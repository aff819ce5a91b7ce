"""The same noisy update by other libraries, on the same sizes: nanoseconds per parameter.

    KERAS_BACKEND=jax python benchmarks/peers.py
    KERAS_BACKEND=torch python benchmarks/peers.py

    Adam, LAdam             Keras's and ours
    keras.random by hand    what a user would write: a subclass of Adam that adds σ√γ√P · keras.random.normal(shape)
    optax                   JAX: `chain(adam, add_noise)`; its noise has no preconditioner
    SGD, LSGD, posteriors   PyTorch: stochastic gradient Langevin dynamics, ours and that of `posteriors` (whose update
                            also computes the gradient, here of a sum of products)

Measures what is installed; `pip install -e ".[peers]"` installs all. Updates one variable of n parameters, with the
methods in turns; writes a JSON file and prints a table.
"""

import argparse
import importlib.util
import json
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import ops
from turns import in_turns

from keras_langevin import LSGD
from keras_langevin.experiments.machine import provenance
from keras_langevin.experiments.overhead import make_optimizer, make_update
from keras_langevin.files import replaced

RESULTS = Path(__file__).parent / "results"
BACKEND = keras.backend.backend()
LEARNING_RATE, SIGMA = 1e-3, 1e-3


class AdamByHand(keras.optimizers.Adam):
    """Adam plus noise from `keras.random`."""

    def build(self, variables):
        super().build(variables)
        self.seed_generator = keras.random.SeedGenerator(0)
        self._track_variable(self.seed_generator.state)

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate)
        velocity = ops.convert_to_tensor(self._velocities[self._get_variable_index(variable)])
        bias_correction = ops.sqrt(1 - ops.power(self.beta_2, ops.cast(self.iterations + 1, "float32")))
        p = bias_correction / (ops.sqrt(velocity) + self.epsilon)
        z = keras.random.normal(variable.shape, seed=self.seed_generator)
        self.assign_add(variable, SIGMA * ops.sqrt(learning_rate) * ops.sqrt(p) * z)


def optax_update(shape):
    import jax
    import jax.numpy as jnp
    import optax

    optimizer = optax.chain(optax.adam(LEARNING_RATE, eps=1e-6), optax.add_noise(SIGMA**2 * LEARNING_RATE, 0.0, 0))

    def step(values, state, gradient):
        updates, state = optimizer.update(gradient, state, values)
        return optax.apply_updates(values, updates), state

    compiled = jax.jit(step, donate_argnums=(0, 1))
    gradient = jnp.ones(shape)
    state = [jnp.ones(shape), optimizer.init(jnp.ones(shape))]

    def run():
        state[:] = compiled(*state, gradient)
        jax.block_until_ready(state)

    return run


def posteriors_update(shape):
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # dozens on import
        import posteriors
    import torch

    gradient = torch.ones(shape)
    transform = posteriors.sgmcmc.sgld.build(
        lambda values, batch: ((values["kernel"] * gradient).sum(), torch.zeros(())), lr=LEARNING_RATE
    )
    state = [transform.init({"kernel": torch.ones(shape)})]

    def run():
        state[0], _ = transform.update(state[0], None, inplace=True)

    return run


def methods(shape) -> dict:
    """Returns functions that make one update, by name."""
    runs = {
        "Adam": make_update(make_optimizer("parent"), [shape]),
        "LAdam": make_update(make_optimizer("langevin"), [shape]),
        "LAdam, rademacher": make_update(make_optimizer("langevin", noise="rademacher"), [shape]),
        "keras.random by hand": make_update(AdamByHand(LEARNING_RATE, epsilon=1e-6), [shape]),
    }
    if BACKEND == "jax" and importlib.util.find_spec("optax"):
        runs["optax adam, add_noise"] = optax_update(shape)
    if BACKEND == "torch":
        runs["SGD"] = make_update(keras.optimizers.SGD(LEARNING_RATE), [shape])
        runs["LSGD"] = make_update(LSGD(LEARNING_RATE, sigma=SIGMA, seed=0), [shape])
        if importlib.util.find_spec("posteriors"):
            runs["posteriors sgld"] = posteriors_update(shape)
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 1_000_000, 10_000_000], metavar="N")
    parser.add_argument("--rounds", type=int, default=15, help="default: 15")
    parser.add_argument("--out", type=Path, default=RESULTS / f"peers-{BACKEND}.json", help="default: %(default)s")
    options = parser.parse_args()
    results = {"provenance": provenance(), "rounds": options.rounds, "ns_per_parameter": {}}
    table = {}
    for size in options.sizes:
        times = in_turns(methods((size // 100, 100)), rounds=options.rounds)
        for name, seconds in times.items():
            quartiles = np.quantile(np.array(seconds) / size * 1e9, [0.25, 0.5, 0.75]).tolist()
            results["ns_per_parameter"].setdefault(name, {})[size] = quartiles
            table.setdefault(name, []).append("{1:.2f} ({0:.2f} to {2:.2f})".format(*quartiles))
        with replaced(options.out) as file:
            json.dump(results, file, indent=1)
    print(f"| {BACKEND} | {' | '.join(f'{size:,} parameters' for size in options.sizes)} |")
    print("|---|" + "---|" * len(options.sizes))
    for name, cells in table.items():
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
