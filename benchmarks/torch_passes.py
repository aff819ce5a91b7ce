"""Where the time of the noise goes with PyTorch on a CPU: its parts for the hidden layers of dense 4×1024, and Adam.

    python benchmarks/torch_passes.py          # writes results/torch_passes.json

Eager PyTorch runs each operation as its own loop over a block that stays in the cache. The parts are timed in turns
(A B C A B C), with medians and quartiles in milliseconds:

    words     the generator's 32-bit words: twenty integer operations
    normals   words to normal numbers, in place: a shift, a conversion, three operations and `torch.erfinv`
    add       scales by σ√γ√P and adds to the weights
    parent    Adam's fused update of the same variables, without noise
"""

import json
import os
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

from keras_langevin import LAdam, without_noise
from keras_langevin.experiments.machine import provenance
from keras_langevin.files import replaced
from keras_langevin.optimizers.noise import on_torch

RESULT = Path(__file__).parent / "results" / "torch_passes.json"
SHAPES, BLOCK, TURNS = [(1024, 1024)] * 4, on_torch._CHUNK, 15


def parts() -> dict:
    """Returns a function without arguments for each part."""
    blocks = sum(-(-int(np.prod(shape)) // BLOCK) for shape in SHAPES)
    first, second = torch.tensor([12345, 67890], dtype=torch.int32).unbind()
    words = on_torch._words(first, second, 0, BLOCK)
    normals, root, weights = (torch.rand(BLOCK) for _ in range(3))
    variables = [keras.Variable(np.random.default_rng(0).normal(size=shape), dtype="float32") for shape in SHAPES]
    gradients = [torch.rand(shape) for shape in SHAPES]
    parent = without_noise(LAdam(1e-3))
    parent.build(variables)

    def of_blocks(function):
        def run():
            with torch.no_grad():
                for _ in range(blocks):
                    function()

        return run

    return {
        "words": of_blocks(lambda: on_torch._words(first, second, 0, BLOCK)),
        "normals": of_blocks(lambda: on_torch._as_normals(words)),
        "add": of_blocks(lambda: weights.addcmul_(normals, torch.sqrt(root))),
        "parent": lambda: parent.apply(gradients, variables),
    }


def main():
    contestants = parts()
    found = {name: [] for name in contestants}
    for turn in range(TURNS + 2):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            if turn >= 2:
                found[name].append(1e3 * (time.perf_counter() - began))
    ms = {
        name: [round(float(value), 3) for value in np.quantile(times, (0.25, 0.5, 0.75))]
        for name, times in found.items()
    }
    results = {"provenance": provenance() | {"backend": "torch"}, "parameters": 4 * 1024**2, "turns": TURNS, "ms": ms}
    with replaced(RESULT) as file:
        json.dump(results, file, indent=1)
    for name, (low, middle, high) in ms.items():
        print(f"{name:8s} {middle:6.2f} ms ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
