"""Saves a model with its optimizer on one mesh and restores it on others, on JAX.

`python -m tests.reliability.distributed.restored STEPS FOLDER MESH MESH ...` makes half of the steps on the first mesh,
and the other half on each of the others and on one device. Meshes are written as for `meshes`.
"""

import contextlib
import sys
from pathlib import Path

import keras
import numpy as np

from tests.reliability.distributed import trainings
from tests.reliability.distributed.meshes import check_copies, check_layout, distribution


def scope(mesh: str | None):
    return distribution(mesh).scope() if mesh else contextlib.nullcontext()


def state(model) -> list[np.ndarray]:
    return [np.asarray(variable.value) for variable in [*model.variables, *model.optimizer.variables]]


def main(steps: int, folder: Path, saved_on: str, others: list[str]):
    half = steps // 2
    remaining = [array[half * trainings.BATCH :] for array in trainings.examples(steps)]
    for name, make in trainings.MAKERS.items():
        expected = trainings.fitted(make, "mse", steps).get_weights()
        path = folder / f"{name}.keras"
        with scope(saved_on):
            model = trainings.fitted(make, "mse", half)
        model.save(path)
        saved = state(model)
        for mesh in [*others, None]:
            with scope(mesh):
                model = keras.saving.load_model(path)
                for array, before in zip(state(model), saved, strict=True):
                    np.testing.assert_array_equal(array, before)
                model.fit(*remaining, batch_size=trainings.BATCH, shuffle=False, verbose=0)
            if mesh:
                check_layout(model, mesh)
                for variable in [*model.variables, *model.optimizer.variables]:
                    check_copies(variable, mesh)
            weights = [np.asarray(variable.value) for variable in model.trainable_variables]
            found = trainings.check_distance(name, "mse", steps, weights, expected)
            print(f"{name}: from {saved_on} to {mesh or 'one device'}, {found:.1e} from a run without a stop")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
