"""The table of optimizers that the contract runs over, and the helpers that drive them.

A row holds what differs between optimizers: the class, its parent, and its update in NumPy. The tests check the same
properties of every row.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin.optimizers import (
    BAOAB,
    LSGD,
    SGHMC,
    SGNHT,
    LAdadelta,
    LAdafactor,
    LAdagrad,
    LAdam,
    LAdamax,
    LAdamW,
    LLamb,
    LLion,
    LNadam,
    LRMSprop,
    noise,
    reference,
)
from keras_langevin.optimizers.registry import NEWER

BACKEND = keras.backend.backend()


class RMSpropOutside(keras.optimizers.RMSprop):
    """L-RMSprop with ε outside the root, without noise and unoptimized; Keras has no such optimizer."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        gradient = ops.add(ops.zeros(variable.shape, variable.dtype), gradient)  # densifies a sparse one
        v = self.rho * self._velocities[index] + (1 - self.rho) * ops.square(gradient)
        self.assign(self._velocities[index], v)
        if self.centered:
            mean = self.rho * self._average_gradients[index] + (1 - self.rho) * gradient
            self.assign(self._average_gradients[index], mean)
            v = ops.maximum(v - ops.square(mean), 0.0)
        step = ops.cast(learning_rate, v.dtype) * gradient / (ops.sqrt(v) + self.epsilon)
        if self.momentum:
            step = self.momentum * self._momentums[index] + step
            self.assign(self._momentums[index], step)
        self.assign_sub(variable, step)


# --- the table --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One Langevin optimizer.

    Attributes:
        langevin: its class.
        parent: the Keras optimizer whose step it takes.
        reference: its update in NumPy, from `keras_langevin.optimizers.reference`; also takes the options.
        parent_arguments: the parent's arguments that equal the defaults of the Langevin class.
        options: name -> arguments that only this family takes.
        learning_rate: float with which it trains a small model.
        own_arguments: names of the arguments that neither the parent nor every Langevin optimizer has.
        of_parent: its options -> the parent's arguments for the same step.
        kept: its options -> the share of an update's noise that returns in the next update; 0 if no slot keeps noise.
        accumulate: noises of single updates, options -> what each update adds because of the noise to a variable that
            is set to zero before it.
        arguments: arguments that `langevin` is always called with.
        name: its name in the tests if that is not the class's.
    """

    langevin: type[keras.optimizers.Optimizer]
    parent: type[keras.optimizers.Optimizer]
    reference: Callable
    parent_arguments: dict = field(default_factory=lambda: {"epsilon": 1e-6})
    options: dict[str, dict] = field(default_factory=dict)
    learning_rate: float = 0.01
    own_arguments: tuple[str, ...] = ()
    of_parent: Callable[[dict], dict] = dict
    kept: Callable[..., float] = lambda **_: 0.0
    accumulate: Callable[..., list] = lambda noises, **_: list(noises)
    arguments: dict = field(default_factory=dict)
    name: str = ""

    def make(self, **arguments) -> keras.optimizers.Optimizer:
        return self.langevin(**{"learning_rate": self.learning_rate} | self.arguments | arguments)

    def make_parent(self, **arguments) -> keras.optimizers.Optimizer:
        return self.parent(**{"learning_rate": self.learning_rate} | self.parent_arguments | self.of_parent(arguments))

    def preconditioners(self, gradients, weights=None, **options) -> list[np.ndarray]:
        """Returns P_1, ..., P_T for one variable, a list of arrays of its shape.

        Args:
            gradients: list of arrays, the variable's gradients g_1, ..., g_T.
            weights: list of arrays, its values before each update. Defaults to zeros.
        """
        state, found = {}, []
        options = {"learning_rate": self.learning_rate} | self.of_reference | options
        zeros = np.zeros(np.shape(gradients[0]))
        for t, gradient in enumerate(gradients, start=1):
            theta = zeros if weights is None else np.asarray(weights[t - 1], "float64")
            _, p, state = self.reference(theta, np.asarray(gradient, "float64"), zeros, t, **state, **options)
            found.append(p)
        return found

    @property
    def of_reference(self) -> dict:
        """Those of `arguments` that change the update; the parent also has the others."""
        return {name: value for name, value in self.arguments.items() if name not in self.parent_arguments}

    def accumulated(self, noises, **options) -> list[np.ndarray]:
        """Returns what updates with these noises (list of arrays) add to a variable set to zero before each."""
        return self.accumulate(noises, **options)

    def fresh(self, added, **options) -> np.ndarray:
        """The inverse of `accumulated`."""
        return _solved(self.accumulate(np.eye(len(added)), **options), added)

    def fresh_of_fit(self, added) -> np.ndarray:
        """Recovers the noises from what successive updates with a zero gradient added to a variable, up to one factor
        per update, the preconditioner's."""
        columns = []
        for drawn in np.eye(len(added)):
            theta, state, column = np.zeros((1, 1)), {}, []
            options = {"learning_rate": self.learning_rate} | self.of_reference
            for t, n in enumerate(drawn, start=1):
                moved, _, state = self.reference(theta, np.zeros((1, 1)), n, t, **state, **options)
                column.append((moved - theta).item())
                theta = moved
            columns.append(column)
        return _solved(np.transpose(columns), added)


