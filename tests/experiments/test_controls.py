"""The controls follow their formulas."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as as_numpy

from keras_langevin import optimizers
from keras_langevin.experiments import runner
from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.controls import GLOBAL_CLIPNORM, WARM_UP_UPDATES, optimizer
from keras_langevin.experiments.engines import Local
from keras_langevin.experiments.optimizer_specs import OptimizerSpec
from keras_langevin.experiments.store import Store
from tests.quick import JIT

SHAPES = ((40, 5), (7,))
START = [np.linspace(-1, 1, int(np.prod(shape)), dtype="float32").reshape(shape) for shape in SHAPES]
GRADIENTS = [np.random.default_rng(number).normal(size=shape).astype("float32") for number, shape in enumerate(SHAPES)]
ZEROS = [np.zeros(shape, "float32") for shape in SHAPES]


def steps(made, gradients, after=0):
    """Returns the weights after each update, with one update per entry of `gradients`."""
    weights = [keras.Variable(start, name=f"w{number}") for number, start in enumerate(START)]
    made.build(weights)
    made.iterations.assign(after)
    found = []
    for each in gradients:
        made.apply([keras.ops.convert_to_tensor(gradient) for gradient in each], weights)
        found.append([as_numpy(weight) for weight in weights])
    return found


def assert_close(found, expected, atol):
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=atol)


def normals(updates):
    """Returns Z of each update and variable: the steps of an L-SGD with σ√γ = 1 and zero gradients."""
    states = [START, *steps(optimizers.get("lsgd", learning_rate=1.0, sigma=1.0, seed=3), [ZEROS] * updates)]
    return [
        [after - before for after, before in zip(*pair, strict=True)] for pair in zip(states[1:], states, strict=False)
    ]


def test_gradient_noise_is_the_parent_with_noisy_gradients():
    found = steps(
        optimizer(OptimizerSpec("gradient-noise-adam"), learning_rate=0.01, sigma=0.5, seed=3), [GRADIENTS] * 3
    )
    noisy = [
        [gradient + 0.5 / (1 + t) ** 0.275 * noise for gradient, noise in zip(GRADIENTS, z, strict=True)]
        for t, z in enumerate(normals(3))
    ]
    expected = steps(keras.optimizers.Adam(0.01, epsilon=1e-6), noisy)
    assert_close(found[-1], expected[-1], 1e-5)


def test_isotropic_noise_has_the_power_of_langevins():
    """Each variable's noise is Z times a number, the root of the mean of P. After one update P is
    1/(|g| + ε/√(1 − β₂))."""
    (found,) = steps(optimizer(OptimizerSpec("isotropic-adam"), learning_rate=0.01, sigma=0.5, seed=3), [GRADIENTS])
    (parents,) = steps(keras.optimizers.Adam(0.01, epsilon=1e-6), [GRADIENTS])
    scales = [0.5 * np.sqrt(0.01 * (1 / (np.abs(g) + 1e-6 / np.sqrt(1e-3))).mean()) for g in GRADIENTS]
    (z,) = normals(1)
    expected = [parent + scale * noise for parent, scale, noise in zip(parents, scales, z, strict=True)]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("spec", "is_noisy"), [("kernels-{}ladam", (True, False)), ("biases-{}ladam", (False, True))])
def test_noise_on_kernels_or_biases_alone(spec, is_noisy):
    """Noisy weights have L-Adam's noise, in all updates or in the first ones."""
    arguments = {"learning_rate": 0.01, "sigma": 0.5, "seed": 3}
    noisy = steps(optimizer(OptimizerSpec("ladam"), **arguments), [GRADIENTS] * 2)
    parents = steps(keras.optimizers.Adam(0.01, epsilon=1e-6), [GRADIENTS] * 2)
    found = steps(optimizer(OptimizerSpec(spec.format("")), **arguments), [GRADIENTS] * 2)
    short = steps(optimizer(OptimizerSpec(spec.format("1-")), **arguments), [GRADIENTS] * 2)
    for number, has_noise in enumerate(is_noisy):
        expected = noisy if has_noise else parents
        for update in range(2):
            np.testing.assert_array_equal(found[update][number], expected[update][number])
        np.testing.assert_array_equal(short[0][number], expected[0][number])
        step = parents[1][number] - parents[0][number]
        np.testing.assert_allclose(short[1][number] - short[0][number], step, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop", "adadelta", "lsgd", "ladam"])
def test_warm_up_is_a_smaller_learning_rate_at_first(name):
    noise = {"sigma": 0.1, "seed": 1} if name.startswith("l") else {}
    warm = optimizer(OptimizerSpec(f"warmup-{name}"), learning_rate=0.5, **noise)
    (found,) = steps(warm, [GRADIENTS])
    (expected,) = steps(optimizer(OptimizerSpec(name), learning_rate=0.5 / WARM_UP_UPDATES, **noise), [GRADIENTS])
    assert_close(found, expected, 1e-6)
    assert float(as_numpy(warm.learning_rate)) == 0.5
    (late,) = steps(optimizer(OptimizerSpec("warmup-sgd"), learning_rate=0.5), [GRADIENTS], after=3 * WARM_UP_UPDATES)
    assert_close(late, [start - 0.5 * g for start, g in zip(START, GRADIENTS, strict=True)], 1e-6)


def test_clipping_bounds_the_norm_of_all_gradients():
    (found,) = steps(optimizer(OptimizerSpec("clip-sgd"), learning_rate=1.0), [GRADIENTS])
    norm = np.sqrt(sum(((mine - start) ** 2).sum() for mine, start in zip(found, START, strict=True)))
    assert norm == pytest.approx(GLOBAL_CLIPNORM, rel=1e-4)


@pytest.mark.parametrize("spec", ["isotropic-adam@1", "gradient-noise-adam@1"])
def test_layers_without_noise_are_the_parents(spec):
    made = optimizer(OptimizerSpec(spec), learning_rate=0.01, sigma=0.5, layers=["w0"], seed=3)
    found, parents = (
        steps(made, [GRADIENTS] * 2)[-1],
        steps(keras.optimizers.Adam(0.01, epsilon=1e-6), [GRADIENTS] * 2)[-1],
    )
    assert np.abs(found[0] - parents[0]).max() > 1e-3
    assert_close(found[1:], parents[1:], 1e-6)


@pytest.mark.ci
def test_they_are_trained_beside_their_parents(tmp_path):
    specs = ("isotropic-adam@0.5", "gradient-noise-adam", "clip-ladam", "ladam", "always-ladam")
    small = {"epochs": 3, "batch_size": 64, "seeds": 1, "limit": 200, "jit": JIT}
    comparison = Comparison(model="dense-1", optimizers=specs, **small)
    store = Store(tmp_path, comparison)
    runner.run([runner.Job(comparison, runner.prepare(comparison), store)], Local())
    records = {record["optimizer"]: record for record in store.records()}
    assert [records[spec]["status"] for spec in specs] == ["finished"] * len(specs)
    assert records["gradient-noise-adam"]["arguments"]["sigma"] == 0.1
    assert [path.rpartition("/")[2] for path in records["isotropic-adam@0.5"]["noisy_layers"]] == ["dense_1"]
    # equal except for the third epoch, in which one of them has noise
    *first, last = zip(*(records[spec]["curves"]["train_loss"] for spec in specs[-2:]), strict=True)
    assert all(one == other for one, other in first) and last[0] != last[1]


def test_noise_until_the_end_is_for_a_langevin_optimizer():
    with pytest.raises(ValueError, match=r"`always-` must stand before a Langevin optimizer, as in 'always-ladam'"):
        optimizer(OptimizerSpec("always-adam"))
