"""Writes the noise's raw 32-bit words to standard output, without end, for a test of randomness that reads them.

    python benchmarks/noise_words.py elements | dieharder -a -g 200
    python benchmarks/noise_words.py steps | dieharder -a -g 200
    python benchmarks/noise_words.py variables | dieharder -a -g 200

Three arrangements: along the elements of one update; along the updates, of one element; and along the variables, the
first element of each of 1,000 variables of 64×64, update after update. Needs JAX; the words are the same on every
backend, which the tests pin.
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
SEED = (np.uint32(2026), np.uint32(0))
VARIABLES, VARIABLE_SIZE = 1000, 64 * 64


def words(update, block, element):
    return law.bits(element, *law.key(SEED, update, block, OPS), OPS)


@jax.jit
def elements(chunk):
    per_block = law.WORD // CHUNK
    start = (chunk % per_block).astype(jnp.uint32) * np.uint32(CHUNK)
    return words(np.uint32(0), (chunk // per_block).astype(jnp.uint32), start + jnp.arange(CHUNK, dtype=jnp.uint32))


@jax.jit
def steps(chunk):
    update = chunk.astype(jnp.uint32) * np.uint32(CHUNK) + jnp.arange(CHUNK, dtype=jnp.uint32)
    return words(update, np.uint32(0), np.uint32(12345))


@jax.jit
def variables(chunk):
    updates = CHUNK // VARIABLES
    update = (chunk.astype(jnp.uint32) * np.uint32(updates) + jnp.arange(updates, dtype=jnp.uint32))[:, None]
    return words(update, np.uint32(0), jnp.arange(VARIABLES, dtype=jnp.uint32) * np.uint32(VARIABLE_SIZE)).reshape(-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("along", choices=["elements", "steps", "variables"])
    draw = globals()[parser.parse_args().along]
    try:
        for chunk in range(1 << 31):
            sys.stdout.buffer.write(np.asarray(draw(jnp.int32(chunk))).tobytes())
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
