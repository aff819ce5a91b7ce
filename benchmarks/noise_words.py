"""Writes the noise's raw 32-bit words to standard output, without end, for a test of randomness that reads them.

    python benchmarks/noise_words.py elements | dieharder -a -g 200
    python benchmarks/noise_words.py steps --seed 7 | dieharder -a -g 200
    python benchmarks/noise_words.py variables | dieharder -a -g 200

Three arrangements: along the elements of one update; along the updates, of one element; and along the variables, the
first element of each of 1,000 variables of 64×64, update after update. Needs JAX; the words are the same on every
backend, which the tests pin. (`noise_quality.py` runs all of dieharder's tests on them.)
"""

import argparse
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import numpy as np

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.on_jax import _ops as OPS

CHUNK = 1 << 22
VARIABLES, VARIABLE_SIZE = 1000, 64 * 64


def words(seed, update, block, element):
    return law.bits(element, *law.key(seed, update, block, OPS), OPS)


@jax.jit
def elements(seed, chunk):
    per_block = law.WORD // CHUNK
    start = (chunk % per_block).astype(jnp.uint32) * np.uint32(CHUNK)
    return words(
        seed, np.uint32(0), (chunk // per_block).astype(jnp.uint32), start + jnp.arange(CHUNK, dtype=jnp.uint32)
    )


@jax.jit
def steps(seed, chunk):
    update = chunk.astype(jnp.uint32) * np.uint32(CHUNK) + jnp.arange(CHUNK, dtype=jnp.uint32)
    return words(seed, update, np.uint32(0), np.uint32(12345))


@jax.jit
def variables(seed, chunk):
    updates = CHUNK // VARIABLES
    update = (chunk.astype(jnp.uint32) * np.uint32(updates) + jnp.arange(updates, dtype=jnp.uint32))[:, None]
    return words(
        seed, update, np.uint32(0), jnp.arange(VARIABLES, dtype=jnp.uint32) * np.uint32(VARIABLE_SIZE)
    ).reshape(-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("along", choices=["elements", "steps", "variables"])
    parser.add_argument("--seed", type=int, default=2026, help="default: 2026")
    options = parser.parse_args()
    draw = globals()[options.along]
    seed = law.split_seed(options.seed).view("uint32")
    try:
        for chunk in range(1 << 31):
            sys.stdout.buffer.write(np.asarray(draw(seed, jnp.int32(chunk))).tobytes())
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
