"""What survives a save: configuration, state, and the future noise."""

import itertools
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, LAdam, LogSchedule, LRMSprop, describe
from tests.optimizers.cases import (
    BACKEND,
    CASES,
    CONTRACT_CASES,
    all_of,
    argument_name,
    case_name,
    is_second,
    make_gradients,
    make_step,
    make_variables,
    of_each_kind,
    train,
    values,
)
from tests.quick import JIT_COMPILE

every_case = pytest.mark.parametrize("case", all_of(CONTRACT_CASES))

SCHEDULES = {
    "LogSchedule": LogSchedule(0.5, decay=0.1),
    "ExponentialDecay": keras.optimizers.schedules.ExponentialDecay(0.5, 3, 0.9),
    "PiecewiseConstantDecay": keras.optimizers.schedules.PiecewiseConstantDecay([2, 4], [0.5, 0.1, 0.0]),
}


@keras.saving.register_keras_serializable(package="tests")
def is_inner(layer_path: str) -> bool:
    return layer_path.startswith("inner/")


PATHS = ["inner", "outer/b", ["inner/a"], "inner/.*", is_inner]
LAYERS = [None, 0.5, 1, 0, "second", "sec.*", ["first", -1], [], is_second]


def make_model(optimizer=None, jit_compile=JIT_COMPILE):
    layers = [
        keras.layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed=units), name=name)
        for name, units in (("first", 4), ("second", 3))
    ]
    model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    if optimizer is not None:
        model.compile(optimizer=optimizer, loss="mse", jit_compile=jit_compile)
    return model


def make_nested_model(optimizer):
    """Its path `inner/a` becomes `a` on loading: Keras does not keep a Sequential model's name in paths."""
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a")], name="inner")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="b"), inner], name="outer")
    model.compile(optimizer=optimizer, loss="mse")
    return model


def take_steps(model, steps, seed=0):
    """Makes this many updates with given gradients, without a trace."""
    gradients = make_gradients(model.trainable_variables, steps, seed=seed)
    for gradient in gradients:
        model.optimizer.apply([ops.convert_to_tensor(g) for g in gradient], model.trainable_variables)


@every_case
def test_config_is_json_and_makes_an_equal_optimizer(case):
    optimizer = case.make(sigma=0.25, layers=["first", -1], seed=2**63, clipnorm=2.0, name="mine")
    config = json.loads(json.dumps(optimizer.get_config()))
    again = case.langevin.from_config(config)
    assert again.get_config() == optimizer.get_config()
    assert (float(again.sigma), again.layers, again.seed) == (0.25, ["first", -1], 2**63)
    assert (again.clipnorm, again.name) == (2.0, "mine")
    assert float(again.learning_rate) == pytest.approx(case.learning_rate)


@every_case
def test_config_has_the_present_values(case):
    optimizer = case.make(sigma=0.25, seed=1)
    optimizer.sigma, optimizer.seed = 0.5, 2
    config = optimizer.get_config()
    assert (config["sigma"], config["seed"]) == (0.5, 2)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_survives_the_config(name):
    optimizer = LAdam(sigma=SCHEDULES[name])
    serialized = json.loads(json.dumps(keras.optimizers.serialize(optimizer)))
    again = keras.optimizers.deserialize(serialized)
    assert type(again._sigma) is type(SCHEDULES[name])
    assert again._sigma.get_config() == SCHEDULES[name].get_config()


@pytest.mark.parametrize("layers", LAYERS, ids=argument_name)
def test_layers_survive_the_config(layers):
    serialized = json.loads(json.dumps(keras.optimizers.serialize(LSGD(layers=layers))))
    again = keras.optimizers.deserialize(serialized)
    assert again.layers == layers
    assert type(again.layers) is type(layers)


def test_layer_objects_are_stored_as_their_paths():
    model = make_model()
    for layers in (model.layers[1], [model.layers[1], 0]):
        optimizer = LSGD(layers=layers)
        optimizer.build(model.trainable_variables)
        again = LSGD.from_config(json.loads(json.dumps(optimizer.get_config())))
        assert "net/second" in again.layers
        again.build(make_model().trainable_variables)
        assert again.noisy_layers == optimizer.noisy_layers


def test_an_unregistered_callable_cannot_be_stored():
    with pytest.raises(ValueError, match=r"must be registered with Keras.*register_keras_serializable"):
        LSGD(layers=lambda path: True).get_config()


@keras.saving.register_keras_serializable(package="tests")
def a_fifth():
    return 0.2


def test_a_registered_callable_sigma_survives_the_config():
    serialized = json.loads(json.dumps(keras.optimizers.serialize(LSGD(sigma=a_fifth))))
    assert keras.optimizers.deserialize(serialized)._sigma is a_fifth


RELOAD = """
import json, sys
import keras, numpy as np
import keras_langevin
from tests.optimizers.cases import is_second
from tests.optimizers.test_saving import take_steps

answers = {}
for path in sys.argv[2:]:
    model = keras.saving.load_model(path)
    optimizer = model.optimizer
    config = optimizer.get_config()
    answers[path] = {key: config[key] for key in ("sigma", "layers", "seed")}
    answers[path]["class"] = type(optimizer).__name__
    answers[path]["noisy"] = [row.noisy for row in keras_langevin.describe(model)]
    answers[path]["iterations"] = int(optimizer.iterations)
    take_steps(model, 2, seed=1)
    np.savez(path + ".npz", *model.get_weights())
with open(sys.argv[1], "w") as file:
    json.dump(answers, file)
"""


