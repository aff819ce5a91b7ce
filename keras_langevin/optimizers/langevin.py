"""How a step adds noise: the mixin that makes a Langevin optimizer of a Keras optimizer."""

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

keras_internals.check()  # before anything is made of what a Keras release may have moved

# Each part of a `MultiOptimizer` has so many of the noise's counter's 2³² blocks: more than it fills.
_PART_BLOCKS = 1 << 16


class Update(NamedTuple):
    """Which variables the latest traced step changes; where steps are not traced, the latest step.

    Attributes:
        updated: frozenset of ints, those that the parent updates, by their numbers in the optimizer.
        drawn: frozenset of ints, those that noise is drawn for. They get it where their layer's gate is open.
    """

    updated: frozenset[int]
    drawn: frozenset[int]


class Langevin(NoiseSettings, NoisyLayers, SavedState):
    """Adds Langevin noise to a Keras optimizer: a mixin. Name it before the optimizer.

        θ_t = [the parent's own step] + 1{i ∈ J} · σ_t · √γ_t · √P_t ⊙ Z_t,   Z_t ~ N(0, I)

    J is the set of noisy layers. P is the parent's diagonal preconditioner: its step is −γ_t · P_t ⊙ direction. Equal
    seeds give equal noise. docs/how-it-works.md has the details, also for a subclass.

    Args:
        *args: the parent's arguments.
        sigma: σ, the noise level: float >= 0, `LearningRateSchedule`, or callable without arguments. You can set
            `optimizer.sigma` during training, like `learning_rate`. Defaults to `1e-3`.
        layers: the noisy layers: `None` (all), a float in [0, 1] (the first part of them), an int (the first k), a
            name, a regular expression, a `keras.Layer`, a list of names, indices and layers, or a callable
            `f(layer_path) -> bool`. docs/layers.md says what counts as a layer. Defaults to `None`.
        seed: int in [0, 2⁶⁴), or `None` to draw one; `keras.utils.set_random_seed` fixes the draw. Defaults to `None`.
        noise: the law of Z: `"normal"`, or `"rademacher"` for ±1, which is cheaper. Defaults to `"normal"`.
        **kwargs: the parent's arguments. `epsilon` defaults to `1e-6`, where Keras has `1e-7`.

    Raises:
        ValueError: an argument is out of its range, or, when the optimizer is built, `layers` does not fit the model.

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
    #   update_step            the same for one variable, where TensorFlow distributes copies of it
    #   build                  chooses the noisy layers, and gives each variable its place in the noise
    #   stateless_apply        refuses weights of another model (JAX)
    #   get_config, from_config                     the settings of the noise
    #   save_own_variables, load_own_variables      the parent's state apart from the noise's (`SavedState`)

    _slots: tuple[str, ...] = ()
    _slots_before: tuple[str, ...] = ()
    _is_elementwise = True
    # The parent's arguments with another default here. Where a gradient is zero for long, ε alone bounds the noise.
    _defaults: dict[str, object] = {"epsilon": 1e-6}
    # The parent's arguments that the class sets itself, and hides.
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
        """P_t: a subclass defines it.

        Args:
            t: scalar tensor, the number of the update under way: 1, 2, ...
            *slots: tensors, those that the class names in `slots`, as they are after the parent's step, and then those
                that it names in `slots_before`, as they are before it. They belong to one variable and have the shapes
                that the parent gave them; where the class is elementwise they may be flat and of many variables.
                `None` for slots that the parent does not keep with its present arguments.

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
        """The parent's step, then the noise."""
        reach, self._reach = self._reach, None
        reached = reach.of(trainable_variables) if reach else trainable_variables
        noisy = {self._get_variable_index(variable): variable for variable in reached if self._is_noisy(variable)}
        self._last_update = Update(frozenset(map(self._get_variable_index, trainable_variables)), frozenset(noisy))
        if noise_source.is_distributed(self):
            super()._backend_update_step(grads, trainable_variables, learning_rate)  # the noise comes in `update_step`
            return
        draws = self._draws(noisy)
        before = [self._before(indices) for indices, _ in draws]
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for (indices, draw), slots in zip(draws, before, strict=True):
            self._add_noise([noisy[index] for index in indices], indices, draw, slots, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        """The parent's step of one variable; on copies that TensorFlow distributes also its noise."""
        if not (noise_source.is_distributed(self) and self._is_noisy(variable)):
            super().update_step(gradient, variable, learning_rate)
            return
        ((indices, draw),) = self._draws({self._get_variable_index(variable): variable})
        before = self._before(indices)
        super().update_step(gradient, variable, learning_rate)
        self._add_noise([variable], indices, draw, before, learning_rate)

    def _add_noise(self, variables, indices, draw, before, learning_rate):
        """θ ← θ + σ√γ · √P ⊙ Z for the variables θ of a draw, see `noise.law.increment`."""
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
        """σ√γ."""
        return ops.cast(self.sigma, dtype) * ops.sqrt(ops.cast(learning_rate, dtype))

    def _normal(self, variable):
        """Z of this update for one variable."""
        draw = noise_source.Draw((self._places[self._get_variable_index(variable)],), False, self.noise)
        return noise_source.sample(ops.convert_to_tensor(self._seed), ops.convert_to_tensor(self.iterations), draw)

    def _is_noisy(self, variable) -> bool:
        return self._get_variable_index(variable) in self._drawn_indices

    def _draws(self, noisy: dict) -> list[tuple[tuple[int, ...], noise_source.Draw]]:
        """What is drawn at once of the noisy variables, by their numbers."""
        key = tuple(noisy)
        if key not in self._planned:
            self._planned[key] = draws_of(list(noisy.values()), key, self._places, self.noise)
        return self._planned[key]

    def _before(self, indices) -> list:
        """What `_add_noise` needs from before the parent's step: `slots_before` by the variables' numbers. They are
        copies, for PyTorch changes slots in place."""
        lists = map(self._slot_list, self._slots_before)
        return [None if kept is None else {i: ops.copy(slot_of(self, kept, i)) for i in indices} for kept in lists]

    def _slot_list(self, name: str):
        """The list of a slot's variables, one for each weight; `None` where the parent does not keep it."""
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
        noise's counter, so that two of them are independent, even with one seed.

        Args:
            number: int, its number among them. The first has the noise of an optimizer by itself.
        """
        if self.built and number != self._part:
            self._part = number
            self._set_places()

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
