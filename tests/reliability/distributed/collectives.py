"""The compiled update of large and small sharded variables on JAX has no communication between four devices."""

import jax
import keras
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tests.reliability.distributed import trainings

SPECS = {(512, 256): ("row", "column"), (256,): ("column",), (8, 256): (None, "column"), (4, 6): ("row", None)}


def compiled_update(make) -> str:
    """Returns XLA's compiled update as text."""
    mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("row", "column"))
    split = {shape: NamedSharding(mesh, PartitionSpec(*spec)) for shape, spec in SPECS.items()}
    everywhere = NamedSharding(mesh, PartitionSpec())
    variables = [keras.Variable(np.zeros(shape, "float32"), name="kernel") for shape in SPECS]
    optimizer = make(trainings.SEED)
    optimizer.build(variables)

    def placed(variable):
        return jax.device_put(variable.value, split.get(tuple(variable.shape), everywhere))

    values, state = [placed(variable) for variable in variables], [placed(variable) for variable in optimizer.variables]
    gradients = [
        jax.device_put(np.ones(variable.shape, "float32"), split[tuple(variable.shape)]) for variable in values
    ]
    shardings = [value.sharding for value in values], [value.sharding for value in state]
    step = jax.jit(lambda g, v, s: optimizer.stateless_apply(s, g, v), out_shardings=shardings)
    return step.lower(gradients, values, state).compile().as_text()


if __name__ == "__main__":
    for name, make in trainings.MAKERS.items():
        text = compiled_update(make)
        assert "num_partitions=4" in text
        for collective in ("all-gather", "all-reduce", "all-to-all", "collective-permute"):
            assert collective not in text, f"{name}: {collective}"
        print(f"{name}: no communication")
