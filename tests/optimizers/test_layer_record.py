"""The choice of layers survives files, copies, other processes and other models, or raises an error."""

import copy
import json
import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import layers as L

from keras_langevin import LSGD, LAdam, LangevinMonitor, LayerScheduler, LRMSprop, describe
from keras_langevin.optimizers import gate_layers, layer_noise
from tests.optimizers.cases import BACKEND
from tests.quick import LONG_ON_TENSORFLOW

pytestmark = LONG_ON_TENSORFLOW


@keras.saving.register_keras_serializable(package="tests")
class Block(L.Layer):
    """Its sublayers have automatic names, which change on loading."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.one, self.two = L.Dense(4), L.Dense(4)

    def build(self, shape):
        self.one.build(shape)
        self.two.build(shape)
        self.built = True

    def call(self, x):
        return self.two(self.one(x))

    def get_config(self):
        return super().get_config()


@keras.saving.register_keras_serializable(package="tests")
class Nameless(Block):
    """Its own name also disappears."""

    def get_config(self):
        return {"trainable": True}


@keras.saving.register_keras_serializable(package="tests")
class Free(L.Layer):
    """Creates its variables in `__init__`, so their paths do not name the layer."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.scale = keras.Variable(np.ones((4, 4), "float32"))
        self.shift = keras.Variable(np.zeros(4, "float32"))

    def call(self, x):
        return x @ self.scale + self.shift


@keras.saving.register_keras_serializable(package="tests")
def is_encoder(layer_path: str) -> bool:
    return "enc" in layer_path.split("/")


@keras.saving.register_keras_serializable(package="tests")
class Head(keras.Model):
    """A subclassed model, whose name disappears on loading; the head is its first attribute."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.head, self.stem = L.Dense(4), L.Dense(4)

    def call(self, x):
        return self.head(self.stem(x))


def of_block():
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(2, name="out")(Block(name="b1")(Block(name="b0")(x))))


def of_nameless():
    x = keras.Input((4,))
    return keras.Model(x, Nameless(name="b1")(Nameless(name="b0")(x)))


def of_free():
    return keras.Sequential([keras.Input((4,)), Free(name="a"), Free(name="b"), L.Dense(2, name="out")], name="net")


def of_blocks(first="enc", second="dec"):
    blocks = [keras.Sequential([L.Dense(4, name="fc")], name=name) for name in (first, second)]
    return keras.Sequential([keras.Input((4,)), *blocks, L.Dense(2, name="out")], name="net")


def of_head():
    model = Head(name="mine")
    model(np.ones((1, 4), "float32"))
    return model


def of_automatic():
    return keras.Sequential([keras.Input((4,)), L.Dense(4), L.Dense(4), L.Dense(4)])


# A model, the choice of layers, and the positions of their weights.
CASES = {
    "inner layer": (of_block, lambda model: model.get_layer("b0").one, [0, 1]),
    "second inner layer": (of_block, lambda model: model.get_layer("b1").two, [6, 7]),
    "list with inner layer": (of_block, lambda model: [model.get_layer("b1").one, -1], [4, 5, 8, 9]),
    "whole block": (of_block, lambda model: model.get_layer("b1"), [4, 5, 6, 7]),
    "path of an inner layer": (of_block, lambda model: layer_path(model.get_layer("b0").two), [2, 3]),
    "variables made in __init__": (of_free, lambda model: model.get_layer("b"), [2, 3]),
    "an int of such": (of_free, lambda model: 3, [0, 1, 2]),
    "name of a nested model": (of_blocks, lambda model: ["dec"], [2, 3]),
    "path in a nested model": (of_blocks, lambda model: layer_path(model.layers[1].layers[0]), [2, 3]),
    "expression": (of_blocks, lambda model: ".*/enc/.*", [0, 1]),
    "callable": (of_blocks, lambda model: is_encoder, [0, 1]),
    "fraction": (of_blocks, lambda model: 0.3, [0, 1]),
    "attribute of a subclassed model": (of_head, lambda model: model.stem, [2, 3]),
    "int in a subclassed model": (of_head, lambda model: 1, [0, 1]),
    "block whose name goes away": (of_nameless, lambda model: model.get_layer("b1").one, [4, 5]),
    "automatic names": (of_automatic, lambda model: model.layers[1], [2, 3]),
}
every_case = pytest.mark.parametrize("name", CASES)


def layer_path(layer):
    return layer.kernel.path.rpartition("/")[0]


def compiled(name, is_built=True):
    make, choose, places = CASES[name]
    model = make()
    model.compile(LAdam(1e-3, sigma=0.1, layers=choose(model), seed=0), loss="mse")
    if is_built:
        model.optimizer.build(model.trainable_variables)
        assert noisy(model) == places
    return model


def noisy(model, optimizer=None):
    """Returns the positions of the noisy weights in the model's order, and checks that `describe` agrees."""
    optimizer = optimizer or model.optimizer
    own = {id(optimizer._trainable_variables[i]) for group in optimizer._noisy_groups() for i in group.indices}
    places = [i for i, variable in enumerate(model.trainable_variables) if id(variable) in own]
    weights = sum(row.parameters for row in describe(model, optimizer) if row.noisy)
    assert weights == sum(int(np.prod(model.trainable_variables[i].shape)) for i in places)
    return places


