"""What Keras lets users do with an optimizer and a model, one test each: training equals that of a plain `fit`."""

import copy
import json
import pickle
import shutil

import keras
import numpy as np
import pytest
from keras import ops

from tests.optimizers.cases import BACKEND, values
from tests.quick import built
from tests.reliability import nets
from tests.reliability.nets import X, assert_equal_weights, batches, fit, make_optimizer


def make_model(*arguments, **options):
    """Returns the net with its optimizer built."""
    return built(nets.make_model(*arguments, **options))


# For another kernel or another order of operations: a few units in the last place per update, for weights of size 1.
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def plain():
    """A model after a plain `fit`: the reference."""
    return fit(make_model())


@pytest.mark.skipif(BACKEND == "torch" and not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("jit_compile", [pytest.param(True, marks=[pytest.mark.slow] * (BACKEND == "torch")), "auto"])
def test_jit_compile(plain, jit_compile):
    assert_equal_weights(fit(make_model(jit_compile=jit_compile)), plain, **ROUNDING)


def test_run_eagerly(plain):
    assert_equal_weights(fit(make_model(run_eagerly=True)), plain, **ROUNDING)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no steps_per_execution on PyTorch")
def test_steps_per_execution(plain):
    assert_equal_weights(fit(make_model(steps_per_execution=4)), plain, **ROUNDING)


def test_train_on_batch(plain):
    model = make_model()
    for x, y in batches():
        model.train_on_batch(x, y)
    assert_equal_weights(model, plain, **ROUNDING)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(plain, policy):
    """The weights stay float32 and near the reference, and the first layer has the same noise.

    The noise is the same float32 numbers. The gradients have 8 (11) bits, and if rounding changes a gradient's sign,
    Adam's step differs by up to 2γ: at most 0.02 in each of 8 updates.
    """
    keras.config.set_dtype_policy(policy)
    try:
        model = fit(make_model())
    finally:
        keras.config.set_dtype_policy("float32")
    assert {weight.dtype for weight in model.get_weights()} == {np.dtype("float32")}
    assert_equal_weights(model, plain, atol=8 * 0.02)
    errors = [np.median(np.abs(a - b)) for a, b in zip(model.get_weights(), plain.get_weights(), strict=True)]
    assert max(errors) < 0.01


def jax_step(model, state, data):
    trainable, non_trainable, optimizer_variables, metrics = state
    x, y = data

    def loss(trainable):
        prediction, _ = model.stateless_call(trainable, non_trainable, x, training=True)
        return model.compute_loss(x, y, prediction)

    import jax

    value, gradients = jax.value_and_grad(loss)(trainable)
    trainable, optimizer_variables = model.optimizer.stateless_apply(optimizer_variables, gradients, trainable)
    return {"loss": value}, (trainable, non_trainable, optimizer_variables, metrics)


def tensorflow_step(model, data):
    import tensorflow as tf

    x, y = data
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    return {"loss": loss}


def torch_step(model, data):
    import torch

    x, y = data
    model.zero_grad()
    loss = model.compute_loss(x, y, model(x, training=True))
    loss.backward()
    variables = model.trainable_variables
    with torch.no_grad():
        model.optimizer.apply([variable.value.grad for variable in variables], variables)
    return {"loss": loss}


STEP = {"jax": jax_step, "tensorflow": tensorflow_step, "torch": torch_step}[BACKEND]


class OwnStep(keras.Model):
    """A custom training step as in Keras's guides for each backend."""

    def train_step(self, *arguments):
        return STEP(self, *arguments)


def test_own_train_step(plain):
    assert_equal_weights(fit(make_model(model_class=OwnStep)), plain, **ROUNDING)


def jax_loop(model):
    import jax

    @jax.jit
    def step(state, x, y):
        return jax_step(model, state, (x, y))[1]

    model.optimizer.build(model.trainable_variables)
    own = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables, []
    state = tuple([variable.value for variable in variables] for variables in own)
    for x, y in batches():
        state = step(state, x, y)
    for variables, arrays in zip(own, state, strict=True):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def tensorflow_loop(model):
    import tensorflow as tf

    model.optimizer.build(model.trainable_variables)
    step = tf.function(lambda x, y: tensorflow_step(model, (x, y)))
    for x, y in batches():
        step(tf.constant(x), tf.constant(y))


def torch_loop(model):
    for x, y in batches():
        torch_step(model, (ops.convert_to_tensor(x), ops.convert_to_tensor(y)))


def test_own_loop(plain):
    """A loop with a `GradientTape`, with `jax.jit` over the state, or with `loss.backward()`."""
    model = make_model()
    {"jax": jax_loop, "tensorflow": tensorflow_loop, "torch": torch_loop}[BACKEND](model)
    assert_equal_weights(model, plain, **ROUNDING)
    assert int(model.optimizer.iterations) == 8


def saved_model(model, folder):
    import tensorflow as tf

    model.export(folder, format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(str(folder))  # kept, otherwise its variables are freed
    return np.asarray(loaded.serve(X))


def exported_program(model, folder):
    import torch

    path = str(folder.with_suffix(".pt2"))
    model.export(path, format="torch", verbose=False)
    module = torch.export.load(path).module()  # Keras's export fixes the batch to one example
    return np.concatenate([module(torch.tensor(x[None])).detach().numpy() for x in X])


@pytest.mark.skipif(
    BACKEND == "torch" and 'format="torch"' not in keras.Model.export.__doc__,
    reason="this Keras exports no PyTorch model",
)
def test_export(plain, tmp_path):
    """An exported model predicts what it did before; the export does not contain the optimizer."""
    served = {"torch": exported_program}.get(BACKEND, saved_model)(plain, tmp_path / "model")
    np.testing.assert_allclose(served, plain.predict(X, verbose=0), rtol=1e-5, atol=1e-6)


def test_clone_model():
    """A clone has new weights and its own optimizer with the same configuration, and trains the same way."""
    model = make_model()
    clone = keras.models.clone_model(model)
    assert clone.optimizer is not model.optimizer
    names = ("layers", "seed", "noise", "epsilon")
    assert [getattr(clone.optimizer, name) for name in names] == [getattr(model.optimizer, name) for name in names]
    clone.set_weights(model.get_weights())
    assert_equal_weights(fit(clone), fit(model), **ROUNDING)
    assert clone.optimizer.noisy_layers == model.optimizer.noisy_layers


def test_serialize_and_deserialize(plain):
    text = json.dumps(keras.optimizers.serialize(make_optimizer()))
    assert_equal_weights(fit(make_model(keras.optimizers.deserialize(json.loads(text)))), plain)


def test_compile_by_configuration(plain):
    """`compile_from_config`, which a loaded model uses."""
    model, bare = make_model(), make_model()
    bare.compile_from_config(model.get_compile_config())
    assert bare.optimizer is not model.optimizer
    assert_equal_weights(fit(bare), plain, **ROUNDING)


COPIES = {"pickle": lambda value: pickle.loads(pickle.dumps(value)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_a_fresh_optimizer(plain, way):
    optimizer = make_optimizer()
    again = COPIES[way](optimizer)
    assert again.get_config() == optimizer.get_config()
    assert_equal_weights(fit(make_model(again)), plain)
    again.sigma, again.seed = 0.5, 9  # changes the copy only
    assert float(optimizer.sigma) == pytest.approx(0.1) and optimizer.seed == 3


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_a_model_in_training(way):
    """A copy of model and optimizer trains on like the original."""
    model = fit(make_model(), epochs=1)
    again = COPIES[way](model)
    for each in (model, again):
        fit(each, epochs=2, initial_epoch=1)
    assert_equal_weights(again, model)
    for ours, theirs in zip(values(again.optimizer.variables), values(model.optimizer.variables), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def zero_loss(_, prediction):
    return 0.0 * ops.mean(prediction)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="this Keras has no MultiOptimizer")
def test_multi_optimizer():
    """Adam on the first layer and L-Adam on the second. Without noise it equals Adam on both. Without a gradient the
    first layer stays, and the second has the noise of an L-Adam with that layer alone."""

    def train(**arguments):
        parts = keras.optimizers.OptimizerMap(keras.optimizers.Adam(0.01, epsilon=1e-6))
        parts["second/.*"] = make_optimizer(layers=None, **{"sigma": 0.1} | arguments)
        return keras.optimizers.MultiOptimizer(parts)

    silent = fit(make_model(train(sigma=0.0)))
    assert_equal_weights(silent, fit(make_model(keras.optimizers.Adam(0.01, epsilon=1e-6))), **ROUNDING)

    noisy = make_model(train(), loss=zero_loss)
    before = noisy.get_weights()
    alone = [keras.Variable(weights) for weights in before[2:]]
    fit(noisy)
    optimizer = make_optimizer(layers=None)
    optimizer.build(alone)
    for _ in range(8):
        optimizer.apply([ops.zeros(variable.shape) for variable in alone])
    for ours, theirs in zip(noisy.get_weights(), before[:2] + values(alone), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())
