"""How fast the update alone can be on this machine: bytes and operations per parameter against the machine's rates.

    KERAS_BACKEND=jax python benchmarks/roofline.py          # writes results/roofline-jax.json
    KERAS_BACKEND=tensorflow python benchmarks/roofline.py   # the updates on TensorFlow; the rest also needs JAX

Counts the bytes that Adam's update must move (it reads the weight, the gradient and two slots, and writes all but the
gradient), and the integer and float operations of a normal number, by running `noise.law` on numbers that count. The
noise moves no more bytes. Measures on JAX the bytes per second of a copy of the same size, and the operations of each
kind per second, in XLA loops that stay in the cache. An update that overlaps both perfectly takes

    max(bytes / bandwidth, operations / rate)

The results have this bound beside the measured time of the update.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from turns import in_turns

RESULTS = Path(__file__).parent / "results"
BYTES = 4 * (4 + 3)  # of Adam's update of a float32 parameter: reads w, g, m, v; writes w, m, v
ROUNDS = 64  # operations per element, so that they and not memory bound the loop


class Counting:
    """A number that counts the operations on it."""

    def __init__(self, counts: Counter, kind: str):
        self.counts, self.kind = counts, kind

    def counted(self, *_):
        self.counts[self.kind] += 1
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = counted
    __xor__ = __rxor__ = __and__ = __lshift__ = __rshift__ = counted


def operations() -> dict[str, int]:
    """Returns the integer and float operations of one normal number, without its key and place, which many share."""
    from keras_langevin.optimizers.noise import law

    counts = Counter()
    word, uniform = Counting(counts, "integer"), Counting(counts, "float")
    integers = SimpleNamespace(
        xor=lambda a, b: a ^ b, shift=lambda a, count: a >> count, multiply=lambda a, factor: a * factor
    )
    law.bits(word, word, word, integers)
    floats = SimpleNamespace(
        absolute=lambda x: x.counted(),
        sqrt=lambda x: x.counted(),
        float_bits=lambda x: word,
        bits_float=lambda x: uniform,
        to_float=lambda x: uniform.counted(),
    )
    law.inverse_normal(uniform, floats)
    counts["integer"] += 1  # the word's upper 24 bits
    counts["float"] += 3  # as a float, + ½, / 2²³
    return dict(counts)


def measured(elements: int, rounds: int) -> dict[str, list[float]]:
    """Returns quartiles of seconds: of a copy and updates of `elements`, and of `ROUNDS` operations in the cache."""
    import jax
    import jax.numpy as jnp

    from keras_langevin.experiments.overhead import make_optimizer, make_update

    def integer(x):
        for _ in range(ROUNDS // 4):  # four operations like those of the hash
            x = (x ^ (x >> np.uint32(15))) * np.uint32(0x7FEB352D) + np.uint32(1)
        return x

    def real(x):
        for _ in range(ROUNDS // 2):
            x = x * np.float32(0.999) + np.float32(0.001)
        return x

    state = {"copied": jnp.ones(elements, "float32")}
    small = {"integer": (jax.jit(integer), jnp.ones(CACHED, "uint32")), "float": (jax.jit(real), jnp.ones(CACHED))}
    negate = jax.jit(jnp.negative, donate_argnums=0)

    def copy():
        state["copied"] = jax.block_until_ready(negate(state["copied"]))

    runs = {"copy": copy}
    for name, (function, argument) in small.items():
        runs[name] = lambda function=function, argument=argument: jax.block_until_ready(function(argument))
    for arm in ("parent", "langevin"):
        runs[arm] = make_update(make_optimizer(arm), ((elements,),))
    return {
        name: np.quantile(times, (0.25, 0.5, 0.75)).tolist() for name, times in in_turns(runs, rounds=rounds).items()
    }


CACHED = 1 << 16


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--elements", type=int, nargs="+", default=[4_000_000, 100_000_000], help="default: 4 M, 100 M")
    parser.add_argument("--rounds", type=int, default=15, help="default: 15")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/roofline-BACKEND.json")
    options = parser.parse_args()

    import keras

    from keras_langevin.experiments.machine import provenance
    from keras_langevin.files import replaced

    out = options.out or RESULTS / f"roofline-{keras.backend.backend()}.json"
    counts = operations()
    results = {"provenance": provenance(), "bytes": BYTES, "operations": counts, "sizes": {}}
    for elements in options.elements:
        seconds = measured(elements, options.rounds)
        bandwidth = 8 * elements / seconds["copy"][1]
        rates = {kind: ROUNDS * CACHED / seconds[kind][1] for kind in ("integer", "float")}
        moving = BYTES / bandwidth
        computing = sum(counts[kind] / rates[kind] for kind in rates)  # both kinds share the processor's vector units
        found = {"seconds": seconds, "GB/s": bandwidth / 1e9, "G operations/s": {k: v / 1e9 for k, v in rates.items()}}
        found["ns a parameter"] = {
            "bound by bytes": 1e9 * moving,
            "bound by operations of the noise": 1e9 * computing,
            **{arm: 1e9 * seconds[arm][1] / elements for arm in ("parent", "langevin")},
        }
        found["least ratio"] = max(moving, computing) / moving
        found["ratio"] = seconds["langevin"][1] / seconds["parent"][1]
        results["sizes"][str(elements)] = found
        with replaced(out) as file:
            json.dump(results, file, indent=1)
        print(
            json.dumps({name: found[name] for name in ("GB/s", "ns a parameter", "least ratio", "ratio")}), flush=True
        )


if __name__ == "__main__":
    main()
