"""The interrupted training, and what a program does at each start with the recipes of `docs/interruptions.md`, which
are read from that page.
"""

import contextlib
import re
from pathlib import Path

import keras
import numpy as np

from keras_langevin import LAdam, LayerScheduler, SigmaScheduler
from keras_langevin.optimizers import gate_layers

EPOCHS, BATCHES, BATCH = 40, 8, 16
FEW = 4  # epochs of a training that is not killed
PAGE = Path(__file__).parents[2] / "docs" / "interruptions.md"


def blocks() -> list[str]:
    """Returns the page's blocks of code."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def recipes() -> dict:
    """Returns the functions and classes that the page defines."""
    names = {}
    for code in blocks():
        if re.search(r"^(def|class) ", code, re.MULTILINE):
            exec(code, names)
    return names


def data():
    generator = np.random.default_rng(0)
    shapes = (BATCHES * BATCH, 8), (BATCHES * BATCH, 3)
    return [generator.normal(size=shape).astype("float32") for shape in shapes]


def make_model(*more):
    """Returns a compiled model with the same weights at every start; the layers `more` come before the last."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(16, activation="relu", name=f"dense_{number}") for number in range(2)]
    model = keras.Sequential([keras.Input((8,)), *layers, *more, keras.layers.Dense(3, name="last")], name="net")
    model.compile(optimizer=LAdam(1e-2, sigma=0.1, seed=3), loss="mse", jit_compile=keras.backend.backend() == "jax")
    return model


def decay(epoch, sigma):
    return 0.1 * 0.95**epoch


def fit(model, callbacks, initial_epoch=0, epochs=EPOCHS, **options):
    schedules = [SigmaScheduler(decay), LayerScheduler({0: None, EPOCHS // 4: 0.3, EPOCHS // 2: ["last"]})]
    arguments = {"batch_size": BATCH, "shuffle": False, "verbose": 0} | options
    model.fit(*data(), initial_epoch=initial_epoch, epochs=epochs, callbacks=[*callbacks, *schedules], **arguments)


def state(model) -> list[np.ndarray]:
    """Returns the whole state of a training: weights, slots, updates, learning rate, sigma, seed, noisy layers."""
    variables = [*model.variables, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assert_equal_states(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def final(folder) -> list[np.ndarray]:
    with np.load(folder / "final.npz") as file:
        return list(file.values())


class Stop(keras.callbacks.Callback):
    """Ends a fit before an epoch, like a kill between two epochs."""

    def __init__(self, epoch):
        super().__init__()
        self.last = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.last:
            raise InterruptedError


def stop(model, callbacks, epoch):
    """Runs a fit that ends before `epoch`."""
    with contextlib.suppress(InterruptedError):
        fit(model, [*callbacks, Stop(epoch)])


# --- the ways: what a program does at each start. Folder -> model, first epoch, callback ------------------------------


def with_backup(folder, double=False):
    recipes()["repair"](folder / "backup", BATCHES)
    return make_model(), 0, keras.callbacks.BackupAndRestore(str(folder / "backup"), double_checkpoint=double)


def with_double_backup(folder):
    return with_backup(folder, double=True)


def with_models(folder):
    path, epoch = recipes()["newest"](folder / "models")
    model = keras.saving.load_model(path) if path else make_model()
    return model, epoch, keras.callbacks.ModelCheckpoint(folder / "models" / "{epoch:04d}.keras")


def with_weights(folder):
    path, epoch = recipes()["newest"](folder / "weights")
    model = make_model()
    gate_layers(model.optimizer)
    model.optimizer.build(model.trainable_variables)
    if path:
        model.load_weights(path)
    checkpoint = folder / "weights" / "{epoch:04d}.weights.h5"
    return model, epoch, keras.callbacks.ModelCheckpoint(checkpoint, save_weights_only=True)


def with_whole_file(folder):
    backup = recipes()["Backup"](folder / "state.npz")
    return make_model(), backup.epoch, backup


def without(folder):
    return make_model(), 0, keras.callbacks.Callback()


WAYS = {
    "backup": with_backup,
    "double": with_double_backup,
    "models": with_models,
    "weights": with_weights,
    "whole": with_whole_file,
    "none": without,
}