def _solved(matrix, added) -> np.ndarray:
    """Solves matrix · x = added for x, over the updates."""
    added = np.asarray(added, "float64")
    return np.linalg.solve(np.asarray(matrix), added.reshape(len(added), -1)).reshape(added.shape)


def through_momentum(noises, friction=0.1, **_) -> list:
    """SGHMC: each update adds its own noise and a share of what the previous one added."""
    added = []
    for fresh in noises:
        added.append(fresh + ((1 - friction) * added[-1] if added else 0))
    return added


def through_splitting(noises, friction=0.1, **_) -> list:
    """BAOAB: each update adds its own noise and a share of the momentum, which gets (2 − α)/(1 − α) of each noise."""
    added, momentum = [], 0.0
    for fresh in noises:
        momentum = (1 - friction) * momentum
        added.append(fresh + momentum)
        momentum = momentum + (2 - friction) / (1 - friction) * fresh
    return added


def through_average(noises, beta_1=0.9, **_) -> list:
    """Schedule-Free: z holds all noise so far, and 1/t of it enters the average x, computed from θ = 0 and z."""
    in_z, added = 0.0, []
    for t, fresh in enumerate(noises, start=1):
        added.append(fresh + in_z / t)
        in_z = in_z + fresh / (1 - beta_1 + beta_1 / t)
    return added


def with_momentum(arguments: dict) -> dict:
    """Returns the arguments of SGHMC and BAOAB as those of SGD."""
    momentum = {"momentum": 1.0 - arguments["friction"]} if "friction" in arguments else {}
    return {name: value for name, value in arguments.items() if name != "friction"} | momentum


# A short memory: with the contract's falling gradients the maximum then differs from the latest velocity.
AMSGRAD = {"amsgrad": {"amsgrad": True, "beta_2": 0.5}}