def built(optimizer, model):
    optimizer.build(model.trainable_variables)
    return optimizer


def saved(model, tmp_path):
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():  # Keras warns that there are no slots
        warnings.filterwarnings("ignore", "Skipping variable loading", UserWarning)
        return keras.saving.load_model(tmp_path / "model.keras")


def clone(model):
    again = keras.models.clone_model(model)
    again.compile(type(model.optimizer).from_config(model.optimizer.get_config()), loss="mse")
    again.optimizer.build(again.trainable_variables)
    return again


@every_case
def test_files_and_copies_have_the_same_places(name, tmp_path):
    model, places = compiled(name), CASES[name][2]
    loaded = saved(model, tmp_path)
    assert noisy(loaded) == places
    assert noisy(copy.deepcopy(model)) == places
    assert noisy(saved(loaded, tmp_path)) == places
    if CASES[name][0] is not of_head:  # Keras cannot clone a subclassed model
        for each in (model, loaded):
            if CASES[name][0] is of_nameless and each is model:  # `b1` has become `nameless_1`
                with pytest.raises(ValueError, match="must choose layers of the model that the optimizer trains"):
                    clone(each)
            else:
                assert noisy(clone(each)) == places


@every_case
def test_a_gate_outlives_files(name, tmp_path):
    model, places = compiled(name), CASES[name][2]
    layers = model.optimizer.layers
    gate_layers(model.optimizer)
    model.optimizer.layers = 0
    model.optimizer.layers = layers
    assert noisy(model) == places
    loaded = saved(model, tmp_path)
    assert loaded.optimizer._is_gated
    assert noisy(loaded) == places


def found_in(folder, how: str, before: int) -> dict:
    """Returns the positions or the error per case, when automatic names restart after `before` layers."""
    keras.backend.clear_session()
    for _ in range(before):
        L.Dense(1)
    found = {}
    for name in CASES:
        model = CASES[name][0]()
        try:
            if how == "load":
                model = keras.saving.load_model(folder / f"{name.replace('/', ' ')}.keras")
            else:
                config = json.loads((folder / f"{name.replace('/', ' ')}.json").read_text())
                model.compile(keras.optimizers.deserialize(config), loss="mse")
                model.optimizer.build(model.trainable_variables)
            found[name] = noisy(model)
        except ValueError as error:
            found[name] = str(error)
    return found


