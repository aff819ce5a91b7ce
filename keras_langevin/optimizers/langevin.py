"""The machinery that every Langevin optimizer shares."""

import inspect
import itertools
import numbers
import random
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from keras_langevin import keras_internals, reading
from keras_langevin.optimizers import noise as noise_source
from keras_langevin.optimizers.gate import LayerGate
from keras_langevin.optimizers.selection import LayerGroup, LayerSelection, record_of
from keras_langevin.optimizers.state import NoiseState, Parent, assign_all, part_of_a_load
from keras_langevin.values import LARGEST, is_level

keras_internals.check()  # before anything is made of what a Keras release may have moved

# Variables of at most so many elements are drawn together: a draw for each costs more to compile and to launch than to
# compute. A round number, not tuned.
_POOL_LIMIT = 1 << 16
# The blocks of the noise's counter that a part of a `MultiOptimizer` has, of 2³² in all: more than any part fills.
_PART_BLOCKS = 1 << 16


class Langevin:
    """Adds Langevin noise to a Keras optimizer: a mixin, to be named before the optimizer.

        θ_t = [the parent's own step] + 1{i ∈ J} · σ_t · √γ_t · √P_t ⊙ Z_t,   Z_t ~ N(0, I)

    with learning rate γ, noise level σ, the parent's diagonal preconditioner P (the factor by which the parent
    multiplies its direction: step = −γ_t · P_t ⊙ direction) and the set J of noisy variables. A subclass defines
    `preconditioner`, and nothing else. A weight that the loss does not reach gets no noise; one whose gradient is zero
    does. Z is a pure function of (seed, update, variable, element), so that equal seeds give equal weights, also after
    a restart and on every replica.

    Args:
        *args: The parent's arguments.
        sigma: The noise level σ: float >= 0, a `keras.optimizers.schedules.LearningRateSchedule`, or a callable
            without arguments. Like `learning_rate` it can be read and set as `optimizer.sigma`, and a schedule sees
            the learning-rate schedule's step counter. A number that is set acts at the next step; a schedule that is
            set, as one of the learning rate, after the step was compiled does not act before
            `model.train_function = None`. Defaults to `1e-3`.
        layers: Which layers are noisy (Layer Langevin): `None` (all), a float in [0, 1] (that fraction of the layers
            with trainable weights, in the order of `model.trainable_variables`, rounded to nearest, at least one when
            > 0), an int (the first k), a name, a regular expression, a `keras.Layer`, a list of names, expressions,
            indices and layers, or a callable `f(layer_path) -> bool`. `docs/layers.md` says what counts as a layer, and
            what becomes of the choice when a model is saved. Defaults to `None`.
        seed: int in [0, 2⁶⁴), or `None` to draw one from Python's `random` (which
            `keras.utils.set_random_seed` sets). Two optimizers with one seed have the same noise, so give those of a
            GAN different ones; the parts of a `MultiOptimizer` have noise of their own. Defaults to `None`.
        noise: The law of Z: `"normal"`, or `"rademacher"`, which is ±1 with equal weight and cheaper to draw. Its mean,
            variance and third moment are those of a normal number, so that with small steps the law of θ has the same
            weak order 1; the law of a single step is not normal. Defaults to `"normal"`.
        **kwargs: The parent's arguments. Where the parent has an `epsilon`, it defaults to `1e-6` and not to Keras's
            `1e-7`: where a gradient is zero for long, ε alone bounds the noise. A fair comparison has equal ε in both
            arms: `without_noise()` makes the other one.

    Raises:
        ValueError: `sigma`, `layers`, `seed` or `noise` is out of its range. What only the model can tell (a name that
            matches no layer, more layers than there are) is raised when the optimizer is built, before any step.

    Example:

    >>> import keras, keras_langevin
    >>> @keras.saving.register_keras_serializable(package="my_package")
    ... class LNadam(keras_langevin.Langevin, keras.optimizers.Nadam):
    ...     def preconditioner(self, variable, before):
    ...         velocity = self.slot(self._velocities, variable)
    ...         return 1 / (velocity**0.5 + self.epsilon)
    >>> LNadam(1e-3, sigma=1e-4, seed=0).epsilon
    1e-06

    References:
        P. Bras, Langevin algorithms for very deep neural networks with application to image classification,
        arXiv:2212.14718, equation (3) and algorithm 1. G. N. Milstein and M. V. Tretyakov, Stochastic Numerics for
        Mathematical Physics, Springer 2004, section 2.1 (for ±1).
    """

    default_epsilon = 1e-6
    # Whether an element of P depends on the same element of the slots alone. Then P is computed for all small variables
    # at once, and `preconditioner` and `before_step` are given a pool of them, of which `slot` is flat.
    elementwise_preconditioner = False
    # The parent's arguments that the class has another argument for.
    replaced_arguments: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__signature__ = _signature(cls)

    def __init__(self, *args, sigma=1e-3, layers=None, seed: int | None = None, noise: str = "normal", **kwargs):
        _check_sigma(sigma)
        _check_law(noise)
        selection = layers if isinstance(layers, LayerSelection) else LayerSelection(layers)
        seed = random.getrandbits(63) if seed is None else _checked_seed(seed)
        parent_arguments = _parent_parameters(type(self))
        if "epsilon" in parent_arguments and list(parent_arguments).index("epsilon") >= len(args):
            kwargs.setdefault("epsilon", self.default_epsilon)

        super().__init__(*args, **kwargs)
        self._noise = noise
        self.selection = selection
        self._groups = self._chosen = None
        self._gate = None
        self._is_gated = False
        self._readers = {}
        self._part = 0
        self.reach = None
        self.last_update = None
        self._zeros = {}
        self._seed = self._setting_variable("seed", noise_source.split_seed(seed), "int32")
        self._sigma = sigma if callable(sigma) else self._setting_variable("sigma", sigma, keras.config.floatx())
        self.noise_state = NoiseState(self.name, type(self).__name__, self.own_variables, lambda: self.built)

    # --- what a subclass defines ------------------------------------------------------------------------------------

    def preconditioner(self, variable, before):
        """P_t, read from the parent's slots after its step.

        Args:
            variable: the variable to be updated, or a pool of variables where the class says that its preconditioner is
                elementwise; `self.slot(slots, variable)` reads one of its slots.
            before: what `before_step` returned.

        Returns:
            Tensor of the variable's shape, or a number.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `preconditioner(self, variable, before)`, which returns the factor by "
            "which its parent multiplies the gradient direction."
        )

    def before_step(self, variable):
        """What `preconditioner` needs from before the parent's step. Defaults to nothing."""
        return None

    def gradient_averages(self) -> "list[GradientAverage]":
        """Where the parent keeps averages of the gradient, for `LangevinMonitor`. Defaults to nowhere."""
        return []

    def parent_step(self, variable, preconditioner):
        """γP times the parent's last direction, read from its slots after the step, for `LangevinMonitor`; `None` where
        the direction is the gradient itself, or is not in the slots. Defaults to `None`."""
        return None

    # --- helpers for subclasses -------------------------------------------------------------------------------------

    def slot(self, slots, variable):
        """The slot of `variable` as a tensor, in the precision of the noise: float64 for a float64 variable, else
        float32. (Keras makes no slot for a variable that it overwrites with its gradient: zeros.)"""
        slots = self._with_zeros(slots)
        if isinstance(variable, _Pool) and variable.is_outside:
            slot = ops.convert_to_tensor(self.read([slots[index] for index in variable.indices]))
        elif isinstance(variable, _Pool):
            slot = noise_source.concatenate([slots[index].value for index in variable.indices])
        elif isinstance(variable, _Piece):
            slot = ops.reshape(slots[variable.index].value, [-1])[variable.span]
        else:
            slot = slots[self._get_variable_index(variable)].value
        return ops.cast(slot, _noise_dtype(variable))

    def pool_of(self, indices) -> "_Pool":
        """Variables of a built optimizer, by their numbers in it, as one pool; for use outside of a step."""
        places = tuple(self._places[index] for index in indices)
        members = [self._trainable_variables[index] for index in indices]
        return _Pool(members, tuple(indices), noise_source.Draw(places, True, self.noise), is_outside=True)

    def read(self, variables) -> np.ndarray:
        """The elements of variables of the model or of its own in one flat array, a copy; for use outside of a step."""
        variables = self._with_zeros(variables)
        key = tuple(map(id, variables))
        if key not in self._readers:
            self._readers[key] = noise_source.reader(variables)
        return self._readers[key]()

    def _with_zeros(self, slots) -> list:
        """Slots, with zeros for each that Keras did not make."""
        if all(slot is not None for slot in slots):
            return slots
        for index, slot in enumerate(slots):
            if slot is None and index not in self._zeros:
                self._zeros[index] = _Zeros(np.zeros(tuple(self._trainable_variables[index].shape), "float32"))
        return [self._zeros[index] if slot is None else slot for index, slot in enumerate(slots)]

    def update_count(self, variable):
        """t = 1, 2, ..., the number of the update under way, in the precision of the noise."""
        return ops.cast(self.iterations + 1, _noise_dtype(variable))

    # --- what users read and set ------------------------------------------------------------------------------------

    @property
    def sigma(self):
        """The noise level σ, as `learning_rate`: a variable, or the schedule's present value."""
        if isinstance(self._sigma, LearningRateSchedule):
            return self._sigma(self._iterations)
        if isinstance(self._sigma, keras.Variable):
            return self._sigma
        return self._sigma()

    @sigma.setter
    def sigma(self, sigma):
        _check_sigma(_value_of(sigma))
        previous = self._sigma
        if callable(sigma):
            self._sigma = sigma
            if isinstance(previous, keras.Variable):
                self._untrack_variable(previous)
        elif isinstance(previous, keras.Variable):
            previous.assign(sigma)
        else:
            raise TypeError(
                "`sigma` can be set to a number only where it is one. "
                f"Received: sigma={sigma!r} for an optimizer whose `sigma` is {previous!r}, given to it or set by "
                "`CyclicalLangevin`. Set another schedule, or create a new optimizer with a float `sigma`."
            )

    @property
    def seed(self) -> int:
        """The seed of the noise. Setting it takes effect at the next step, without a new trace."""
        return noise_source.join_seed(ops.convert_to_numpy(self._seed))

    @seed.setter
    def seed(self, seed: int):
        self._seed.assign(noise_source.split_seed(_checked_seed(seed)))

    @property
    def noise(self) -> str:
        """The law of the noise. It can be set until the optimizer is built."""
        return self._noise

    @noise.setter
    def noise(self, noise: str):
        _check_law(noise)
        if self.built:
            raise ValueError(
                "`noise`, the law of the noise, can be set before the optimizer is built. "
                f"Received: noise={noise!r} for a built optimizer. Create another one, with `noise={noise!r}`."
            )
        self._noise = noise

    @property
    def layers(self):
        """The `layers` argument, or what was set. After the optimizer is built it can be set where `gate_layers` was
        called (the callback `LayerSchedule` does); then it takes effect at the next step, without a new trace."""
        return self.selection.layers

    @layers.setter
    def layers(self, layers):
        if self.built and self._gate is None:
            raise ValueError(
                "`layers` can be set before the optimizer is built, or where a gate lets it change between steps. "
                f"Received: layers={layers!r} for a built optimizer without one. Use the callback "
                "`keras_langevin.LayerSchedule`, or call `optimizer.gate_layers()` before the step is compiled."
            )
        selection = LayerSelection(layers)
        if self.built:
            self._gate.set(selection.choose(self._groups, self._trainable_variables))
        self.selection = selection

    @property
    def is_gated(self) -> bool:
        """Whether `gate_layers` was called."""
        return self._is_gated

    def gate_layers(self):
        """Makes `layers` settable between steps, without a new trace: by a variable with a number for each layer, which
        a step reads. From then on every layer's noise is drawn, also that of layers that don't get it. A step that was
        compiled before does not read it (`model.train_function = None` has Keras make another)."""
        self._is_gated = True
        if self.built and self._gate is None:
            self._add_gate(self._chosen)

    @property
    def noisy_layers(self) -> tuple[str, ...]:
        """Paths of the layers that get noise, in the model's order. There once the optimizer is built."""
        if self._groups is None:
            raise ValueError(
                "`noisy_layers` is known once the optimizer is built. Call `model.fit`, or "
                "`optimizer.build(model.trainable_variables)`, or see `keras_langevin.describe(model)`."
            )
        return tuple(group.path for group in self.noisy_groups)

    @property
    def noisy_groups(self) -> list[LayerGroup]:
        """As `noisy_layers`, with the places of their variables."""
        return list(self._chosen if self._gate is None else self._gate.open())

    def chosen(self, groups: list[LayerGroup], variables) -> list[LayerGroup]:
        """Those of `groups`, as made from `variables`, that get noise, with those of their variables that do.

        A built optimizer has chosen, whatever `layers` would choose now that layers are frozen or added."""
        noisy = {index for group in self.noisy_groups for index in group.indices} if self.built else set()
        places = {id(variable): index for index, variable in enumerate(self._trainable_variables)} if self.built else {}
        if any(id(variable) in places for variable in variables):
            noisy = {i for i, variable in enumerate(variables) if places.get(id(variable)) in noisy}
        else:
            noisy = {i for group in self.selection.resolve(variables)[1] for i in group.indices}
        parts = [LayerGroup(group.path, tuple(i for i in group.indices if i in noisy)) for group in groups]
        return [group for group in parts if group.indices]

    # --- files of weights -------------------------------------------------------------------------------------------

    def without_noise(self) -> keras.optimizers.Optimizer:
        """A new optimizer that takes the same step without noise: the parent, with equal arguments, ε among them. It is
        what this optimizer is to be compared with.

        Example:

        >>> from keras_langevin import LAdam
        >>> adam = LAdam(1e-3, sigma=1e-3).without_noise()
        >>> type(adam).__name__, adam.epsilon
        ('Adam', 1e-06)
        """
        return _parent_class(type(self)).from_config(self._parent_config())

    def _parent_config(self) -> dict[str, Any]:
        config = _parent_class(type(self)).get_config(self)
        del config["name"]
        if callable(self._learning_rate):
            config["learning_rate"] = self._learning_rate  # as it is: a function need not be serializable for this
        return config

    def own_variables(self) -> dict[str, keras.Variable]:
        """The variables beyond the parent's, by name."""
        own = {"seed": self._seed}
        if isinstance(self._sigma, keras.Variable):
            own["sigma"] = self._sigma
        if self._gate is not None:
            own["layer_gate"] = self._gate.variable
        return own

    def _parent_variables(self) -> list[keras.Variable]:
        own = set(map(id, self.own_variables().values()))
        return [variable for variable in self.variables if id(variable) not in own]

    def save_own_variables(self, store):
        for number, variable in enumerate(self._parent_variables()):
            store[str(number)] = ops.convert_to_numpy(variable)

    @part_of_a_load
    def load_own_variables(self, store):
        """Loads the parent's variables, if all of them fit. `noise_state`, which Keras loads next, goes along."""
        variables = self._parent_variables()
        count = len(store.keys())
        if count != len(variables):
            is_new = self.built and count == self._count_before_build and int(store["0"]) == 0
            self.noise_state.follow(Parent.NEW if is_new else Parent.SKIPPED)
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(variables)} variables "
                f"whereas the saved optimizer has {count} variables."
                + (" Seed and sigma are loaded: the saved optimizer was not built." if is_new else "")
                + ("" if self.built else " This optimizer is not built yet."),
                stacklevel=3,
            )
            return
        self.noise_state.follow(Parent.SKIPPED)
        values = [store[str(number)] for number in range(count)]
        for variable, value in zip(variables, values, strict=True):
            if tuple(variable.shape) != np.shape(value):
                raise ValueError(
                    f"A file for optimizer '{self.name}' must be of a model with the same weights, hence "
                    f"{variable.path!r} of shape {tuple(variable.shape)}. Received: a value of shape {np.shape(value)}."
                    " Nothing of the optimizer is loaded. Load the file into the model that it was saved with, or pass "
                    "`skip_mismatch=True` to go on without."
                )
        before = [np.array(ops.convert_to_numpy(variable)) for variable in variables]
        assign_all(variables, values)
        self.noise_state.follow(Parent.LOADED, lambda: assign_all(variables, before))

    # --- the optimizer's life, in order -----------------------------------------------------------------------------

    def build(self, variables):
        if self.built:
            return
        groups, chosen = self.selection.resolve(variables)
        self._count_before_build = len(self._parent_variables())
        super().build(variables)
        self._groups, self._chosen = groups, chosen
        self._noisy_indices = frozenset(index for group in chosen for index in group.indices)
        self._set_places()
        if self._is_gated:
            self._add_gate(chosen)

    def _set_places(self):
        places = noise_source.places_of([tuple(variable.shape) for variable in self._trainable_variables])
        first = self._part * _PART_BLOCKS
        self._places = [place._replace(block=first + place.block) for place in places]
        self._draws = {}

    def become_part(self, number: int):
        """Makes a built optimizer one of the Langevin parts of a `MultiOptimizer`. Each part has its own range of the
        noise's counter, so that two of them are independent, even with one seed.

        Args:
            number: int, its number among them. The first has the noise of an optimizer by itself.
        """
        if self.built and number != self._part:
            self._part = number
            self._set_places()

    def _add_gate(self, chosen):
        self._gate = LayerGate(
            self._setting_variable("layer_gate", np.zeros(len(self._groups)), "float32"), self._groups
        )
        self._gate.set(chosen)
        self._noisy_indices = frozenset(index for group in self._groups for index in group.indices)
        self._draws = {}

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        self._check_fits(trainable_variables)
        return super().stateless_apply(optimizer_variables, grads, trainable_variables)

    def _check_fits(self, weights):
        """Whether weights are those of the model that the optimizer was built for. On JAX, where a step gets them as
        arrays, Keras looks at their count alone, and a changed layer would end in an error of shapes, far from here."""
        if not self.built:
            return  # Keras says so
        variables = self._trainable_variables
        shapes = [tuple(weight.shape) for weight in weights]
        if shapes == [tuple(variable.shape) for variable in variables]:
            return
        pairs = itertools.zip_longest(variables, shapes)
        built, found = next(pair for pair in pairs if pair[0] is None or tuple(pair[0].shape) != pair[1])
        expected = "no further weight" if built is None else f"{built.path!r} of shape {tuple(built.shape)}"
        received = "this one missing" if found is None else f"this one of shape {found}"
        raise ValueError(
            f"{type(self).__name__} was built for {len(variables)} weights, and expected {expected} here. "
            f"Received: {len(shapes)} weights, {received}. A layer was changed, added or removed since, or the "
            "optimizer belongs to another model: compile the model with a new optimizer."
        )

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        reach, self.reach = self.reach, None
        reached = reach.of(trainable_variables) if reach else trainable_variables
        updated = frozenset(map(self._get_variable_index, trainable_variables))
        self.last_update = Update(updated, self._noisy_indices.intersection(map(self._get_variable_index, reached)))
        if noise_source.is_distributed(self):
            super()._backend_update_step(grads, trainable_variables, learning_rate)  # the noise comes in `update_step`
            return
        pools = self._pools(reached)
        before = [self._before_steps(pool) for pool in pools]
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for pool, before_steps in zip(pools, before, strict=True):
            self._add_noise(pool, before_steps, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        if not (noise_source.is_distributed(self) and self._is_noisy(variable)):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        pool = _Pool([variable], (index,), noise_source.Draw((self._places[index],), False, self.noise))
        before = self._before_steps(pool)
        super().update_step(gradient, variable, learning_rate)
        self._add_noise(pool, before, learning_rate)

    def _is_noisy(self, variable) -> bool:
        return self._get_variable_index(variable) in self._noisy_indices

    def _pools(self, variables) -> "list[_Pool]":
        """The noisy ones of `variables`, by what is drawn at once: small ones of the same precision, and each large one
        alone."""
        indices = tuple(map(self._get_variable_index, variables))
        if indices not in self._draws:
            self._draws[indices] = self._draws_of(variables, indices)
        return [_Pool([variables[i] for i in positions], *rest) for positions, *rest in self._draws[indices]]

    def _draws_of(self, variables, indices) -> list[tuple[tuple[int, ...], tuple[int, ...], noise_source.Draw]]:
        """(positions in `variables`, indices in the optimizer, draw) of each pool."""
        noisy = [position for position, index in enumerate(indices) if index in self._noisy_indices]
        draws = []
        for dtype in dict.fromkeys(_noise_dtype(variables[position]) for position in noisy):
            positions = [position for position in noisy if _noise_dtype(variables[position]) == dtype]
            places = [self._places[indices[position]] for position in positions]
            for chosen in noise_source.pooled(places, _POOL_LIMIT):
                draw = noise_source.Draw(tuple(places[i] for i in chosen), len(chosen) > 1, self.noise)
                members = tuple(positions[i] for i in chosen)
                draws.append((members, tuple(indices[position] for position in members), draw))
        return draws

    def _parts(self, pool: "_Pool") -> list:
        """What P is computed for at once: the pool, where the class allows it and the backend gains by it; else each
        member."""
        together = self.elementwise_preconditioner and noise_source.POOLS_PRECONDITIONERS and len(pool.members) > 1
        return [pool] if together else pool.members

    def _before_steps(self, pool: "_Pool") -> list:
        return [self.before_step(part) for part in self._parts(pool)]

    def _add_noise(self, pool: "_Pool", before: list, learning_rate):
        dtype = _noise_dtype(pool)
        noise_source.add_noise(
            self,
            pool.members,
            pool.draw,
            ops.convert_to_tensor(self._seed),
            ops.convert_to_tensor(self.iterations),
            ops.cast(self.sigma, dtype) * ops.sqrt(ops.cast(learning_rate, dtype)),
            _Preconditioner(self, pool, self._parts(pool), before),
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        sigma = self._sigma
        if isinstance(sigma, keras.Variable):
            sigma = reading.number(sigma)
        else:
            sigma = keras.saving.serialize_keras_object(sigma)
        record = record_of(self._trainable_variables, self._groups, self.noisy_groups) if self.built else None
        layers = self.selection.get_config(record)
        config.update({"sigma": sigma, "layers": layers, "seed": self.seed, "noise": self.noise})
        if self._is_gated:
            config["is_gated"] = True
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        if isinstance(config.get("sigma"), dict):
            config["sigma"] = keras.saving.deserialize_keras_object(config["sigma"], custom_objects=custom_objects)
        if "layers" in config:
            config["layers"] = LayerSelection.from_config(config["layers"], custom_objects)
        is_gated = config.pop("is_gated", False)
        optimizer = super().from_config(config, custom_objects=custom_objects)
        optimizer._is_gated = is_gated
        return optimizer

    def _setting_variable(self, name, value, dtype):
        # As Keras makes `iteration` and `learning_rate`: tracked, before the optimizer is built.
        with keras.name_scope(self.name, caller=self):
            variable = keras.Variable(value, dtype=dtype, trainable=False, name=name, aggregation="only_first_replica")
        self._track_variable(variable)
        return variable


@dataclass(frozen=True)
class Update:
    """What the step that was traced last does; where steps are not traced, what the last one did.

    Attributes:
        updated: frozenset of ints, the variables that the parent updates, by their numbers in the optimizer.
        noisy: frozenset of ints, those that get noise (where their layer's gate is open).
    """

    updated: frozenset
    noisy: frozenset


class Reach:
    """Which variables a loss reaches, noted on JAX while it is differentiated.

    Attributes:
        keys: set of `id(variable)`.
    """

    def __init__(self):
        self.keys: set[int] = set()

    def of(self, variables) -> list:
        """Those of `variables` that are reached; all of them, if nothing was noted."""
        return [variable for variable in variables if id(variable) in self.keys] if self.keys else list(variables)


class GradientAverage(NamedTuple):
    """A slot of the parent that a step changes by s ← decay · s + weight · g^power.

    Attributes:
        slots: list of variables, one for each of the optimizer's.
        decay: float.
        weight: float.
        power: int, 1 or 2.
        has_noise: bool, whether the noise of a step is added to the slot too.
    """

    slots: list
    decay: float
    weight: float
    power: int
    has_noise: bool = False


class _Pool:
    """Variables whose noise is drawn at once.

    Args:
        members: list of variables of the same precision.
        indices: tuple of ints, their numbers in the optimizer.
        draw: `noise_source.Draw`.
        is_outside: bool, whether it is looked at outside of a step, where an operation on each member would be a kernel
            of its own. Defaults to `False`.
    """

    def __init__(self, members, indices, draw, is_outside: bool = False):
        self.members = members
        self.indices = indices
        self.draw = draw
        self.is_outside = is_outside
        self.dtype = members[0].dtype


class _Zeros:
    """What stands for a slot that Keras did not make.

    Args:
        zeros: array of the variable's shape.
    """

    def __init__(self, zeros: np.ndarray):
        self._zeros = zeros

    @property
    def value(self):
        return ops.convert_to_tensor(self._zeros)


class _Piece:
    """Neighbouring elements of a variable, flat.

    Args:
        variable: the variable.
        index: int, its number in the optimizer.
        span: slice.
    """

    def __init__(self, variable, index: int, span: slice):
        self.index = index
        self.span = span
        self.dtype = variable.dtype


class _Preconditioner:
    """P of what is drawn at once, in the forms that a backend may want it in.

    Args:
        optimizer: the optimizer.
        pool: the pool.
        parts: what P is computed for at once, see `Langevin._parts`.
        before: list, what `before_step` returned for each part.
    """

    def __init__(self, optimizer, pool: _Pool, parts: list, before: list):
        self._optimizer = optimizer
        self._pool = pool
        self._parts = parts
        self._before = before
        self._whole = None

    def of_member(self, number: int):
        """P of one of the parts; that is of one variable, where the backend does not pool preconditioners."""
        return self._of(self._parts[number], self._before[number], self._pool.indices[number])

    def whole(self):
        """P of the pool's draw, or a scalar."""
        factors = [self.of_member(number) for number in range(len(self._parts))]
        if len(factors) == 1:
            return factors[0]
        factors = zip(factors, self._pool.draw.places, strict=True)
        return noise_source.concatenate([ops.broadcast_to(factor, place.shape) for factor, place in factors])

    def piece(self, span: slice):
        """P of neighbouring elements of the pool's one variable, flat, or a scalar."""
        if self._optimizer.elementwise_preconditioner:
            (variable,), (index,), (before,) = self._pool.members, self._pool.indices, self._before
            return self._of(_Piece(variable, index, span), _piece_of(before, span), index)
        self._whole = self.whole() if self._whole is None else self._whole
        return _piece_of(self._whole, span)

    def _of(self, part, before, index: int):
        factor = ops.cast(self._optimizer.preconditioner(part, before), _noise_dtype(self._pool))
        return factor if self._optimizer._gate is None else self._gated(factor, part, index)

    def _gated(self, factor, part, index: int):
        """P, or 0 where the layer's gate is closed."""
        gate = self._optimizer._gate
        if isinstance(part, _Pool):
            shapes = [place.shape for place in part.draw.places]
            switches = [ops.broadcast_to(gate.of(i), shape) for i, shape in zip(part.indices, shapes, strict=True)]
            is_open = noise_source.concatenate(switches)
        else:
            is_open = gate.of(index)
        return ops.where(is_open, factor, ops.zeros_like(factor))


def _piece_of(values, span: slice):
    """The same of each tensor in a structure, where it isn't a scalar."""
    return keras.tree.map_structure(
        lambda value: ops.reshape(value, [-1])[span] if ops.is_tensor(value) and value.shape else value, values
    )


def fused(parent: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """The class that Keras makes an instance of when `parent` is called: on PyTorch a subclass that updates all
    variables at once, elsewhere `parent`. (A subclass of `parent` alone would lose that.)"""
    return type(parent.__new__(parent))


def _noise_dtype(variable) -> str:
    return "float64" if keras.backend.standardize_dtype(variable.dtype) == "float64" else "float32"


def _check_sigma(sigma):
    largest = float(np.finfo("float16").max) if keras.config.floatx() == "float16" else LARGEST
    if not (callable(sigma) or (is_level(sigma) and sigma <= largest)):
        raise ValueError(
            f"`sigma`, the noise level, must be a finite float >= 0 (at most {largest:.3g}), a `LearningRateSchedule` "
            f"or a callable without arguments. Received: sigma={str(repr(sigma))[:80]}"
        )


def _check_law(noise):
    if noise not in noise_source.LAWS:
        laws = " or ".join(map(repr, noise_source.LAWS))
        raise ValueError(f"`noise`, the law of the noise, must be {laws}. Received: noise={noise!r}")


def _value_of(sigma):
    """A tensor's or a variable's value; 0 where it is not known, while a step is traced."""
    if not (ops.is_tensor(sigma) or isinstance(sigma, keras.Variable)):
        return sigma
    try:
        value = ops.convert_to_numpy(sigma)
    except Exception:  # each backend has its own error for a symbolic tensor
        return 0.0
    return value.item() if value.size == 1 and not value.shape else value


def _checked_seed(seed) -> int:
    if not isinstance(seed, numbers.Integral) or isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise ValueError(f"`seed` must be an int in [0, 2**64), or None. Received: seed={seed!r}")
    return int(seed)


def _parent_class(cls) -> type[keras.optimizers.Optimizer]:
    """The optimizer that `cls` adds noise to."""
    following = cls.__mro__[cls.__mro__.index(Langevin) + 1 :]
    return next(base for base in following if "__init__" in vars(base))


def _parent_parameters(cls) -> dict[str, inspect.Parameter]:
    """Its arguments."""
    return _parameters(_parent_class(cls).__init__)


def _parameters(method) -> dict[str, inspect.Parameter]:
    return {name: p for name, p in inspect.signature(method).parameters.items() if name != "self"}


def _signature(cls) -> inspect.Signature:
    """The parent's arguments and the class's own, so that `help` and editors show them all."""
    own = {}
    for base in reversed(cls.__mro__[: cls.__mro__.index(Langevin) + 1]):
        if "__init__" in vars(base):
            parameters = _parameters(base.__init__)
            takes_more = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
            own = own | parameters if takes_more else parameters
    if not takes_more:
        return inspect.Signature(own.values())
    parents = {name: p for name, p in _parent_parameters(cls).items() if name not in {*own, *cls.replaced_arguments}}
    if "epsilon" in parents:
        parents["epsilon"] = parents["epsilon"].replace(default=cls.default_epsilon)
    variadic = [p for p in _parent_parameters(cls).values() if p.kind is p.VAR_KEYWORD]
    leading = [p for p in own.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    ordinary = [p for p in parents.values() if p.kind is not p.VAR_KEYWORD]
    return inspect.Signature(leading + ordinary + [p for p in own.values() if p.kind is p.KEYWORD_ONLY] + variadic)