CASES = [
    Case(
        LSGD,
        keras.optimizers.SGD,
        reference.sgd,
        parent_arguments={},
        options={"momentum": {"momentum": 0.9}, "nesterov": {"momentum": 0.9, "nesterov": True}},
    ),
    Case(
        SGHMC,
        keras.optimizers.SGD,
        reference.sghmc,
        parent_arguments={"momentum": 0.9},
        options={"friction": {"friction": 0.4}, "overdamped": {"friction": 1.0}},
        own_arguments=("friction",),
        of_parent=with_momentum,
        kept=lambda friction=0.1, **_: 1 - friction,
        accumulate=through_momentum,
    ),
    Case(
        BAOAB,
        keras.optimizers.SGD,
        reference.baoab,
        parent_arguments={"momentum": 0.9},
        options={"friction": {"friction": 0.4}},
        own_arguments=("friction",),
        of_parent=with_momentum,
        kept=lambda friction=0.1, **_: 1 - friction,
        accumulate=through_splitting,
    ),
    Case(  # with a thermostat at rest, so that noise adds up linearly; test_sgnht.py has the rest
        SGNHT,
        keras.optimizers.SGD,
        reference.sgnht,
        parent_arguments={"momentum": 0.9},
        options={"friction": {"friction": 0.4}},
        own_arguments=("friction", "thermal_rate"),
        of_parent=with_momentum,
        kept=lambda friction=0.1, **_: 1 - friction,
        accumulate=through_momentum,
        arguments={"thermal_rate": 0.0},
    ),
    Case(LAdam, keras.optimizers.Adam, reference.adam, options=AMSGRAD, own_arguments=("gamma_correction",)),
    Case(LAdamW, keras.optimizers.AdamW, reference.adamw, options=AMSGRAD),
    Case(
        LRMSprop,
        keras.optimizers.RMSprop,
        reference.rmsprop,
        options={"momentum": {"momentum": 0.9}, "centered": {"centered": True}},
        own_arguments=("gamma_correction", "epsilon_inside_sqrt"),
    ),
    Case(LAdadelta, keras.optimizers.Adadelta, reference.adadelta, learning_rate=1.0),
    Case(LAdagrad, keras.optimizers.Adagrad, reference.adagrad),
    Case(LNadam, keras.optimizers.Nadam, reference.nadam),
    Case(LAdamax, keras.optimizers.Adamax, reference.adamax),
    Case(LLamb, keras.optimizers.Lamb, reference.lamb),
    Case(LLion, keras.optimizers.Lion, reference.lion, parent_arguments={}),
    Case(
        LAdafactor,
        keras.optimizers.Adafactor,
        reference.adafactor,
        parent_arguments={"epsilon_1": 1e-12},
        options={"clip_threshold": {"clip_threshold": 0.5}},
    ),
]
# Optimizers whose parent is not in every supported Keras.
if "LMuon" in NEWER:
    MUON = Case(
        NEWER["LMuon"],
        keras.optimizers.Muon,
        reference.muon,
        parent_arguments={"epsilon": 1e-6, "exclude_embeddings": False},
        options={"momentum": {"momentum": 0.9, "nesterov": False}, "rms_rate": {"rms_rate": None}},
        arguments={"exclude_embeddings": False},
    )
    CASES.append(MUON)
if "LScheduleFreeAdamW" in NEWER:
    CASES.append(
        Case(
            NEWER["LScheduleFreeAdamW"],
            keras.optimizers.ScheduleFreeAdamW,
            partial(reference.schedule_free_adamw, in_place=BACKEND != "jax"),
            options={"warmup": {"warmup_steps": 5}, "beta_1": {"beta_1": 0.5}},
            kept=lambda **_: 1.0,
            accumulate=through_average,
        )
    )


# Second formulas of a class, which the contract also runs over.
CONTRACT_CASES = [
    *CASES,
    Case(
        LRMSprop,
        RMSpropOutside,
        reference.rmsprop,
        options={
            "momentum": {"momentum": 0.9},
            "centered": {"centered": True},
            "both": {"momentum": 0.9, "centered": True},
        },
        arguments={"epsilon_inside_sqrt": False},
        name="LRMSprop, ε outside",
    ),
]


if "LMuon" in NEWER:
    CONTRACT_CASES.append(
        replace(
            MUON,
            reference=reference.muon_of_others,
            parent_arguments={"epsilon": 1e-6, "exclude_layers": [""]},
            options={"adam_lr_ratio": {"adam_lr_ratio": 0.5}},
            arguments={"exclude_layers": [""]},
            name="LMuon, AdamW's weights",
        )
    )


def case_name(case: Case) -> str:
    return case.name or case.langevin.__name__


# Options that every Keras optimizer takes.
COMMON_OPTIONS = {
    "default": {},
    "weight_decay": {"weight_decay": 0.1},
    "clipnorm": {"clipnorm": 0.5},
    "global_clipnorm": {"global_clipnorm": 0.5},
    "clipvalue": {"clipvalue": 0.3},
    "use_ema": {"use_ema": True, "ema_momentum": 0.9},
    "ema_overwrite_frequency": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 3},
    "gradient_accumulation_steps": {"gradient_accumulation_steps": 4},
    "schedule": {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.05, 10, 0.5)},
}


# --- variables and gradients ------------------------------------------------------------------------------------------