@pytest.mark.ci
def test_keras_file_in_a_fresh_process(tmp_path):
    """A `.keras` file keeps class, sigma (also a schedule), layers and seed. Training resumes from it with the weights
    of an uninterrupted run, bit for bit. Each class, schedule and choice of layers is in some file, but not every
    combination, because a file takes half a second."""
    count = max(len(LAYERS), len(CASES), 1 + len(SCHEDULES))
    each = zip(*map(itertools.cycle, (LAYERS, [0.5, *SCHEDULES.values()], CASES)), strict=True)
    models = {
        f"{case_name(case)}-{i}": make_model(case.make(sigma=sigma, layers=layers, seed=2**40 + i))
        for i, (layers, sigma, case) in enumerate(itertools.islice(each, count))
    }
    models |= {f"path-{i}": make_nested_model(LSGD(sigma=0.5, layers=layers)) for i, layers in enumerate(PATHS)}
    for name, model in list(models.items()):
        take_steps(model, 2)
        model.save(tmp_path / f"{name}.keras")
        models[str(tmp_path / f"{name}.keras")] = models.pop(name)
    answer = tmp_path / "answers.json"
    environment = os.environ | {"KERAS_BACKEND": BACKEND, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        [sys.executable, "-c", RELOAD, str(answer), *models], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr
    answers = json.loads(answer.read_text())
    for path, model in models.items():
        config = json.loads(json.dumps(model.optimizer.get_config()))
        expected = {key: config[key] for key in ("sigma", "layers", "seed")}
        expected["class"] = type(model.optimizer).__name__
        expected["noisy"] = [row.noisy for row in describe(model)]
        # in another process the variables have other paths, but the same shapes and the same choice
        for layers in (expected["layers"], answers[path]["layers"]):
            layers["variables"] = [shape for _, shape in layers["variables"]]
        assert answers[path] == expected | {"iterations": 2}
        take_steps(model, 2, seed=1)
        with np.load(path + ".npz") as loaded:
            for ours, theirs in zip(model.get_weights(), loaded.values(), strict=True):
                np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize("case", of_each_kind())
def test_ten_steps_are_five_and_a_save_and_five(case, tmp_path):
    """Bit for bit, in compiled fits: L-Adam's with Keras's default compilation, the others' with the fastest one."""
    jit_compile = "auto" if case.langevin is LAdam else JIT_COMPILE
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(80, 4)).astype("float32"), generator.normal(size=(80, 3)).astype("float32")

    def fit(model, start, stop):
        model.fit(x[8 * start : 8 * stop], y[8 * start : 8 * stop], batch_size=8, shuffle=False, verbose=0)

    whole = make_model(case.make(sigma=0.1, layers=["second"], seed=3), jit_compile)
    fit(whole, 0, 10)
    half = make_model(case.make(sigma=0.1, layers=["second"], seed=3), jit_compile)
    fit(half, 0, 5)
    half.save(tmp_path / "half.keras")
    resumed = keras.saving.load_model(tmp_path / "half.keras")
    fit(resumed, 5, 10)
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@every_case
def test_state_of_an_optimizer_is_all_in_its_variables(case):
    """A new optimizer with another seed and sigma makes the same updates when it gets the old one's variables."""
    variables = make_variables((4, 3), (3,))
    gradients = make_gradients(variables, 6)
    old = case.make(sigma=0.5, seed=1)
    step = make_step(old, variables)
    for gradient in gradients[:3]:
        step(gradient)
    middle = values(variables)
    new_variables = make_variables((4, 3), (3,))
    for variable, value in zip(new_variables, middle, strict=True):
        variable.assign(value)
    new = case.make(sigma=0.1, seed=9)
    new.build(new_variables)
    for variable, value in zip(new.variables, values(old.variables), strict=True):
        variable.assign(value)
    for gradient in gradients[3:]:
        step(gradient)
    for ours, theirs in zip(train(new, new_variables, gradients[3:]), values(variables), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's checkpoint")
@pytest.mark.parametrize(
    "optimizer",
    [lambda seed: LAdam(0.01, sigma=0.1, seed=seed), lambda seed: LRMSprop(0.01, seed=seed, gamma_correction=True)],
    ids=["LAdam", "gamma_correction"],
)
def test_a_checkpoint_of_tensorflow(optimizer, tmp_path):
    """`tf.train.Checkpoint` holds the whole state, and training resumes from it."""
    import tensorflow as tf

    x, y = np.ones((8, 4), "float32"), np.ones((8, 3), "float32")
    models = [make_model(optimizer(seed)) for seed in (1, 2)]
    for model in models:
        model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    kept, restored = (tf.train.Checkpoint(model=model, optimizer=model.optimizer) for model in models)
    restored.restore(kept.save(str(tmp_path / "state"))).assert_consumed()
    assert models[1].optimizer.seed == 1
    for model in models:
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
