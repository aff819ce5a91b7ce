"""Resumes on one backend a training that another backend has saved.

`python -m tests.reliability.across FOLDER BACKEND ...` gets the names of all backends and runs on each at the same
time. It trains and saves its own `.keras` files, waits for those of the others, and resumes from each:
`FOLDER/SAVED_BY-NAME-GOES_ON.npz` has the state that it loaded and the results.
"""

import json
import sys
import time
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_langevin import LAdam, LogSchedule, LRMSprop
from keras_langevin.files import replaced
from tests.optimizers.cases import BACKEND, values

JIT = BACKEND == "jax"  # on TensorFlow tracing a graph is faster than compiling it with XLA
EXAMPLES, BATCH = 40, 8  # five updates per epoch
PATIENCE = 300  # seconds to wait for the others' files

# Name -> optimizer: sigma is a number or a schedule, layers are names or a fraction, seeds have more than 32 bits.
OPTIMIZERS = {
    "adam": lambda: LAdam(0.01, sigma=0.3, layers=["first", "last"], seed=2**40 + 5),
    "rmsprop": lambda: LRMSprop(0.01, sigma=LogSchedule(0.3, decay=0.1), layers=0.5, seed=2**63 + 1, clipnorm=1.0),
}


def data():
    generator = np.random.default_rng(0)
    return [generator.normal(size=(EXAMPLES, size)).astype("float32") for size in (6, 3)]


def make_model(optimizer):
    """Returns a model with the same weights on every backend."""
    layers = [keras.layers.Dense(size, activation="tanh", name=name) for name, size in (("first", 9), ("middle", 5))]
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(3, name="last")], name="net")
    generator = np.random.default_rng(1)
    model.set_weights([0.5 * generator.normal(size=weight.shape) for weight in model.get_weights()])
    model.compile(optimizer=optimizer, loss="mse", jit_compile=JIT)
    return model


def train(model, first_epoch):
    """Trains the next three epochs."""
    arguments = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    model.fit(*data(), initial_epoch=first_epoch, epochs=first_epoch + 3, **arguments)


def flat(variables) -> np.ndarray:
    return np.concatenate([array.ravel() for array in values(variables)])


def state(model) -> dict[str, np.ndarray]:
    """Returns the whole state of a training, and the settings that its optimizer reports."""
    optimizer = model.optimizer
    variables = [*model.variables, *optimizer.variables]
    # the paths of a loaded Sequential model do not contain its name
    noisy = [path.split("/")[-1] for path in optimizer.noisy_layers]
    said = {"layers": optimizer.layers, "noisy": noisy, "seed": str(optimizer.seed)}
    said |= {"config": optimizer.get_config(), "iterations": int(ops.convert_to_numpy(optimizer.iterations))}
    found = {f"state/{number}": array for number, array in enumerate(values(variables))}
    found["sigma"] = np.array(ops.convert_to_numpy(optimizer.sigma))
    return found | {"said": np.array(json.dumps(said, sort_keys=True))}


def steps_without_gradients(path, is_noisy, updates=3) -> np.ndarray:
    """Returns what the next updates add to the weights, which are zero before each, of shape `(updates, weights)`."""
    model = keras.saving.load_model(path)
    optimizer, variables = model.optimizer, model.trainable_variables
    if not is_noisy:
        optimizer.sigma = (lambda: 0.0) if callable(optimizer._sigma) else 0.0
    added = []
    for _ in range(updates):
        for variable in variables:
            variable.assign(np.zeros(variable.shape))
        optimizer.apply([ops.zeros(variable.shape) for variable in variables], variables)
        added.append(flat(variables))
    return np.stack(added)


def write(path: Path, found: dict):
    """Writes atomically, so that an existing file can be read."""
    with replaced(path, "wb") as file:
        np.savez(file, **found)


def save(folder: Path, name: str):
    model = make_model(OPTIMIZERS[name]())
    train(model, 0)
    model.save(folder / f"{BACKEND}-{name}.keras")
    found = state(model)
    train(model, 3)
    write(folder / f"{BACKEND}-{name}.npz", found | {"trained": flat(model.weights)})


def go_on(folder: Path, saved_by: str, name: str):
    path = folder / f"{saved_by}-{name}.keras"
    model = keras.saving.load_model(path)
    model.jit_compile = JIT  # the saved value is another backend's: PyTorch would compile for a minute
    found = state(model)
    train(model, 3)
    found["trained"] = flat(model.weights)
    found["steps"] = steps_without_gradients(path, is_noisy=True)
    found["noise"] = found["steps"] - steps_without_gradients(path, is_noisy=False)
    write(folder / f"{saved_by}-{name}-{BACKEND}.npz", found)


def wait_for(path: Path):
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"No {path.name} within {PATIENCE} s.")
        time.sleep(0.1)


def main(folder, *backends):
    folder = Path(folder)
    for name in OPTIMIZERS:
        save(folder, name)
    for name in OPTIMIZERS:
        for saved_by in backends:
            wait_for(folder / f"{saved_by}-{name}.npz")
            go_on(folder, saved_by, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