def make_variables(*shapes: tuple[int, ...], dtype="float32", seed: int | None = 0) -> list[keras.Variable]:
    """Returns a variable per shape, each in its own layer: `layer_0/kernel`, `layer_1/kernel`, ...

    Args:
        seed: int, of the values; `None` for zeros.
    """
    generator = np.random.default_rng(seed)
    variables = []
    for index, shape in enumerate(shapes):
        value = generator.normal(size=shape) if seed is not None else np.zeros(shape)
        with keras.name_scope(f"layer_{index}"):
            variables.append(keras.Variable(value.astype(dtype), dtype=dtype, name="kernel"))
    return variables


def make_gradients(variables, steps: int, seed: int = 1, decay: float = 1.0, dtype="float32") -> list[list[np.ndarray]]:
    """Returns `steps` lists with a gradient per variable, normal numbers times decay**step."""
    generator = np.random.default_rng(seed)
    return [
        [(decay**step * generator.normal(size=variable.shape)).astype(dtype) for variable in variables]
        for step in range(steps)
    ]


def zero_gradients(variables, steps: int, dtype="float32") -> list[list[np.ndarray]]:
    return [[np.zeros(variable.shape, dtype) for variable in variables]] * steps


def values(variables) -> list[np.ndarray]:
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


# --- one update, as each backend compiles it --------------------------------------------------------------------------


def _eager(pairs):
    def step(gradients):
        for optimizer, variables in pairs:
            optimizer.apply(gradients, variables)

    return step


def _tensorflow(pairs, jit_compile):
    import tensorflow as tf

    return tf.function(_eager(pairs), jit_compile=jit_compile)


def _jax_eager(pairs):
    import jax

    eager = _eager(pairs)

    def step(gradients):
        with jax.disable_jit():  # otherwise Keras's `cond` for gradient accumulation compiles at each step
            eager(gradients)

    return step


def _jax_xla(pairs):
    import jax

    @jax.jit
    def compiled(states, gradients):
        return [
            optimizer.stateless_apply(state, gradients, weights)
            for (optimizer, _), (weights, state) in zip(pairs, states, strict=True)
        ]

    def step(gradients):
        states = [([v.value for v in variables], [v.value for v in opt.variables]) for opt, variables in pairs]
        for (optimizer, variables), (weights, state) in zip(pairs, compiled(states, gradients), strict=True):
            for variable, value in zip(variables + optimizer.variables, weights + state, strict=True):
                variable.assign(value)

    return step


# Ways to run an update, by name, the fastest to start first. XLA fuses and reorders the operations of a step.
MODES = {
    "tensorflow": {
        "graph": lambda pairs: _tensorflow(pairs, jit_compile=False),
        "xla": lambda pairs: _tensorflow(pairs, jit_compile=True),
    },
    "jax": {"eager": _jax_eager, "xla": _jax_xla},
    "torch": {"eager": _eager},
}[BACKEND]
FIRST_MODE = next(iter(MODES))


# One of each kind. The others differ from these only in P, which the contract checks for all.
KINDS = (LSGD, SGHMC, LAdam, LAdadelta)


def of_each_kind(kinds=KINDS) -> list:
    """Returns `CONTRACT_CASES` for `pytest.mark.parametrize`; all but those of these kinds are marked slow.

    Args:
        kinds: classes. Fewer than `KINDS` for code that all share and that other tests cover.
    """
    return [
        pytest.param(case, id=case_name(case), marks=[pytest.mark.slow] * (case.langevin not in kinds))
        for case in CONTRACT_CASES
    ]


def all_of(cases) -> list:
    """Returns `cases` for `pytest.mark.parametrize`. On TensorFlow, where each takes longest, those that differ from
    `KINDS` only in P are left to `.ci/run`, which runs them at every change.

    Args:
        cases: `CASES` or `CONTRACT_CASES`.
    """
    return [
        pytest.param(
            case,
            id=case_name(case),
            marks=[pytest.mark.ci] * (BACKEND == "tensorflow" and case.langevin not in KINDS),
        )
        for case in cases
    ]


def with_each(choices, cases=None) -> list:
    """Returns pairs (case, choice) for `pytest.mark.parametrize`. Every case with the first choice and L-Adam with all
    choices run by default; the other pairs are marked slow.

    Args:
        choices: iterable.
        cases: params with a case each, as `of_each_kind` returns them. Defaults to all, none of them slow.
    """
    params = []
    for param in cases or [pytest.param(case) for case in CASES]:
        (case,) = param.values
        for number, choice in enumerate(choices):
            marks = [pytest.mark.slow] if number > 0 and case.langevin is not LAdam else param.marks
            params.append(pytest.param(case, choice, id=f"{case_name(case)}-{choice}", marks=marks))
    return params


