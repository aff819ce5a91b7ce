"""Candidates for the generator of the noise: speed and quality.

    python benchmarks/noise_generators.py speed
    python benchmarks/noise_generators.py quality
    python benchmarks/noise_generators.py table

`speed` times on JAX, in turns: each generator's words alone, Adam's update of 4 million parameters with its noise, and
the same update with `jax.random.normal`. `quality` runs the quick tests of dieharder on each generator's words, in the
three arrangements of `noise_words.py`. Finished tests are kept in a CSV file and not run again. (`noise_quality.py`
runs all tests on the generator in use.) `table` prints the results so far as Markdown.
"""

import argparse
import csv
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
from noise_quality import COLUMNS, p_values
from tables import generators, rows_of
from turns import in_turns

from keras_langevin.experiments.machine import provenance
from keras_langevin.files import replaced

RESULTS = Path(__file__).parent / "results"
SPEED, QUALITY = RESULTS / "noise_generators.json", RESULTS / "noise_generators.csv"
ARRANGEMENTS = ("elements", "steps", "variables")
SHAPE = (2000, 2000)
# birthdays, 32×32 rank, 6×8 rank, ones in a stream and in bytes, runs, monobit, serial, bytes, DCT, fill tree
QUICK_TESTS = (0, 2, 3, 8, 9, 15, 100, 102, 205, 206, 207)


def speed(rounds: int):
    import jax
    import jax.numpy as jnp
    from generators import GENERATORS
    from jax import lax

    from keras_langevin.optimizers.noise import normal_from_bits

    jax.config.update("jax_enable_x64", True)  # 64-bit products
    size = np.prod(SHAPE)

    def element():
        row = lax.broadcasted_iota(jnp.uint32, SHAPE, 0) * np.uint32(SHAPE[1])
        return row + lax.broadcasted_iota(jnp.uint32, SHAPE, 1)

    def update(normals):
        def step(m, v, x, gradient, seed, t):
            m = np.float32(0.9) * m + np.float32(0.1) * gradient
            v = np.float32(0.999) * v + np.float32(0.001) * gradient * gradient
            p = 1 / (jnp.sqrt(v) + np.float32(1e-6))
            x = x - np.float32(1e-3) * p * m
            return m, v, x if normals is None else x + np.float32(1e-4) * jnp.sqrt(p) * normals(seed, t)

        compiled = jax.jit(step, donate_argnums=(0, 1, 2))
        state = [jnp.ones(SHAPE, jnp.float32) for _ in range(3)]
        gradient = jnp.ones(SHAPE, jnp.float32)

        def run():
            state[:] = compiled(*state, gradient, SEED, np.uint32(1))
            jax.block_until_ready(state)

        return run

    def words_alone(words):
        compiled = jax.jit(lambda seed, t: words(seed, t, np.uint32(0), element()))
        return lambda: compiled(SEED, np.uint32(1)).block_until_ready()

    def noise_of(words):
        return lambda seed, t: normal_from_bits(words(seed, t, np.uint32(0), element()))

    def jax_normal(seed, t):
        return jax.random.normal(jax.random.fold_in(jax.random.key(0), t), SHAPE, jnp.float32)

    SEED = (np.uint32(5), np.uint32(0))
    runs = {("update", "no noise"): update(None), ("update", "jax.random.normal"): update(jax_normal)}
    for name, words in GENERATORS.items():
        runs["words", name] = words_alone(words)
        runs["update", name] = update(noise_of(words))
    times = in_turns(runs, rounds=rounds)
    results = {"provenance": provenance(), "shape": SHAPE, "rounds": rounds, "ns_per_parameter": {}}
    for (kind, name), seconds in times.items():
        quartiles = np.quantile(np.array(seconds) / size * 1e9, [0.25, 0.5, 0.75])
        results["ns_per_parameter"].setdefault(kind, {})[name] = quartiles.tolist()
    with replaced(SPEED) as file:
        json.dump(results, file, indent=1)


def quality():
    from generators import GENERATORS

    columns = ("generator", *COLUMNS)
    if not QUALITY.exists():
        QUALITY.write_text(",".join(columns) + "\n")
    done = {(row["generator"], row["arrangement"], row["number"]) for row in rows_of(QUALITY.name)}
    for number in QUICK_TESTS:
        for generator in GENERATORS:
            for arrangement in ARRANGEMENTS:
                if (generator, arrangement, str(number)) in done:
                    continue
                seed = 100 + number
                rows = p_values(arrangement, seed, number, None, generator)
                with open(QUALITY, "a", newline="", encoding="utf-8") as file:
                    writer = csv.writer(file, lineterminator="\n")
                    writer.writerows([generator, arrangement, seed, number, "", *row] for row in rows)
                print(generator, arrangement, *rows, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "quality", "table"])
    parser.add_argument("--rounds", type=int, default=15, help="for speed; default: 15")
    options = parser.parse_args()
    if options.what == "speed":
        speed(options.rounds)
    elif options.what == "quality":
        quality()
    print(generators())


if __name__ == "__main__":
    sys.exit(main())
