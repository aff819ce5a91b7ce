"""The mixin that turns a Keras optimizer into a Langevin optimizer: how a step adds noise."""

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import ops

from keras_langevin import keras_internals
from keras_langevin.optimizers import noise as noise_source
from keras_langevin.optimizers.arguments import Law, Level, spelled_out
from keras_langevin.optimizers.draws import Preconditioner, draws_of, noise_dtype, slot_of
from keras_langevin.optimizers.noisy_layers import NoisyLayers
from keras_langevin.optimizers.parent import (
    arguments_of,
    check_by_place,
    check_known,
    parent_class,
    parent_parameters,
    signature,
)
from keras_langevin.optimizers.selection import LayersArgument, LayerSelection
from keras_langevin.optimizers.settings import NoiseSettings
from keras_langevin.optimizers.state import SavedState

keras_internals.check()  # first, because a Keras release may have moved what is used below

# The noise's counter has 2³² blocks. Each part of a `MultiOptimizer` has this many, more than it needs.
_PART_BLOCKS = 1 << 16


class Update(NamedTuple):
    """The variables that the latest traced step changes, or the latest step if steps are not traced.

    Attributes:
        updated: frozenset of ints, the numbers of the variables that the parent updates.
        drawn: frozenset of ints, the numbers of those that noise is drawn for. They get it if their gate is open.
    """

    updated: frozenset[int]
    drawn: frozenset[int]


