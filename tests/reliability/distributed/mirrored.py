"""TensorFlow's `MirroredStrategy`: `python -m tests.reliability.distributed.mirrored LOSS STEPS DEVICES [NAME ...]`.

Trains with the named optimizers, or with all.

A process uses one number of devices: TensorFlow numbers its groups of devices, and would take a second for the first.
"""

import sys

import numpy as np
import tensorflow as tf

from tests.reliability.distributed import trainings


def replicas(variable) -> list[np.ndarray]:
    return [copy.numpy() for copy in variable.value.values]


def main(loss: str, steps: int, count: int, names: list[str]):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(count)])
    for name in names or trainings.MAKERS:
        make = trainings.MAKERS[name]
        expected = trainings.fitted(make, loss, steps, jit_compile=False).get_weights()
        with strategy.scope():
            model = trainings.fitted(make, loss, steps, jit_compile=False)
        for variable in [*model.trainable_variables, *model.optimizer.variables]:
            copies = replicas(variable)
            assert len(copies) == count
            for copy in copies[1:]:
                np.testing.assert_array_equal(copy, copies[0], variable.path)
        weights = [replicas(variable)[0] for variable in model.trainable_variables]
        found = trainings.check_distance(name, loss, steps, weights, expected)
        print(f"{name}, {loss}, {count} devices: replicas equal, {found:.1e} from one device")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]), sys.argv[4:])
