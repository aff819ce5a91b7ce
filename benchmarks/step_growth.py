"""How an update grows with the numbers of variables and parameters: its operations, time to trace, and memory.

    KERAS_BACKEND=jax python benchmarks/step_growth.py          # writes results/step_growth-jax.json

Every second variable is drawn alone, and those between them are drawn together, so a pool never holds neighbours. The
operations are counted, so that a busy machine does not matter: on JAX those of the lowered update, on TensorFlow the
nodes of its graph, on PyTorch the operations that it calls. (There Adam's own update is one call, in which PyTorch
loops over all variables.) On JAX also the bytes that the compiled update needs in addition to its arguments, for up to
10⁹ parameters, without allocating them.
"""

import argparse
import json
import time
from pathlib import Path

ARMS = ("parent", "langevin")
COUNTS = (10, 30, 100, 300, 1000, 3000)
PARAMETERS = [10**exponent for exponent in range(3, 10)]
LARGE, SMALL = (10, 10), (10,)


def shapes(count: int) -> list[tuple[int, ...]]:
    return [LARGE, SMALL] * (count // 2)


def operations(arm: str, count: int) -> tuple[int, float]:
    """Returns the operations of an update of `count` variables, and the process's seconds to trace it."""
    import keras

    from keras_langevin.experiments.overhead import make_optimizer
    from keras_langevin.optimizers import draws

    before, draws._SMALL = draws._SMALL, 10  # a small variable can be drawn alone
    try:
        return _TRACED[keras.backend.backend()](make_optimizer(arm), shapes(count))
    finally:
        draws._SMALL = before


def _variables(shapes):
    import keras

    variables = []
    for index, shape in enumerate(shapes):
        with keras.name_scope(f"layer_{index}"):
            variables.append(keras.Variable(keras.ops.zeros(shape), name="kernel"))
    return variables


def _timed(function):
    began = time.process_time()
    return function(), time.process_time() - began


def _lowered(optimizer, shapes):
    """Lowers the update on JAX from shapes alone, so that 10⁹ parameters are not allocated."""
    import jax

    def build():
        optimizer.build(_variables(shapes))
        return [variable.value for variable in optimizer.variables]

    def step(values, state, gradients):
        return optimizer.stateless_apply(state, gradients, values)

    state = jax.eval_shape(build)
    values = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
    return jax.jit(step, donate_argnums=(0, 1)).lower(values, state, values)


def _on_jax(optimizer, shapes):
    lowered, seconds = _timed(lambda: _lowered(optimizer, shapes))
    return sum(" = " in line for line in lowered.as_text().splitlines()), seconds


def _on_tensorflow(optimizer, shapes):
    import tensorflow as tf

    variables = _variables(shapes)
    optimizer.build(variables)
    step = tf.function(lambda gradients: optimizer.apply(gradients, variables), autograph=False)
    gradients = [tf.zeros(shape) for shape in shapes]
    traced, seconds = _timed(lambda: step.get_concrete_function(gradients))
    graph = traced.graph.as_graph_def()
    return len(graph.node) + sum(len(function.node_def) for function in graph.library.function), seconds


def _on_torch(optimizer, shapes):
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):
        calls = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.calls += 1
            return function(*args, **(kwargs or {}))

    variables = _variables(shapes)
    optimizer.build(variables)
    gradients = [torch.zeros(shape) for shape in shapes]
    optimizer.apply(gradients, variables)  # the first update also creates what later ones reuse
    with Counting() as counting:
        _, seconds = _timed(lambda: optimizer.apply(gradients, variables))
    return counting.calls, seconds


_TRACED = {"jax": _on_jax, "tensorflow": _on_tensorflow, "torch": _on_torch}


def memory(arm: str, parameters: int) -> int:
    """Returns the bytes that the compiled update of one variable needs in addition to its arguments, on JAX."""
    from keras_langevin.experiments.overhead import make_optimizer

    return _lowered(make_optimizer(arm), [(parameters // 10, 10)]).compile().memory_analysis().temp_size_in_bytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of variables")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/step_growth-BACKEND.json")
    options = parser.parse_args()

    import keras

    from keras_langevin.experiments.machine import provenance
    from keras_langevin.files import replaced

    backend = keras.backend.backend()
    out = options.out or Path(__file__).parent / "results" / f"step_growth-{backend}.json"
    results = {"provenance": provenance(), "operations": {}, "trace_seconds": {}, "bytes": {}}

    def add(kind, key, values):
        results[kind][str(key)] = values
        with replaced(out) as file:
            json.dump(results, file, indent=1)
        print(f"{kind}, {key:,}: {values}", flush=True)

    for count in options.counts:
        found = {arm: operations(arm, count) for arm in ARMS}
        add("operations", count, {arm: number for arm, (number, _) in found.items()})
        add("trace_seconds", count, {arm: round(seconds, 3) for arm, (_, seconds) in found.items()})
    for parameters in PARAMETERS if backend == "jax" else ():
        add("bytes", parameters, {arm: memory(arm, parameters) for arm in ARMS})


if __name__ == "__main__":
    main()
