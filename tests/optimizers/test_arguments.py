"""The constructor: the parent's arguments, those of the noise, and what it refuses; the mixin on a user's optimizer."""

import inspect
import re
import textwrap
import typing

import keras
import numpy as np
import pytest
from keras import ops

import keras_langevin
from keras_langevin import LSGD, SGHMC, LAdam, Langevin, LogSchedule
from keras_langevin.optimizers.arguments import IN_SHORT, SPELLED_OUT
from keras_langevin.optimizers.cyclical import CyclicalCosine, CyclicalNoise
from tests.optimizers.cases import CASES, case_name, make_gradients, make_variables, normal, train

every_case = pytest.mark.parametrize("case", CASES, ids=case_name)
WITHOUT_EPSILON = {keras.optimizers.SGD, keras.optimizers.Lion, keras.optimizers.Adafactor}


@every_case
def test_takes_every_argument_of_the_parent(case):
    """The constructor accepts each of the parent's arguments with its default, and the signature shows it."""
    parent = inspect.signature(case.parent.__init__).parameters
    arguments = {
        name: parameter.default
        for name, parameter in parent.items()
        if name not in ("self", *case.langevin._replaced_arguments) and parameter.kind is not parameter.VAR_KEYWORD
    }
    optimizer = case.langevin(**arguments)
    shown = inspect.signature(case.langevin).parameters
    assert [name for name in shown if name in arguments] == list(arguments)
    others = {"sigma", "layers", "seed", "noise", *case.own_arguments} | {"kwargs"} & set(parent)
    assert set(shown) - set(arguments) == others
    for name in arguments:
        assert shown[name].default == {"epsilon": 1e-6, "epsilon_1": 1e-12}.get(name, arguments[name])
    if "epsilon" in arguments:
        assert optimizer.epsilon == arguments["epsilon"]  # passed explicitly, so not our default


@every_case
def test_type_checkers_and_editors_see_every_argument(case):
    """They only read `__init__`, which has each argument of the signature: by name or in the type of its `kwargs`."""
    shown = {name: p for name, p in inspect.signature(case.langevin).parameters.items() if name != "kwargs"}
    seen = inspect.signature(case.langevin.__init__).parameters
    (arguments,) = typing.get_args(seen["kwargs"].annotation)
    named = [name for name in seen if name not in ("self", "args", "kwargs")]
    assert sorted([*named, *arguments.__annotations__]) == sorted(shown)
    assert {name: seen[name].default for name in named} == {name: shown[name].default for name in named}


@every_case
def test_the_arguments_of_the_noise_are_spelled_out_in_help(case):
    """The source has one line for them, which editors show."""
    source, shown = inspect.getsource(case.langevin), inspect.getdoc(case.langevin)
    assert source.count(f"        {IN_SHORT}\n") == 1
    assert IN_SHORT not in shown and textwrap.indent(SPELLED_OUT, " " * 4) in shown


@every_case
def test_a_noise_level_in_the_place_of_a_decay_rate_is_refused(case):
    second = list(inspect.signature(case.langevin).parameters)[1]
    if second not in ("beta_1", "rho", "momentum"):
        return
    with pytest.raises(ValueError, match=rf"the second is `{second}`.*Received: 0\.001.*Pass `sigma=0\.001`"):
        case.langevin(1e-3, 1e-3)
    assert getattr(case.langevin(1e-3, 0.5), second) == 0.5
    assert getattr(case.langevin(1e-3, **{second: 1e-3}), second) == 1e-3


@every_case
def test_learning_rate_comes_first(case):
    assert float(case.langevin(0.125).learning_rate) == 0.125
    assert float(case.langevin(0.125, sigma=0.5).sigma) == 0.5


@every_case
def test_epsilon_defaults_to_a_millionth(case):
    if not hasattr(case.parent(), "epsilon"):
        assert case.parent in WITHOUT_EPSILON
        return
    assert case.langevin().epsilon == 1e-6
    assert case.langevin(epsilon=1e-3).epsilon == 1e-3


def test_epsilon_may_be_given_by_place():
    assert LAdam(1e-3, 0.9, 0.99, 1e-4).epsilon == 1e-4


@every_case
def test_is_an_instance_of_its_parent(case):
    assert isinstance(case.make(), case.parent)
    assert isinstance(case.make(), Langevin)


@every_case
def test_an_unknown_argument_is_refused(case):
    with pytest.raises(ValueError, match=r"'sigmma'\. Did you mean 'sigma'\? There are: learning_rate, "):
        case.make(sigmma=1.0)