def in_another_process(folder, how, before):
    environment = os.environ | {"KERAS_BACKEND": BACKEND, "TF_CPP_MIN_LOG_LEVEL": "3"}
    code = (
        "import json, pathlib, sys\nfrom tests.optimizers import test_layer_record as tests\n"
        "print('FOUND' + json.dumps(tests.found_in(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))"
    )
    command = [sys.executable, "-c", code, str(folder), how, str(before)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.rpartition("FOUND")[2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of every case, from a process that has created layers before."""
    folder = tmp_path_factory.mktemp("files")
    for name in CASES:
        model = compiled(name)
        model.save(folder / f"{name.replace('/', ' ')}.keras")
        (folder / f"{name.replace('/', ' ')}.json").write_text(json.dumps(keras.optimizers.serialize(model.optimizer)))
    return folder


@pytest.mark.parametrize(("how", "before"), [("load", 0), ("load", 3), ("config", 0)])
@pytest.mark.parametrize("found_by", [found_in, pytest.param(in_another_process, marks=pytest.mark.slow)])
def test_another_process_has_the_same_places(found_by, how, before, folder):
    """Automatic names restart there. A name that may mean another layer is refused, never used."""
    found = found_by(folder, how, before)
    for name, (_, _, places) in CASES.items():
        refused = how == "config" and "which now chooses" in str(found[name])
        assert found[name] == places or (name == "path of an inner layer" and refused), found[name]


# Models saved before their first step, without a record: the model, the choice, and the positions or the error.
NEVER_BUILT = {
    "path": (of_automatic, lambda model: layer_path(model.layers[1]), [2, 3]),
    "path in a nested model, of which there are two": (of_blocks, lambda model: "net/dec/fc", "Received: 'net/dec/fc'"),
    "nested model": (of_blocks, lambda model: "dec", "Received: 'dec'"),
    "expression of all": (of_blocks, lambda model: "net/.*", "Received: 'net/"),
    "callable": (of_blocks, lambda model: is_encoder, "callable .* must choose a layer"),
    "layer": (of_automatic, lambda model: model.layers[1], [2, 3]),
    "layers and an index": (of_automatic, lambda model: [model.layers[0], -1], [0, 1, 4, 5]),
    "block": (of_block, lambda model: model.get_layer("b1"), [4, 5, 6, 7]),
    "inner layer, of which there are two": (of_block, lambda model: model.get_layer("b1").one, "may be any of 2"),
    "nested model as a layer": (of_blocks, lambda model: model.layers[1], "may be any of 2"),
    "int": (of_blocks, lambda model: 2, [0, 1, 2, 3]),
}


@pytest.mark.parametrize("name", NEVER_BUILT)
def test_a_model_that_was_saved_before_its_first_step(name, tmp_path):
    make, choose, expected = NEVER_BUILT[name]
    model = make()
    model.compile(LAdam(1e-3, layers=choose(model), seed=0), loss="mse")
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            saved(model, tmp_path)
    else:
        assert noisy(saved(model, tmp_path)) == expected


@pytest.mark.parametrize("layers", ["net/d0", "net/d[01]", "object"])
def test_a_name_with_the_models_name_before_the_first_step(layers, tmp_path):
    dense = [L.Dense(4, name="d0"), L.Dense(4, name="d1"), L.Dense(2, name="e0")]
    model = keras.Sequential([keras.Input((4,)), *dense], name="net")
    model.compile(LAdam(1e-3, layers=model.layers[0] if layers == "object" else layers), loss="mse")
    if layers == "net/d[01]" and model.layers[0].path == "net/d0":
        with pytest.warns(UserWarning, match="Without its first part it chooses d0, d1"):
            model = saved(model, tmp_path)
    else:
        model = saved(model, tmp_path)
    assert noisy(model) == ([0, 1, 2, 3] if layers == "net/d[01]" else [0, 1])


def test_a_configuration_means_the_names_of_another_model():
    """Positions do not count in a model with other parent names."""
    model = of_blocks("enc", "dec")
    for layers in (["enc"], "net/enc", "enc/fc", is_encoder):
        optimizer = LSGD(layers=layers)
        optimizer.build(model.trainable_variables)
        other = of_blocks("dec", "enc")
        again = LSGD.from_config(json.loads(json.dumps(optimizer.get_config())))
        again.build(other.trainable_variables)
        assert noisy(other, again) == [2, 3]


def numbered(*numbers):
    return keras.Sequential([keras.Input((4,)), *(L.Dense(4, name=f"layer_{n}") for n in numbers)], name="net")


def test_numbers_that_are_names():
    """Layers in another order are looked up by name. If they may have been numbered again, an error is raised."""
    optimizer = LSGD(layers="layer_1")
    optimizer.build(numbered(1, 2, 3).trainable_variables)
    config = optimizer.get_config()
    for numbers, places in (((3, 2, 1), [4, 5]), ((1, 2, 3), [0, 1]), ((5, 1), [2, 3]), ((7, 8, 9), [0, 1])):
        again, model = LSGD.from_config(config), numbered(*numbers)
        again.build(model.trainable_variables)
        assert noisy(model, again) == places
    again = LSGD.from_config(config)
    with pytest.raises(ValueError, match=r"now chooses net/layer_1; the saved choice belongs to net/layer_0"):
        again.build(numbered(0, 1, 2).trainable_variables)
    assert not again.built


def test_neighbours_of_equal_name_stay_two_layers(tmp_path):
    """After loading, their paths look like those of one layer."""
    blocks = [keras.Sequential([each], name=n) for n, each in zip("ab", (L.Dense(4, name="fc"), norm()), strict=True)]
    model = keras.Sequential([keras.Input((4,)), *blocks, L.Dense(2, name="out")], name="net")
    model.compile(LAdam(1e-3, layers=1, seed=0), loss="mse")
    model.optimizer.build(model.trainable_variables)
    loaded = saved(model, tmp_path)
    assert noisy(loaded) == [0, 1]
    assert [group.indices for group in loaded.optimizer._groups] == [(0, 1), (2, 3), (4, 5)]
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0, callbacks=[LayerScheduler({0: [1]})])
    assert noisy(saved(model, tmp_path)) == [2, 3]


def norm():
    return L.LayerNormalization(name="fc")


def rebuilt(model):
    """Returns a new optimizer with the same configuration, as a user creates it after freezing or adding layers."""
    optimizer = LAdam.from_config(json.loads(json.dumps(model.optimizer.get_config())))
    optimizer.build(model.trainable_variables)
    return optimizer


@pytest.mark.parametrize("is_loaded", [False, True], ids=["new", "loaded"])
@pytest.mark.parametrize("name", [name for name in CASES if name not in ("attribute of a subclassed model",)])
def test_a_layer_that_is_not_chosen_is_frozen(name, is_loaded, tmp_path):
    """Names and layers still choose the same; ints and fractions count the remaining layers."""
    model, places = compiled(name), CASES[name][2]
    model = saved(model, tmp_path) if is_loaded else model
    chosen = [model.trainable_variables[i] for i in places]
    last = model.layers[-1] if hasattr(model, "layers") else model.head
    if any(variable is chosen[-1] for variable in last.trainable_variables):
        last = model.layers[1] if CASES[name][0] is of_block else model.layers[0]
    last.trainable = False
    if name in ("list with inner layer", "int in a subclassed model", "fraction", "an int of such"):
        assert set(noisy(model, rebuilt(model)))  # counted again
        return
    optimizer = rebuilt(model)
    assert [model.trainable_variables[i] for i in noisy(model, optimizer)] == chosen
    last.trainable = True
    assert [model.trainable_variables[i] for i in noisy(model, rebuilt(model))] == chosen


def test_frozen_layers_of_a_built_optimizer():
    """`describe` shows the choice that the optimizer made when it was built."""
    model = keras.Sequential([keras.Input((4,)), L.Dense(4, name="a"), L.Dense(4, name="b")], name="net")
    model.compile(LSGD(layers=1), loss="mse")
    model.optimizer.build(model.trainable_variables)
    model.layers[0].trainable = False
    assert [row.noisy for row in describe(model)] == [False]
    assert [row.noisy for row in describe(model, LSGD(layers=1))] == [True]


@pytest.mark.parametrize("is_loaded", [False, True], ids=["new", "loaded"])
@pytest.mark.parametrize("what", ["layer", "name", "path"])
def test_a_new_head(what, is_loaded, tmp_path):
    model = of_blocks()
    layers = {"layer": model.layers[0], "name": "enc", "path": layer_path(model.layers[0].layers[0])}[what]
    model.compile(LAdam(1e-3, layers=layers, seed=0), loss="mse")
    model.optimizer.build(model.trainable_variables)
    model = saved(model, tmp_path) if is_loaded else model
    places = noisy(model)
    model.pop()
    for name in ("new", "second"):
        model.add(L.Dense(3, name=name))
        assert noisy(model, rebuilt(model)) == places


def test_a_chosen_layer_that_is_gone_is_refused():
    model = keras.Sequential([keras.Input((4,)), L.Dense(4, name="a"), L.Dense(4, name="b")], name="net")
    for layers in (model.layers[0], "a"):
        model.compile(LAdam(1e-3, layers=layers), loss="mse")
        model.layers[0].trainable = True
        model.optimizer.build(model.trainable_variables)
        model.layers[0].trainable = False
        with pytest.raises(ValueError, match=r"Its layers are|The layers are"):
            rebuilt(model)


def test_a_record_that_is_damaged_is_refused():
    optimizer = LSGD(layers=1)
    optimizer.build(of_blocks().trainable_variables)
    config = optimizer.get_config()
    for key, value in (("chosen", [7]), ("groups", [[0, 99]]), ("groups", 3), ("variables", [["a"]])):
        damaged = config | {"layers": config["layers"] | {key: value}}
        with pytest.raises(ValueError, match="must have the variables, the layers and the chosen layers"):
            LSGD.from_config(damaged)


# --- variables that belong to no layer, or to an unknown one ----------------------------------------------------------


def test_variables_that_keras_overwrites_are_in_no_layer(tmp_path):
    """The scales of float8 take no step, and Keras makes no slots for them."""
    x = np.random.default_rng(0).normal(size=(8, 16)).astype("float32")
    for make in (lambda: LAdam(1e-3, seed=0), lambda: LRMSprop(1e-3, seed=0, gamma_correction=True)):
        model = keras.Sequential([keras.Input((16,)), L.Dense(16, name="d")])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.quantize("float8")
        model.compile(make(), loss="mse")
        model.fit(x, x, verbose=0, callbacks=[LangevinMonitor(warn_ratio=None)])
        assert len(model.trainable_variables) > 2
        (group,) = model.optimizer._noisy_groups()
        assert [model.trainable_variables[i].name for i in group.indices] == ["kernel", "bias"]
        (noise,) = layer_noise(model.optimizer).values()
        assert noise.size == 16 * 17 and np.isfinite(noise).all() and noise.min() > 0
        model.save_weights(tmp_path / "float8.weights.h5")
        model.load_weights(tmp_path / "float8.weights.h5")


def test_what_counts_as_a_layer():
    """As `docs/layers.md` says."""
    x = keras.Input((3, 4))
    h = L.MultiHeadAttention(2, 2, name="attention")(x, x)
    h = L.Bidirectional(L.LSTM(2), name="both")(L.BatchNormalization(name="norm")(h))
    model = keras.Model(x, L.Dense(2, name="out")(h))
    optimizer = built(LSGD(), model)
    counts = {name: sum(f"{name}" in path for path in optimizer.noisy_layers) for name in ("attention", "norm", "both")}
    assert counts == {"attention": 4, "norm": 1, "both": 2}
    model = of_free()  # the paths do not say which variables belong together
    assert noisy(model, built(LSGD(layers=1), model)) == [0]
    assert noisy(model, built(LSGD(layers=model.get_layer("a")), model)) == [0, 1]
    model = of_head()
    assert noisy(model, built(LSGD(layers=1), model)) == [0, 1]  # the head is the first attribute