def make_common_step(pairs, mode: str = FIRST_MODE):
    """Returns a function of the gradients (list of NumPy arrays, or of results of `sparse`) that updates each pair.

    It is compiled as a whole, which is much faster than compiling each pair.

    Args:
        pairs: list of (optimizer, list of variables); all get the same gradients.
        mode: one of `MODES`.
    """
    for optimizer, variables in pairs:
        optimizer.build(variables)
    step = MODES[mode](pairs)
    return lambda gradients: step([ops.convert_to_tensor(g) if isinstance(g, np.ndarray) else g for g in gradients])


def make_step(optimizer, variables, mode: str = FIRST_MODE):
    """Like `make_common_step`, for one optimizer."""
    return make_common_step([(optimizer, variables)], mode)


def train_together(optimizers, mode: str = FIRST_MODE, updates: int = 5) -> list[list[np.ndarray]]:
    """Returns two variables' values per optimizer after updates with the same gradients from the same start."""
    pairs = [(optimizer, make_variables((3, 4), (4,))) for optimizer in optimizers]
    step = make_common_step(pairs, mode)
    for gradient in make_gradients(pairs[0][1], updates):
        step(gradient)
    return [values(variables) for _, variables in pairs]


def train(optimizer, variables, gradients, mode: str = FIRST_MODE) -> list[np.ndarray]:
    """Returns the variables' values after an update with each of `gradients`."""
    step = make_step(optimizer, variables, mode)
    for gradient in gradients:
        step(gradient)
    return values(variables)


def increments(optimizer, variables, gradients, mode: str = FIRST_MODE) -> list[list[np.ndarray]]:
    """Returns exactly what each update adds to the variables: they are set to zero before it."""
    for variable in variables:  # now, because some optimizers copy the variables when they are built
        variable.assign(np.zeros(variable.shape, variable.dtype))
    step = make_step(optimizer, variables, mode)
    added = []
    for gradient in gradients:
        for variable in variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        step(gradient)
        added.append(values(variables))
    return added


def normals(seed: int, update: int, shapes) -> list[np.ndarray]:
    """Returns the library's Z for each variable of an optimizer, as NumPy arrays; `update` counts from 0."""
    words = ops.convert_to_tensor(noise.split_seed(seed))
    draws = [noise.Draw((place,), flat=False) for place in noise.places_of([tuple(shape) for shape in shapes])]
    return [ops.convert_to_numpy(noise.sample(words, update, draw)) for draw in draws]


def normal(seed: int, update: int, shape: tuple[int, ...]) -> np.ndarray:
    """Like `normals`, for the first variable."""
    return normals(seed, update, [shape])[0]


def sparse(gradient: np.ndarray):
    """Returns a gradient with zero rows like an `Embedding`'s: `tf.IndexedSlices` on TensorFlow, otherwise dense."""
    return _SPARSE[BACKEND](gradient)


def _indexed_slices(gradient):
    import tensorflow as tf

    rows = np.flatnonzero(gradient.any(axis=1))
    return tf.IndexedSlices(tf.constant(gradient[rows]), tf.constant(rows), tf.constant(gradient.shape))


_SPARSE = {"tensorflow": _indexed_slices, "jax": ops.convert_to_tensor, "torch": ops.convert_to_tensor}


def double_precision():
    """A context in which float64 variables are float64; JAX needs its x64 mode for this."""
    return _DOUBLE_PRECISION[BACKEND]()


def _jax_x64():
    import jax

    return jax.enable_x64(True)


_DOUBLE_PRECISION = {
    "tensorflow": contextlib.nullcontext,
    "jax": _jax_x64,
    "torch": contextlib.nullcontext,
}


@keras.saving.register_keras_serializable(package="tests")
def is_second(layer_path: str) -> bool:
    """A callable for `layers` that Keras can save."""
    return layer_path.endswith("second")


def argument_name(argument) -> str:
    """Returns a parameter's name for test ids; also for a function it is the same in every process."""
    return getattr(argument, "__name__", None) or str(argument)