def test_an_unknown_argument_of_a_users_optimizer_is_refused():
    """The parent's own `kwargs` are passed on, and other errors are not changed."""
    assert LScaled(weight_decay=0.1).weight_decay == 0.1
    with pytest.raises(ValueError, match=r"Unknown argument of LScaled 'facter'\. Did you mean 'factor'\?"):
        LScaled(facter=1.0)
    with pytest.raises(ValueError, match="`learning_rate` should be float"):
        LScaled("0.1", weight_decay=0.1)


@pytest.mark.parametrize("sigma", [lambda step: 0.1, LogSchedule])
def test_a_callable_sigma_that_needs_arguments_is_refused(sigma):
    """The constructor raises, not the compiled step."""
    optimizer = LSGD()
    for make in (lambda: LSGD(sigma=sigma), lambda: setattr(optimizer, "sigma", sigma)):
        with pytest.raises(ValueError, match=r"must take no arguments.*Received: sigma=.*LearningRateSchedule"):
            make()
    optimizer.sigma = lambda level=0.25: level
    assert float(optimizer.sigma) == 0.25


@pytest.mark.parametrize("sigma", [-1e-3, float("nan"), float("inf"), "0.1", None, True, [0.1]])
def test_wrong_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match=r"`sigma`.*finite float >= 0.*Received: sigma="):
        LSGD(sigma=sigma)
    optimizer = LSGD(sigma=0.5)
    with pytest.raises(ValueError, match=r"`sigma`.*finite float >= 0.*Received: sigma="):
        optimizer.sigma = sigma
    assert float(optimizer.sigma) == 0.5


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, "1", True])
def test_wrong_seed_is_refused(seed):
    with pytest.raises(ValueError, match=r"`seed` must be an int in \[0, 2\*\*64\), or None\. Received: seed="):
        LSGD(seed=seed)
    optimizer = LSGD(seed=3)
    with pytest.raises(ValueError, match="`seed` must be an int"):
        optimizer.seed = seed
    assert optimizer.seed == 3


@pytest.mark.parametrize("law", ["gaussian", "Normal", None, 1])
def test_refuses_an_unknown_law(law):
    with pytest.raises(ValueError, match=r"must be 'normal' or 'rademacher'\. Received: noise="):
        LAdam(noise=law)


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**63 + 5, 2**64 - 1, np.int64(7)])
def test_seed_is_kept(seed):
    optimizer = LSGD(seed=seed)
    assert optimizer.seed == seed
    optimizer.seed = 11
    optimizer.seed = seed
    assert optimizer.seed == seed


def test_sigma_is_set_as_the_learning_rate_is():
    """A number can be replaced by a number, variable, tensor or schedule; a schedule cannot be replaced by a number."""
    optimizer = LSGD(sigma=0.5)
    for value in (0.25, np.float32(0.125), keras.Variable(2.0), ops.convert_to_tensor(3.0)):
        optimizer.sigma = value
        assert float(optimizer.sigma) == float(value)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.75, 1, 0.5)
    optimizer.sigma = schedule
    assert float(optimizer.sigma) == 0.75
    assert "sigma" not in {variable.name for variable in optimizer.variables}
    with pytest.raises(TypeError, match=r"only if it is one\. Received: sigma=.*Set another schedule"):
        optimizer.sigma = 0.1


def test_sigma_schedule_set_later_makes_the_noise():
    """The schedule replaces a number in an optimizer that has already made updates."""
    variables = make_variables((3, 4), seed=None)
    optimizer = LSGD(1.0, sigma=0.5, seed=1)
    zeros = [[np.zeros((3, 4), "float32")]]
    (first,) = train(optimizer, variables, zeros)
    optimizer.sigma = keras.optimizers.schedules.PiecewiseConstantDecay([10], [2.0, 0.0])
    optimizer.apply([ops.zeros((3, 4))], variables)
    second = ops.convert_to_numpy(variables[0]) - first
    np.testing.assert_allclose(second, 2.0 * normal(1, 1, (3, 4)), rtol=1e-4, atol=1e-5)


# --- the mixin on another optimizer -----------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="tests")
class Scaled(keras.optimizers.Optimizer):
    """A user's optimizer: θ ← θ − γ · factor · g."""

    def __init__(self, learning_rate=0.1, factor=2.0, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.factor = factor

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * self.factor * gradient)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable(package="tests")
class LScaled(Langevin, Scaled):
    """Scaled with noise: P = factor."""

    def preconditioner(self, t):
        return self.factor


