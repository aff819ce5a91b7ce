"""`langevin` and `without_noise`: from a Keras optimizer to one with noise, and back."""

import keras
import numpy as np
import pytest

import keras_langevin
from keras_langevin import LAdam, langevin, without_noise
from keras_langevin.optimizers.registry import PARENTS
from tests.optimizers.cases import CASES, case_name, make_gradients, make_variables, normal, normals, train

RATE, SIGMA, SEED = 0.04, 0.5, 3


@keras.saving.register_keras_serializable(package="tests")
class Halved(keras.optimizers.SGD):
    """A user's optimizer: θ ← θ − γ/2 · g."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate / 2)

    def _backend_update_step(self, grads, variables, learning_rate):  # on PyTorch, one variable at a time
        for gradient, variable in zip(grads, variables, strict=True):
            self.update_step(gradient, variable, learning_rate)


def half(optimizer, t):
    return 0.5


def of_adagrad(optimizer, t, a):
    return 1 / (a + optimizer.epsilon) ** 0.5


def mean_of_adagrad(optimizer, t, a):
    return 1 / (keras.ops.mean(a) + optimizer.epsilon) ** 0.5


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_keras_optimizer_keeps_its_arguments(case):
    """The twin of a parent has all its arguments, including ε, and trains like the twin that is created directly."""
    if case.langevin in (keras_langevin.SGHMC, keras_langevin.BAOAB, keras_langevin.SGNHT):
        return  # SGD's twin is LSGD
    parent = case.parent(0.02, clipnorm=0.5, weight_decay=0.01)
    made = langevin(parent, sigma=SIGMA, layers=0.5, seed=SEED)
    assert type(made) is case.langevin
    theirs = parent.get_config()
    ours = made.get_config()
    assert {name: ours[name] for name in theirs if name != "name"} == {
        name: value for name, value in theirs.items() if name != "name"
    }
    assert (float(made.sigma), made.layers, made.seed) == (SIGMA, 0.5, SEED)
    back = without_noise(made).get_config()
    assert {name: back[name] for name in theirs if name != "name"} == {
        name: value for name, value in theirs.items() if name != "name"
    }


def test_a_users_optimizer_gets_noise_by_its_preconditioner():
    variables = make_variables((3, 4), seed=None)
    gradients = make_gradients(variables, 1)
    made = langevin(Halved(RATE), half, sigma=SIGMA, seed=SEED)
    (found,) = train(made, variables, gradients)
    noise = SIGMA * np.sqrt(RATE * 0.5) * normal(SEED, 0, (3, 4))
    np.testing.assert_allclose(found, -RATE / 2 * gradients[0][0] + noise, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("function", "elementwise"), [(of_adagrad, True), (mean_of_adagrad, False)])
def test_slots_reach_the_preconditioner(function, elementwise):
    """P may be elementwise or depend on a whole variable; several variables are drawn at once."""
    cls = langevin(keras.optimizers.Adagrad, function, slots=["_accumulators"], elementwise=elementwise)
    variables = make_variables((3, 4), (5,), seed=None)
    (gradient,) = make_gradients(variables, 1)
    noisy = train(cls(RATE, sigma=SIGMA, seed=SEED), variables, [gradient])
    variables = make_variables((3, 4), (5,), seed=None)
    silent = train(cls(RATE, sigma=0.0), variables, [gradient])
    sizes = [0.1 + each**2 for each in gradient]
    sizes = sizes if elementwise else [np.mean(each) for each in sizes]
    for index, size in enumerate(sizes):
        noise = SIGMA * np.sqrt(RATE / np.sqrt(size + 1e-6))
        z = normals(SEED, 0, [(3, 4), (5,)])[index]
        np.testing.assert_allclose(noisy[index] - silent[index], noise * z, rtol=1e-3, atol=1e-5)


def test_a_class_is_made_once_and_keras_loads_it(tmp_path):
    cls = langevin(Halved, half)
    assert cls is langevin(Halved, half) and cls.__name__ == "LHalved"
    assert keras.saving.get_registered_name(cls) == "tests>LHalved"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="d")], name="net")
    model.compile(cls(0.1, sigma=0.25, layers=["net/d"], seed=5, momentum=0.5), loss="mse")
    model.fit(np.ones((4, 2)), np.ones((4, 3)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert type(loaded) is cls
    assert type(without_noise(loaded)) is Halved
    assert (float(loaded.sigma), loaded.seed, loaded.momentum, int(loaded.iterations)) == (0.25, 5, 0.5, 1)


def test_a_registered_twin_is_not_replaced():
    """Another P for one of Keras's optimizers makes another class; the registered one stays."""
    cls = langevin(keras.optimizers.Adagrad, of_adagrad, slots=["_accumulators"])
    assert keras.saving.get_registered_name(cls) == "Custom>LAdagrad"
    assert keras.saving.get_registered_object("keras_langevin>LAdagrad") is keras_langevin.LAdagrad


def test_bad_input():
    with pytest.raises(ValueError, match=r"`parent` must be a Keras optimizer without noise.*Received: parent='adam'"):
        langevin("adam")
    with pytest.raises(ValueError, match="without noise"):
        langevin(LAdam())
    with pytest.raises(ValueError, match=r"Received: sigma with the class Adam\. Pass them to the class"):
        langevin(keras.optimizers.Adam, sigma=0.1)
    with pytest.raises(ValueError, match=r"optional for SGD, .*Received: Ftrl\. Pass `preconditioner`"):
        langevin(keras.optimizers.Ftrl())
    built = keras.optimizers.Adam()
    built.build(make_variables((2, 2)))
    with pytest.raises(ValueError, match=r"must not be built.*Received: Adam with 1 variables\. Convert it before"):
        langevin(built)
    with pytest.raises(ValueError, match=r"Received: Adam, which adds no noise\. Use it as it is"):
        without_noise(keras.optimizers.Adam())


def test_slots_that_the_parent_does_not_have():
    optimizer = langevin(keras.optimizers.SGD(0.1), half, slots=["_accumulators"], sigma=0.1)
    with pytest.raises(ValueError, match=r"`slots`.*Received: '_accumulators', which it does not have"):
        optimizer.build(make_variables((2, 2)))


@pytest.mark.parametrize("cls", PARENTS, ids=lambda cls: cls.__name__)
def test_a_langevin_optimizer_adds_at_most_eight_public_names(cls):
    parent = PARENTS[cls]
    own = {name for name in dir(cls()) if not name.startswith("_")} - set(dir(parent()))
    assert {"sigma", "layers", "seed", "noise", "noisy_layers", "preconditioner"} <= own
    assert len(own) <= 8, sorted(own)
