"""The contract of every model."""

import itertools
import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_langevin import LAdam, models
from keras_langevin.optimizers.selection import group_by_layer
from tests.models.cases import CASES

every_model = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


class Numbered(keras.initializers.Initializer):
    """Each object, also a copy, fills kernels with a different number."""

    numbers = itertools.count(1)

    def __init__(self):
        self.number = next(self.numbers)

    def __call__(self, shape, dtype=None):
        return keras.ops.full(shape, self.number, dtype)


def layer_paths(model):
    return [group.path for group in group_by_layer(model.trainable_variables)]


def test_every_family_has_a_case():
    assert {case.name.rpartition("-")[0] for case in CASES.values()} == set(models.FAMILIES)


@every_model
def test_logits_come_out(case):
    model = case.build()
    logits = keras.ops.convert_to_numpy(model(case.examples()))
    assert logits.shape == (4, 5)
    assert model.layers[-1].activation is keras.activations.linear
    assert not np.allclose(logits.sum(axis=-1), 1)


@every_model
def test_names_are_the_same_in_every_build(case):
    first, second = case.build(), case.build()
    assert first.name == second.name == case.name
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    assert layer_paths(first) == layer_paths(second)
    assert len(set(layer_paths(first))) == len(layer_paths(first))


@every_model
def test_layers_run_from_input_to_output(case, monkeypatch):
    """The order that `layers=0.3` counts in is the order in which the builder applied the layers."""
    applied = []
    call = keras.layers.Layer.__call__

    def recorded(layer, *arguments, **keywords):
        applied.append(layer.name)
        return call(layer, *arguments, **keywords)

    monkeypatch.setattr(keras.layers.Layer, "__call__", recorded)
    model = case.build()
    weighted = [layer.name for layer in model.layers if layer.trainable_weights]
    constructed = [name for name in applied if name in weighted]
    if case.weighted_shortcut:
        weighted, constructed = ([name.partition("_")[0] for name in names] for names in (weighted, constructed))
    assert weighted == constructed
    assert list(dict.fromkeys(path.partition("/")[0] for path in layer_paths(model))) == [
        layer.name for layer in model.layers if layer.trainable_weights
    ]


@every_model
def test_one_step_trains_it(case):
    model = case.build()
    optimizer = LAdam(1e-3, sigma=1e-3, layers=0.3, seed=0)
    backend = keras.backend.backend()
    model.compile(  # the fastest way on each backend
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=backend == "tensorflow",
        jit_compile=backend == "jax",
    )
    before = model.get_weights()
    loss = model.train_on_batch(case.examples(), np.arange(4))
    after = model.get_weights()
    paths = layer_paths(model)
    assert np.isfinite(loss)
    assert list(optimizer.noisy_layers) == paths[: int(0.3 * len(paths) + 0.5)]
    assert all(np.isfinite(weight).all() for weight in after)
    for place, what in ((0, "the first kernel"), (-1, "the last bias")):
        assert not np.array_equal(before[place], after[place]), what


@every_model
def test_initializer_and_regularizer_reach_every_kernel(case):
    """Each layer gets its own initializer: a shared object without a seed would give them equal initial kernels."""
    shared = {"kernel_initializer": Numbered(), "kernel_regularizer": "l2"}
    model = models.build(case.name, case.input_shape, 5, **case.options, **shared)
    kernels = [variable for variable in model.trainable_variables if variable.name == "kernel"]
    assert len(model.losses) == len(kernels)
    numbers = {keras.ops.convert_to_numpy(kernel).max() for kernel in kernels}
    assert len(numbers) == len(kernels)
    assert min(numbers) > 0


LOAD_ALL = """
import json, sys
from pathlib import Path
import keras, numpy as np
import keras_langevin
for file in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.saving.load_model(file)
    logits = keras.ops.convert_to_numpy(model(np.load(file.with_suffix(".npy"))))
    print(json.dumps({"name": file.stem, "model": model.name, "logits": logits.tolist(),
                      "paths": [variable.path for variable in model.trainable_variables]}))
"""


@pytest.mark.ci
def test_every_model_loads_in_another_process(tmp_path):
    expected = {}
    for name, case in CASES.items():
        model = case.build()
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", case.examples())
        logits = keras.ops.convert_to_numpy(model(case.examples()))
        expected[name] = (case.name, [variable.path for variable in model.trainable_variables], logits)
    result = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert {row["name"] for row in rows} == set(expected)
    for row in rows:
        model_name, paths, logits = expected[row["name"]]
        assert (row["model"], row["paths"]) == (model_name, paths)
        np.testing.assert_allclose(row["logits"], logits, rtol=1e-5, atol=1e-6)
