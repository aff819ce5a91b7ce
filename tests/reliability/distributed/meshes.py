"""Keras's distributions on JAX: `python -m tests.reliability.distributed.meshes LOSS STEPS MESH MESH ...`

A mesh is `4` (`DataParallel` on 4 devices) or `2x4` (`ModelParallel` with 2 parts of the batch and 4 of the model).
"""

import sys

import keras
import numpy as np
from keras.distribution import DataParallel, DeviceMesh, LayoutMap, ModelParallel

from tests.reliability.distributed import trainings


def distribution(mesh: str):
    shape = tuple(int(size) for size in mesh.split("x"))
    devices = keras.distribution.list_devices()[: np.prod(shape)]
    if len(shape) == 1:
        return DataParallel(devices=devices)
    layout = LayoutMap(DeviceMesh(shape, ["batch", "model"], devices))
    # the wide layer's outputs and the narrow layer's inputs are split, and so are the optimizer's slots for them
    layout[".*wide.*kernel.*"] = (None, "model")
    layout[".*wide.*bias.*"] = ("model",)
    layout[".*narrow.*kernel.*"] = ("model", None)
    return ModelParallel(layout_map=layout, batch_dim_name="batch")


def check_copies(variable, mesh: str):
    """Checks that devices with the same part of a variable hold the same bits."""
    devices = np.prod([int(size) for size in mesh.split("x")])
    parts = {}
    for shard in variable.value.addressable_shards:
        parts.setdefault(str(shard.index), []).append(np.asarray(shard.data))
    assert sum(map(len, parts.values())) == devices, variable.path
    for first, *others in parts.values():
        for other in others:
            np.testing.assert_array_equal(other, first, variable.path)


def check_layout(model, mesh: str):
    """Checks that the wide kernel and its slots are split, and that every device has the seed."""
    parts = int(mesh.split("x")[1]) if "x" in mesh else 1
    wide = [
        v for v in [*model.variables, *model.optimizer.variables] if np.prod(v.shape) == model.weights[0].value.size
    ]
    assert len(wide) > 1
    for variable in wide:
        (shape,) = {shard.data.shape for shard in variable.value.addressable_shards}
        assert shape == (trainings.FEATURES, trainings.WIDTH // parts), variable.path


def main(loss: str, steps: int, meshes: list[str]):
    for name, make in trainings.MAKERS.items():
        expected = trainings.fitted(make, loss, steps).get_weights()
        for mesh in meshes:
            with distribution(mesh).scope():
                model = trainings.fitted(make, loss, steps)
            check_layout(model, mesh)
            for variable in [*model.variables, *model.optimizer.variables]:
                check_copies(variable, mesh)
            weights = [np.asarray(variable.value) for variable in model.trainable_variables]
            found = trainings.check_distance(name, loss, steps, weights, expected)
            print(f"{name}, {loss}, mesh {mesh}: copies equal, {found:.1e} from one device")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
