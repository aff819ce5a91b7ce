"""Layer Langevin: what `layers` chooses, on every kind of model."""

import keras
import numpy as np
import pytest

from keras_langevin import LSGD
from keras_langevin.optimizers.selection import LayerSelection, group_by_layer
from tests.optimizers.cases import argument_name, make_gradients, train, values


def dense(name, units=4, **arguments):
    return keras.layers.Dense(units, name=name, **arguments)


def sequential(count=10):
    return keras.Sequential([keras.Input((4,)), *(dense(f"dense_{i}") for i in range(count))], name="net")


def chosen(model, layers):
    optimizer = LSGD(layers=layers)
    optimizer.build(model.trainable_variables)
    return list(optimizer.noisy_layers)


def numbered(*indices):
    return [f"net/dense_{i}" for i in indices]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (None, range(10)),
        (0, []),
        (0.0, []),
        (1, [0]),
        (3, [0, 1, 2]),
        (10, range(10)),
        (np.int64(2), [0, 1]),
        (0.3, [0, 1, 2]),
        (np.float32(0.5), range(5)),
        (1.0, range(10)),
        (0.001, [0]),  # at least one
        (0.14, [0]),
        (0.15, [0, 1]),  # a half is rounded up
        (0.24, [0, 1]),
        (0.25, [0, 1, 2]),
        ("dense_4", [4]),
        ("net/dense_4", [4]),
        ("dense_[0-2]", [0, 1, 2]),
        ("net/.*_[89]", [8, 9]),
        ("net", range(10)),  # all layers inside
        ([], []),
        ([0, -1], [0, 9]),
        ([-1, 0, "dense_0"], [0, 9]),  # in the model's order, each once
        (("dense_3", "dense_[0-1]"), [0, 1, 3]),
        (lambda path: path.endswith(("3", "7")), [3, 7]),
        (lambda path: False, []),
    ],
    ids=argument_name,
)
def test_ten_layers(layers, expected):
    assert chosen(sequential(), layers) == numbered(*expected)


def test_a_name_is_not_a_prefix():
    model = sequential(12)
    assert chosen(model, "dense_1") == numbered(1)
    assert chosen(model, "dense_1.*") == numbered(1, 10, 11)


def test_layer_objects():
    model = sequential()
    assert chosen(model, model.layers[2]) == numbered(2)
    assert chosen(model, [model.layers[-1], model.layers[2], 0]) == numbered(0, 2, 9)


def test_only_layers_with_trainable_weights_count():
    """Flatten, Activation, Add and Dropout have none. BatchNormalization does, and its moving averages do not count."""
    x = inputs = keras.Input((2, 2))
    x = keras.layers.Flatten()(x)
    x = keras.layers.Activation("relu")(dense("first")(x))
    x = keras.layers.Add()([x, keras.layers.Dropout(0.5)(x)])
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = keras.Model(inputs, dense("last")(x))
    assert chosen(model, None) == ["first", "norm", "last"]
    assert chosen(model, 0.3) == ["first"]
    assert [len(group.indices) for group in group_by_layer(model.trainable_variables)] == [2, 2, 2]


def test_frozen_layers_do_not_count():
    model = sequential(4)
    model.layers[0].trainable = False
    assert chosen(model, 1) == numbered(1)
    assert chosen(model, 0.5) == numbered(1, 2)
    with pytest.raises(ValueError, match="'dense_0'"):
        chosen(model, "dense_0")


def test_functional_with_branches_in_the_models_order():
    inputs = keras.Input((4,))
    stem = dense("stem")(inputs)
    merged = keras.layers.Concatenate()([dense("left")(stem), dense("right")(stem)])
    model = keras.Model(inputs, dense("head")(merged))
    assert chosen(model, 2) == ["stem", "left"]
    assert chosen(model, [-1]) == ["head"]


def test_shared_layer_counts_once():
    inputs = keras.Input((4,))
    shared = dense("shared")
    model = keras.Model(inputs, dense("head")(shared(shared(inputs))))
    assert chosen(model, None) == ["shared", "head"]
    assert chosen(model, 0.5) == ["shared"]


def nested():
    inner = keras.Sequential([keras.Input((4,)), dense("a"), dense("b")], name="inner")
    return keras.Sequential([keras.Input((4,)), dense("stem"), inner, dense("head")], name="outer"), inner


def test_nested_model():
    model, inner = nested()
    paths = chosen(model, None)
    assert [path.rpartition("/")[2] for path in paths] == ["stem", "a", "b", "head"]
    assert chosen(model, 0.5) == paths[:2]
    assert chosen(model, "inner") == chosen(model, inner) == paths[1:3]
    assert chosen(model, "b") == [paths[2]]


def test_nested_models_with_layers_of_the_same_name():
    """Two layers with equal paths stay two layers."""

    def block(name):
        x = inputs = keras.Input((4,))
        return keras.Model(inputs, dense("same")(x), name=name)

    x = inputs = keras.Input((4,))
    for name in ("one", "two", "three"):
        x = block(name)(x)
    model = keras.Model(inputs, x)
    groups = group_by_layer(model.trainable_variables)
    assert [len(group.indices) for group in groups] == [2, 2, 2]
    optimizer = LSGD(layers=2, sigma=1.0, seed=0)
    before = values(model.trainable_variables)
    after = train(optimizer, model.trainable_variables, [[np.zeros(w.shape, "float32") for w in before]])
    changed = [bool(np.any(old != new)) for old, new in zip(before, after, strict=True)]
    assert changed == [True] * 4 + [False] * 2


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="mine")
        self.first, self.blocks, self.last = dense("first"), [dense("x"), dense("y")], dense("last")
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x) * self.scale


