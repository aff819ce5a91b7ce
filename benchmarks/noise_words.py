"""Writes an endless stream of raw 32-bit words to standard output, for a test of randomness.

    python benchmarks/noise_words.py elements | dieharder -a -g 200
    python benchmarks/noise_words.py steps --seed 7 | dieharder -a -g 200
    python benchmarks/noise_words.py variables --generator philox-7 | dieharder -a -g 200

Three arrangements: the elements of one update in order; one element update after update; and the first element of each
of 1,000 variables of 64×64, update after update. Needs JAX; the words are the same on every backend, as tests check.
(`noise_quality.py` runs all of dieharder's tests on them.)
"""

import argparse
import contextlib
import fcntl
import os
import sys
from functools import partial

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import numpy as np
from generators import GENERATORS

from keras_langevin.optimizers.noise import law

CHUNK = 1 << 22
VARIABLES, VARIABLE_SIZE = 1000, 64 * 64


def numbers():
    """Returns 0, 1, ..., CHUNK − 1 in rows; XLA makes a faster loop of them than of a flat range."""
    rows = jnp.arange(CHUNK // 2048, dtype=jnp.uint32)[:, None] * np.uint32(2048)
    return rows + jnp.arange(2048, dtype=jnp.uint32)


def elements(words, seed, chunk):
    per_block = law.WORD // CHUNK
    block, start = (chunk // per_block).astype(jnp.uint32), (chunk % per_block).astype(jnp.uint32) * np.uint32(CHUNK)
    return words(seed, np.uint32(0), block, start + numbers())


def steps(words, seed, chunk):
    update = chunk.astype(jnp.uint32) * np.uint32(CHUNK) + numbers()
    return words(seed, update, np.uint32(0), jnp.full_like(update, 12345))


def variables(words, seed, chunk):
    updates = CHUNK // VARIABLES
    update = (chunk.astype(jnp.uint32) * np.uint32(updates) + jnp.arange(updates, dtype=jnp.uint32))[:, None]
    element = jnp.arange(VARIABLES, dtype=jnp.uint32) * np.uint32(VARIABLE_SIZE)
    return words(seed, update, np.uint32(0), jnp.broadcast_to(element, (updates, VARIABLES)))


ARRANGEMENTS = {"elements": elements, "steps": steps, "variables": variables}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("along", choices=ARRANGEMENTS)
    parser.add_argument("--seed", type=int, default=2026, help="default: 2026")
    parser.add_argument("--generator", choices=GENERATORS, default="in use", help="default: in use")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    draw = jax.jit(partial(ARRANGEMENTS[options.along], GENERATORS[options.generator]))
    seed = tuple(law.split_seed(options.seed).view("uint32"))
    with contextlib.suppress(AttributeError, OSError):  # a larger pipe, if the system allows it: fewer waits
        fcntl.fcntl(sys.stdout.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)
    try:
        for chunk in range(1 << 31):
            sys.stdout.buffer.write(memoryview(np.asarray(draw(seed, jnp.int32(chunk)))))
    except BrokenPipeError:  # the reader has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
