"""The checks of Keras's own tests of optimizers, on each of ours with σ = 0.

For L-SGD, whose step is −γ·g, the values are worked out by hand; the other optimizers must equal their parents.
docs/reliability.md lists each check, including those in other files.
"""

import json
import pickle

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, LAdam
from tests.optimizers.cases import BACKEND, CASES, all_of, make_gradients, make_step, make_variables, values

every_case = pytest.mark.parametrize("case", all_of(CASES))
ONES = np.ones((2, 2), "float32")
START = np.array([[1, 2], [3, 4]], "float32")


def variable(value=START, name="kernel"):
    return keras.Variable(np.array(value, "float32"), name=name)


def apply(optimizer, *pairs):
    optimizer.apply_gradients([(None if g is None else ops.convert_to_tensor(g), v) for g, v in pairs])


def lsgd(**arguments):
    return LSGD(**{"learning_rate": 1.0, "sigma": 0.0} | arguments)


def both(case, **arguments):
    """Returns the optimizer and its parent."""
    return case.make(sigma=0.0, **arguments), case.make_parent(**arguments)


def assert_as_parent(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_iterations_count():
    optimizer, weights = lsgd(), variable()
    for count in range(3):
        assert int(optimizer.iterations) == count
        apply(optimizer, (ONES, weights))


def test_no_gradient_at_all():
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        apply(lsgd(), (None, variable()))


def test_a_gradient_that_is_none_leaves_its_variable():
    """It gets no noise either: noise only comes with an update."""
    first, second = variable(), variable()
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        apply(lsgd(sigma=1.0), (None, first), (ONES, second))
    np.testing.assert_array_equal(values([first])[0], START)
    assert np.all(values([second])[0] != START)


@pytest.mark.parametrize("other", ["clipvalue", "global_clipnorm"])
def test_one_way_of_clipping(other):
    with pytest.raises(ValueError, match="Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can"):
        lsgd(clipnorm=0.1, **{other: 0.1})


@pytest.mark.parametrize(
    ("clip", "expected"),
    [({"clipnorm": 1.0}, 0.5), ({"clipvalue": 3.0}, 3.0), ({"global_clipnorm": 1.0}, 1 / np.sqrt(20))],
    ids=lambda clip: next(iter(clip)) if isinstance(clip, dict) else "",
)
def test_clipping(clip, expected):
    """Gradients of norm 20 and 40, clipped by their own norms, by value, and by their common norm."""
    first, second = variable(), variable()
    apply(lsgd(**clip), (10 * ONES, first), (20 * ONES, second))
    np.testing.assert_allclose(START - values([first])[0], expected, rtol=1e-5)


def test_moving_average():
    """The average starts with the first weights, takes a tenth of each later ones, and replaces them at update 3."""
    optimizer, weights = lsgd(use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3), variable()
    for expected in (START - 1, START - 2, 0.9 * (0.9 * (START - 1) + 0.1 * (START - 2)) + 0.1 * (START - 3)):
        apply(optimizer, (ONES, weights))
        np.testing.assert_allclose(values([weights])[0], expected, rtol=1e-6)


def test_moving_average_at_the_end_of_fit():
    """The average of the weights w = 1, 0.9, ... for the loss w² with a zero target."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, kernel_initializer="ones", use_bias=False)])
    model.compile(lsgd(learning_rate=0.1, use_ema=True, ema_momentum=0.9), loss="mse", jit_compile=False)
    model.fit(np.ones((1, 1)), np.zeros((1, 2)), batch_size=1, epochs=2, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], 0.9 * 0.9 + 0.1 * 0.9**2, rtol=1e-5)


def test_weight_decay_but_for_the_excluded():
    """Excluded by name and by variable. The gradient is zero, so only the decay moves weights."""
    optimizer = lsgd(learning_rate=0.5, weight_decay=0.1)
    decayed, named, listed = variable(), variable(name="bias"), variable()
    optimizer.exclude_from_weight_decay(var_names=["bias"], var_list=[listed])
    apply(optimizer, *((0 * ONES, each) for each in (decayed, named, listed)))
    np.testing.assert_allclose(values([decayed])[0], 0.95 * START, rtol=1e-6)
    np.testing.assert_array_equal(values([named, listed]), [START, START])


def test_constraint():
    weights = variable(START - 3)
    weights.constraint = keras.constraints.NonNeg()
    apply(lsgd(), (0 * ONES, weights))
    np.testing.assert_array_equal(values([weights])[0], np.maximum(START - 3, 0))


def test_static_loss_scale():
    optimizer, weights = lsgd(loss_scale_factor=1024.0), variable()
    assert optimizer.scale_loss(1.0) == 1024
    apply(optimizer, (1024 * START, weights))
    np.testing.assert_array_equal(values([weights])[0], 0)


def test_a_learning_rate_that_is_called():
    weights = variable()
    apply(lsgd(learning_rate=lambda: 0.5), (ONES, weights))
    np.testing.assert_array_equal(values([weights])[0], START - 0.5)


def test_a_schedule_in_place_of_a_number_is_no_variable():
    """As with the parent there is one variable less; the same holds for sigma."""
    optimizer = LAdam()
    count = len(optimizer.variables)
    optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.9)
    assert len(optimizer.variables) == count - 1
    optimizer.sigma = keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.9)
    assert len(optimizer.variables) == count - 2


def test_accumulation():
    """The weights move at every third step, by the mean gradient."""
    optimizer, weights = lsgd(gradient_accumulation_steps=3), variable()
    for step, size in enumerate((1, 2, 6, 5), start=1):
        apply(optimizer, (size * ONES, weights))
        np.testing.assert_allclose(values([weights])[0], START - 3 * (step >= 3), rtol=1e-6)
        assert int(optimizer.iterations) == step // 3


@every_case
def test_accumulation_with_weight_decay_is_the_mean_gradient(case):
    options, weights = {"sigma": 0.0, "weight_decay": 0.05}, [make_variables((2, 2)) for _ in range(2)]
    optimizers = case.make(**options), case.make(**options, gradient_accumulation_steps=3)
    whole, parts = (make_step(optimizer, each) for optimizer, each in zip(optimizers, weights, strict=True))
    for gradients in make_gradients(weights[0] * 3, 3):
        whole([np.mean(gradients, axis=0)])
        for gradient in gradients:
            parts([gradient])
    np.testing.assert_allclose(*(values(each)[0] for each in weights), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("accumulation", [None, 2])
def test_overwrite_with_gradient(accumulation):
    """Such a variable (Keras's float8 scales) is replaced by its gradient, with accumulation by the largest one, and
    gets no noise. Another variable takes the step."""
    replaced, stepped = variable(), variable()
    replaced.overwrite_with_gradient = True
    optimizer = LSGD(1.0, sigma=0.5, layers=0, gradient_accumulation_steps=accumulation)
    noisy = LSGD(1.0, sigma=0.5, gradient_accumulation_steps=accumulation)
    others = variable(), variable()
    others[0].overwrite_with_gradient = True
    for step in range(accumulation or 1):
        for each, pair in ((optimizer, (replaced, stepped)), (noisy, others)):
            apply(each, *(((2 - step) * ONES, one) for one in pair))
    np.testing.assert_array_equal(values([replaced, others[0]]), 2 * np.ones((2, 2, 2)))
    np.testing.assert_allclose(values([stepped])[0], START - np.mean(range(2, 2 - (accumulation or 1), -1)), rtol=1e-6)
    assert np.all(values([others[1]])[0] != values([stepped])[0])


@every_case
def test_set_weights(case):
    """Refused before the optimizer is built. Afterwards it sets all variables, and the next updates are equal."""
    first, second = case.make(sigma=0.1, seed=1), case.make(sigma=0.2, seed=2)
    weights = variable(), variable()
    apply(first, (START, weights[0]))
    with pytest.raises(ValueError, match="You are calling"):
        second.set_weights(first.variables)
    second.build([weights[1]])
    second.set_weights(first.variables)
    weights[1].assign(weights[0])
    for optimizer, each in zip((first, second), weights, strict=True):
        apply(optimizer, (ONES, each))
    np.testing.assert_array_equal(*values(weights))
    for ours, theirs in zip(values(second.variables), values(first.variables), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def stateless_step(optimizer, weights, gradient):
    """Updates with the state as arrays, then assigns them. On JAX a `LossScaleOptimizer` works only this way."""
    state = [ops.convert_to_tensor(each) for each in optimizer.variables]
    arrays = [ops.convert_to_tensor(each) for each in weights]
    trained, state = optimizer.stateless_apply(state, [ops.convert_to_tensor(gradient)], arrays)
    for each, array in zip([*weights, *optimizer.variables], [*trained, *state], strict=True):
        each.assign(array)


def stateful_step(optimizer, weights, gradient):
    optimizer.apply([ops.convert_to_tensor(gradient)], weights)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras refuses it there, see the next test")
@every_case
def test_stateless_apply_is_apply(case):
    """It returns the arrays that `apply` leaves in the variables, up to the rounding of a kernel."""
    if case.parent.__name__ == "ScheduleFreeAdamW" and BACKEND == "torch":
        first, second = after_both_steps(case.make_parent)
        assert not np.allclose(first[0], second[0])
        pytest.skip("Keras's optimizer changes z in place before it reads it, so two steps by `apply` differ")
    for ours, theirs in zip(*after_both_steps(lambda: case.make(sigma=0.1, seed=1)), strict=True):
        assert_as_parent(ours, theirs)


def after_both_steps(make):
    """Returns the weights and the optimizer's variables after two updates by `stateless_apply` and by `apply`."""
    for step in (stateless_step, stateful_step):
        optimizer, weights = make(), variable()
        optimizer.build([weights])
        step(optimizer, [weights], START)
        step(optimizer, [weights], ONES)
        yield values([weights, *optimizer.variables])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only on TensorFlow")
@pytest.mark.parametrize("make", [LAdam, keras.optimizers.Adam])
def test_stateless_apply_is_refused_on_tensorflow(make):
    optimizer, weights = make(), variable()
    optimizer.build([weights])
    with pytest.raises(ValueError, match="stateless_apply is not supported with the TensorFlow backend"):
        stateless_step(optimizer, [weights], ONES)


@every_case
def test_configuration_by_class_and_by_name(case):
    """Like Keras's serialization test: from the configuration, through JSON, with `serialize` and `deserialize`."""
    ours, _ = both(case, learning_rate=0.5, weight_decay=0.1, clipnorm=2.0, name="mine")
    config = ours.get_config()
    assert case.langevin.from_config(config).get_config() == config
    serialized = json.loads(json.dumps(keras.optimizers.serialize(ours)))
    again = keras.optimizers.deserialize(serialized)
    assert type(again) is case.langevin and again.get_config() == config
    assert dir(again) == dir(ours)


@every_case
def test_pickle_of_a_fresh_optimizer(case):
    ours = case.make(sigma=0.0, seed=3)
    assert pickle.loads(pickle.dumps(ours)).get_config() == ours.get_config()


def test_names_are_numbered():
    names = [LAdam(name=None).name for _ in range(2)]
    first, second = (name.removeprefix("l_adam").removeprefix("ladam") for name in names)
    assert first != second


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only on TensorFlow")
def test_variables_of_tensorflow_beside_those_of_keras():
    import tensorflow as tf

    ours, theirs = variable(), tf.Variable(START)
    optimizer = LAdam(1.0, sigma=0.0)
    apply(optimizer, (ONES, ours), (ONES, theirs))
    np.testing.assert_allclose(values([ours])[0], theirs.numpy())
    noisy = LAdam(1.0, sigma=1.0)
    apply(noisy, (ONES, ours), (ONES, theirs))
    assert np.all(values([ours])[0] != theirs.numpy())


STEP = {"jax": stateless_step}.get(BACKEND, stateful_step)


@pytest.mark.parametrize("size", [1.0, np.inf, np.nan])
def test_within_a_loss_scale_optimizer(size):
    """A finite gradient makes the unscaled step. Otherwise there is no update and no noise, and the scale halves."""
    for sigma, is_step in ((0.0, lambda moved: np.allclose(moved, 1)), (1.0, lambda moved: np.all(moved != 1))):
        optimizer = keras.optimizers.LossScaleOptimizer(lsgd(sigma=sigma), initial_scale=4.0)
        weights = variable()
        optimizer.build([weights])
        STEP(optimizer, [weights], np.float32(4 * size) * ONES)
        moved = START - values([weights])[0]
        is_finite = np.isfinite(size)
        assert is_step(moved) if is_finite else not np.any(moved)
        assert float(ops.convert_to_numpy(optimizer.dynamic_scale)) == (4 if is_finite else 2)