def test_subclassed_model_with_a_weight_of_its_own():
    model = Subclassed()
    model(np.ones((2, 4), "float32"))
    paths = chosen(model, None)
    assert sorted(path.rpartition("/")[2] for path in paths) == ["first", "last", "mine", "x", "y"]
    assert paths == list(dict.fromkeys(v.path.rpartition("/")[0] for v in model.trainable_variables))
    assert chosen(model, ["first", "y"]) == ["mine/first", "mine/y"]
    assert chosen(model, "mine") == paths


def test_lazily_built_model_is_resolved_in_fit():
    model = keras.Sequential([dense("first"), dense("second")], name="net")
    model.compile(optimizer=LSGD(layers=1, seed=0), loss="mse")
    with pytest.raises(ValueError, match="known once the optimizer is built"):
        _ = model.optimizer.noisy_layers
    model.fit(np.ones((4, 3), "float32"), np.ones((4, 4), "float32"), verbose=0)
    assert model.optimizer.noisy_layers == ("net/first",)


def test_layer_with_several_sublayers_and_weights():
    """The parts of LSTM and MultiHeadAttention are separate layers; the layer's name finds all of them."""
    x = inputs = keras.Input((3, 4))
    x = keras.layers.MultiHeadAttention(2, 2, name="attention")(x, x)
    model = keras.Model(inputs, dense("head")(keras.layers.LSTM(4, name="lstm")(x)))
    attention = [path for path in chosen(model, None) if "attention" in path]
    assert len(attention) == 4  # query, key, value, output
    assert chosen(model, "attention") == attention
    assert chosen(model, model.get_layer("lstm")) == [path for path in chosen(model, None) if "lstm" in path]


def test_noise_goes_where_the_paths_say():
    model = sequential(4)
    before = values(model.trainable_variables)
    optimizer = LSGD(sigma=1.0, layers=["dense_1", -1], seed=0)
    gradients = make_gradients(model.trainable_variables, 1)
    after = train(optimizer, model.trainable_variables, gradients)
    steps = [old - 0.01 * g for old, g in zip(before, gradients[0], strict=True)]
    noisy = [not np.allclose(new, step, atol=1e-5) for new, step in zip(after, steps, strict=True)]
    assert noisy == [False, False, True, True, False, False, True, True]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (-1, r"int >= 0 .*Received: layers=-1\. For the last layers pass a list: \[-1\]"),
        (1.5, r"float in \[0, 1\].*Received: layers=1\.5\. For the first k layers pass an int"),
        (-0.1, r"Received: layers=-0\.1"),
        (float("nan"), r"Received: layers=nan"),
        (True, r"Received: layers=True"),
        (b"dense", r"Received: layers=b'dense'"),
        ({"dense"}, r"of type set"),
        ([0.5], r"Received: 0\.5 of type float"),
        ([None], r"Received: None of type NoneType"),
        ([True], r"Received: True of type bool"),
    ],
    ids=argument_name,
)
def test_wrong_layers_are_refused_by_the_constructor(layers, message):
    with pytest.raises(ValueError, match=message):
        LSGD(layers=layers)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("dence_1", r"Received: 'dence_1'\. The layers are: net/dense_0, net/dense_1, net/dense_2"),
        (["dense_0", "no"], r"Received: 'no'\. The layers are: net/dense_0"),
        ("dense_(", r"name or a regular expression\. Received: 'dense_\(', which is neither \(.*\)"),
        ("dense", r"Received: 'dense'"),
        (4, r"at most 3, the number of layers with trainable weights\. Received: layers=4"),
        ([3], r"in \[-3, 2\].*Received: 3\."),
        ([-4], r"in \[-3, 2\].*Received: -4\."),
        (keras.layers.Flatten(name="flat"), r"must own trainable weights .*flat"),
    ],
    ids=argument_name,
)
def test_what_the_model_does_not_have_is_refused_before_any_step(layers, message):
    model = sequential(3)
    optimizer = LSGD(layers=layers)
    before = values(model.trainable_variables)
    with pytest.raises(ValueError, match=message):
        optimizer.build(model.trainable_variables)
    assert not optimizer.built
    for old, new in zip(before, values(model.trainable_variables), strict=True):
        np.testing.assert_array_equal(new, old)


def test_config_of_a_selection_is_plain():
    assert LayerSelection((0, "a")).get_config() == [0, "a"]
    assert LayerSelection(np.int32(3)).get_config() == 3
    assert type(LayerSelection(np.float64(0.5)).get_config()) is float


def test_a_nested_model_is_chosen_by_its_object():
    """The paths of its layers do not contain its name. The error says so, and lists some of the many layers."""
    inputs = outputs = keras.Input((2,))
    for number in range(40):
        outputs = dense(f"in_{number}", 2)(outputs)
    backbone, inputs = keras.Model(inputs, outputs, name="backbone"), keras.Input((2,))
    model = keras.Model(inputs, dense("head", 1)(backbone(inputs)))
    with pytest.raises(
        ValueError, match=r"Received: 'backbone'.*in_14, \.\.\. \(21 more.*head\. .*get_layer"
    ) as raised:
        LSGD(layers="backbone").build(model.trainable_variables)
    assert "in_20" not in str(raised.value)
    optimizer = LSGD(layers=model.get_layer("backbone"))
    optimizer.build(model.trainable_variables)
    assert len(optimizer.noisy_layers) == 40