def test_the_mixin_adds_noise_to_a_users_optimizer():
    optimizer = LScaled(0.04, factor=4.0, sigma=0.5, seed=1, layers=["layer_0"], weight_decay=0.0)
    variables = make_variables((3, 4), (4,), seed=None)
    gradients = make_gradients(variables, 1)
    noisy, quiet = train(optimizer, variables, gradients)
    step = -0.16 * gradients[0][0]
    np.testing.assert_allclose(noisy, step + 0.5 * 0.2 * 2.0 * normal(1, 0, (3, 4)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(quiet, -0.16 * gradients[0][1], rtol=1e-6)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is LScaled
    assert (again.factor, float(again.sigma), again.layers, again.seed) == (4.0, 0.5, ["layer_0"], 1)


def test_the_example_of_the_docstring_equals_its_formula():
    """L-Nadam of README: P = 1 / (√(v / (1 − β₂ᵗ)) + ε)."""

    class LNadam(Langevin, keras.optimizers.Nadam, slots=("_velocities",)):
        def preconditioner(self, t, v):
            return 1 / ((v / (1 - self.beta_2**t)) ** 0.5 + self.epsilon)

    assert LNadam().epsilon == 1e-6
    variables = make_variables((3, 4), seed=None)
    (gradient,) = make_gradients(variables, 1)[0]
    weights = {}
    for sigma in (0.0, 0.5):
        optimizer = LNadam(0.01, sigma=sigma, seed=1)
        variables[0].assign(np.zeros((3, 4)))
        (weights[sigma],) = train(optimizer, variables, [[gradient]])
    expected = 0.5 * 0.1 / np.sqrt(np.abs(gradient) + 1e-6) * normal(1, 0, (3, 4))
    np.testing.assert_allclose(weights[0.5] - weights[0.0], expected, rtol=1e-3, atol=1e-6)


def test_a_mixin_without_a_preconditioner_says_what_to_define():
    class Nothing(Langevin, keras.optimizers.SGD):
        pass

    with pytest.raises(NotImplementedError, match=r"Nothing must define `preconditioner\(self, t, \*slots\)`"):
        Nothing().apply([ops.ones(1)], make_variables((1,)))


PUBLIC = [
    name for name in keras_langevin.__all__ if not inspect.ismodule(getattr(keras_langevin, name)) and name[0] != "_"
]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_docstring_is_short_and_has_an_example(name):
    """It has a first line of its own, describes each of the class's arguments, and has an example."""
    public = getattr(keras_langevin, name)
    docstring = inspect.getdoc(public)
    assert docstring.splitlines()[0].endswith(".")
    assert "Example:" in docstring and ">>>" in docstring
    assert len(docstring.splitlines()) <= 38
    if inspect.isclass(public) and issubclass(public, keras.optimizers.Optimizer):
        return  # the parent's arguments are in `kwargs`
    described = docstring.partition("Args:")[2].partition("\n\n")[0]
    for argument, parameter in inspect.signature(public).parameters.items():
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        assert re.search(rf"^    (\w+, )*{re.escape(stars + argument)}(, \w+)*:", described, re.MULTILINE), argument


# Numbers beyond float32; the last is also beyond Python's float.
@pytest.mark.parametrize("value", [1e39, 10**39, 10**400])
def test_a_number_beyond_float32_is_refused(value):
    makes = (
        lambda: LSGD(sigma=value),
        lambda: setattr(LSGD(), "sigma", value),
        lambda: SGHMC(sigma=value),
        lambda: LogSchedule(value),
        lambda: CyclicalNoise(value, 10),
    )
    for make in makes:
        with pytest.raises(ValueError, match="finite"):
            make()


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_tensor_that_is_no_level_is_refused(value):
    optimizer = LSGD(sigma=0.5)
    for made in (ops.convert_to_tensor(value), keras.Variable(value), ops.convert_to_tensor([0.1, 0.2])):
        with pytest.raises(ValueError, match="`sigma`, the noise level"):
            optimizer.sigma = made
    optimizer.sigma = ops.convert_to_tensor(0.25)
    assert float(optimizer.sigma) == 0.25


@pytest.mark.parametrize("cls", [CyclicalCosine, CyclicalNoise])
@pytest.mark.parametrize("name", ["cycle_length", "first_step"])
@pytest.mark.parametrize("value", [True, 1.5, float("inf"), "3", None])
def test_a_count_of_a_cyclical_schedule_is_an_int(cls, name, value):
    with pytest.raises(ValueError, match=f"`{name}`.* must be an int.*Received"):
        cls(**{"initial_value": 0.1, "cycle_length": 10} | {name: value})
    assert cls(0.1, 10, first_step=-3).get_config()["first_step"] == -3