class Langevin(NoiseSettings, NoisyLayers, SavedState):
    """A mixin that adds Langevin noise to a Keras optimizer. Name it before the optimizer.

        θ_t = [the parent's own step] + 1{i ∈ J} · σ_t · √γ_t · √P_t ⊙ Z_t,   Z_t ~ N(0, I)

    J is the set of noisy layers. P is the parent's diagonal preconditioner: its step is −γ_t · P_t ⊙ direction. The
    same seed gives the same noise. docs/how-it-works.md explains the details and how to write a subclass.

    Args:
        *args: the parent's arguments.
        sigma: σ, the noise level: float >= 0, `LearningRateSchedule`, or callable without arguments. You can set
            `optimizer.sigma` during training, like `learning_rate`. Defaults to `1e-3`.
        layers: the noisy layers: `None` (all), a float in [0, 1] (that fraction, from the input side), an int (the
            first k), a name, a regular expression, a `keras.Layer`, a list of names, indices and layers, or a callable
            `f(layer_path) -> bool`. docs/layers.md says what counts as a layer. Defaults to `None`.
        seed: int in [0, 2⁶⁴), or `None` to draw one, which `keras.utils.set_random_seed` fixes. Defaults to `None`.
        noise: the distribution of Z: `"normal"`, or `"rademacher"` for ±1, which is cheaper. Defaults to `"normal"`.
        **kwargs: the parent's arguments. `epsilon` defaults to `1e-6` instead of Keras's `1e-7`.

    Raises:
        ValueError: an argument is out of range, or `layers` does not fit the model when the optimizer is built.

    Example:

    >>> import keras, keras_langevin
    >>> @keras.saving.register_keras_serializable(package="my_package")
    ... class MyLAdam(keras_langevin.Langevin, keras.optimizers.Adam, slots=("_velocities",)):
    ...     def preconditioner(self, t, v):
    ...         return (1 - self.beta_2**t) ** 0.5 / (v**0.5 + self.epsilon)
    >>> MyLAdam(1e-3, sigma=1e-4, seed=0).epsilon
    1e-06

    References:
        P. Bras, arXiv:2212.14718, equation (3) and algorithm 1.
    """

    # Methods of `keras.optimizers.Optimizer` that this class and its bases override:
    #   _backend_update_step   the parent's step of all variables, then the noise
    #   update_step            the same for one variable, if TensorFlow distributes copies of it
    #   build                  chooses the noisy layers, and gives each variable its place in the noise
    #   stateless_apply        refuses weights of another model (JAX)
    #   get_config, from_config                     the settings of the noise
    #   save_own_variables, load_own_variables      keep the parent's state apart from the noise's (`SavedState`)

    _slots: tuple[str, ...] = ()
    _slots_before: tuple[str, ...] = ()
    _is_elementwise = True
    # Arguments of the parent with another default here. If a gradient stays zero, only ε bounds the noise.
    _defaults: dict[str, object] = {"epsilon": 1e-6}
    # Arguments of the parent that the class sets itself and hides.
    _replaced_arguments: tuple[str, ...] = ()

    def __init_subclass__(cls, slots=None, slots_before=None, elementwise: bool | None = None, **kwargs):
        super().__init_subclass__(**kwargs)
        given = {"_slots": slots, "_slots_before": slots_before, "_is_elementwise": elementwise}
        for name, value in given.items():
            if value is not None:
                setattr(cls, name, value)
        cls.__signature__ = signature(cls, Langevin)
        cls.__doc__ = spelled_out(vars(cls).get("__doc__"))

    if not TYPE_CHECKING:  # editors read `__init__`

        def __new__(cls, *args, **kwargs):
            check_by_place(cls, args)
            return super().__new__(cls)

    def __init__(
        self,
        *args: Any,
        sigma: Level = 1e-3,
        layers: LayersArgument = None,
        seed: int | None = None,
        noise: Law = "normal",
        **kwargs: Any,
    ):
        self._check_settings(sigma, seed, noise)
        selection = layers if isinstance(layers, LayerSelection) else LayerSelection(layers)
        of_parent = list(parent_parameters(type(self), Langevin))
        for argument in set(self._defaults) & set(of_parent[len(args) :]):
            kwargs.setdefault(argument, self._defaults[argument])
        try:
            super().__init__(*args, **kwargs)
        except (TypeError, ValueError) as error:
            check_known(type(self), kwargs, error)
            raise
        self._part = 0
        self._reach = self._last_update = None
        self._set_layers(selection)
        self._set_settings(sigma, seed, noise)
        self._add_noise_state()

    def preconditioner(self, t: Any, *slots: Any) -> Any:
        """Returns P_t. Subclasses define it.

        Args:
            t: scalar tensor, the number of the current update: 1, 2, ...
            *slots: tensors, first the class's `slots` as they are after the parent's step, then its `slots_before` as
                they were before it. They belong to one variable and have the shapes that the parent gave them. If the
                class is elementwise, they may be flat and belong to many variables. A slot is `None` if the parent does
                not keep it with its present arguments.

        Returns:
            Tensor of the slots' shape, or a number.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `preconditioner(self, t, *slots)`, which returns the factor by which "
            "its parent multiplies the gradient direction."
        )

    @classmethod
    def _parent_class(cls) -> type[keras.optimizers.Optimizer]:
        return parent_class(cls, Langevin)

    def _without_noise(self) -> keras.optimizers.Optimizer:
        parent = self._parent_class()
        return parent.from_config(arguments_of(self, parent))

    # --- the step ---------------------------------------------------------------------------------------------------

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Takes the parent's step, then adds the noise."""
        reach, self._reach = self._reach, None
        reached = reach.of(trainable_variables) if reach else trainable_variables
        noisy = {self._get_variable_index(variable): variable for variable in reached if self._is_noisy(variable)}
        self._last_update = Update(frozenset(map(self._get_variable_index, trainable_variables)), frozenset(noisy))
        if noise_source.is_distributed(self):
            super()._backend_update_step(grads, trainable_variables, learning_rate)  # `update_step` adds the noise
            return
        draws = self._draws(noisy)
        before = [self._before(indices) for indices, _ in draws]
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for (indices, draw), slots in zip(draws, before, strict=True):
            self._add_noise([noisy[index] for index in indices], indices, draw, slots, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        """Takes the parent's step for one variable. If TensorFlow distributes copies of it, also adds its noise."""
        if not (noise_source.is_distributed(self) and self._is_noisy(variable)):
            super().update_step(gradient, variable, learning_rate)
            return
        ((indices, draw),) = self._draws({self._get_variable_index(variable): variable})
        before = self._before(indices)
        super().update_step(gradient, variable, learning_rate)
        self._add_noise([variable], indices, draw, before, learning_rate)

    def _add_noise(self, variables, indices, draw, before, learning_rate):
        """Adds the noise to the variables θ of a draw: θ ← θ + σ√γ · √P ⊙ Z, see `noise.law.increment`."""
        noise_source.add_noise(
            self,
            variables,
            draw,
            ops.convert_to_tensor(self._seed),
            ops.convert_to_tensor(self.iterations),
            self._scale(learning_rate, noise_dtype(variables[0])),
            Preconditioner(self, indices, before, self._gate),
        )

    def _scale(self, learning_rate, dtype):
        """Returns σ√γ."""
        return ops.cast(self.sigma, dtype) * ops.sqrt(ops.cast(learning_rate, dtype))

    def _normal(self, variable):
        """Returns Z of this update for one variable."""
        draw = noise_source.Draw((self._places[self._get_variable_index(variable)],), False, self.noise)
        return noise_source.sample(ops.convert_to_tensor(self._seed), ops.convert_to_tensor(self.iterations), draw)

    def _is_noisy(self, variable) -> bool:
        return self._get_variable_index(variable) in self._drawn_indices

    def _draws(self, noisy: dict) -> list[tuple[tuple[int, ...], noise_source.Draw]]:
        """Groups the noisy variables, a dict by number, into draws."""
        key = tuple(noisy)
        if key not in self._planned:
            self._planned[key] = draws_of(list(noisy.values()), key, self._places, self.noise)
        return self._planned[key]

    def _before(self, indices) -> list:
        """Copies what `_add_noise` needs from before the parent's step: `slots_before` by the variables' numbers.
        Copies, because PyTorch changes slots in place."""
        lists = map(self._slot_list, self._slots_before)
        return [None if kept is None else {i: ops.copy(slot_of(self, kept, i)) for i in indices} for kept in lists]

    def _slot_list(self, name: str):
        """Returns the list of a slot's variables, one per weight, or `None` if the parent does not keep the slot."""
        return getattr(self, name, None) or None

    # --- before the first step --------------------------------------------------------------------------------------

    def build(self, variables):
        if self.built:
            return
        groups, chosen = self._selection.resolve(variables)
        self._count_before_build = len(self._parent_variables())
        super().build(variables)
        self._check_slots()
        self._set_places()
        self._choose_layers(groups, chosen)

    def _check_slots(self):
        parent = self._parent_class()
        for name in (*self._slots, *self._slots_before):
            if not (hasattr(self, name) or keras_internals.has(parent, name)):
                kept = [name for name, value in vars(self).items() if isinstance(value, list) and value]
                raise ValueError(
                    f"`slots` must name attributes of {parent.__name__} that hold a variable for each weight. "
                    f"Received: {name!r}, which it does not have. Choose from: {', '.join(kept)}."
                )

    def _set_places(self):
        places = noise_source.places_of([tuple(variable.shape) for variable in self._trainable_variables])
        first = self._part * _PART_BLOCKS
        self._places = [place._replace(block=first + place.block) for place in places]
        self._planned: dict[tuple[int, ...], list] = {}

    def _become_part(self, number: int):
        """Makes a built optimizer one of the Langevin parts of a `MultiOptimizer`. Each part has its own range of the
        noise's counter, so parts with the same seed have independent noise.

        Args:
            number: int, the part's number. Part 0 has the same noise as a separate optimizer.
        """
        if self.built and number != self._part:
            self._part = number
            self._set_places()

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        self._check_fits(trainable_variables)
        return super().stateless_apply(optimizer_variables, grads, trainable_variables)

    def _check_fits(self, weights):
        """Checks that the weights are those of the model that the optimizer was built for. On JAX a step gets arrays,
        and Keras checks only their number: a changed layer would cause a shape error somewhere else."""
        if not self.built:
            return  # Keras raises
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

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | self._settings_config() | self._layers_config()

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
