"""From a Keras optimizer to one with noise, and back."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Unpack

import keras

from keras_langevin.optimizers.arguments import Noise
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import arguments_of, backend_class
from keras_langevin.optimizers.registry import PARENTS
from keras_langevin.reading import innermost


def langevin(
    parent: keras.optimizers.Optimizer | type[keras.optimizers.Optimizer],
    preconditioner: Callable | None = None,
    slots: Sequence[str] = (),
    slots_before: Sequence[str] = (),
    elementwise: bool = True,
    **noise: Unpack[Noise],
) -> Any:
    """Adds Langevin noise to an optimizer of Keras, or to your own.

        θ_t = [the parent's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   Z_t ~ N(0, I)

    Args:
        parent: an optimizer that is not built, or a class. An optimizer keeps its arguments, including `epsilon`.
        preconditioner: function `(optimizer, t, *slots)` that returns P_t, see `Langevin.preconditioner`. Optional if
            this package has an optimizer for the parent.
        slots: names of the parent's attributes that P depends on, as they are after its step. Defaults to none.
        slots_before: the same, as they are before its step. Defaults to none.
        elementwise: bool, whether an element of P depends only on the same element of the slots. Defaults to `True`.
        **noise: `sigma`, `layers`, `seed` and `noise` of `keras_langevin.Langevin`; not with a class.

    Returns:
        A new optimizer, or a class if `parent` is one. Keras registers it as `"L"` plus the parent's name. Call
        `langevin` again before you load a model with it.

    Example:

    >>> import keras, keras_langevin
    >>> optimizer = keras_langevin.langevin(keras.optimizers.Adam(1e-3), sigma=1e-4, layers=0.3)
    >>> type(optimizer).__name__, optimizer.epsilon
    ('LAdam', 1e-07)
    >>> @keras.saving.register_keras_serializable(package="my_package")
    ... class Halved(keras.optimizers.SGD):
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         super().update_step(gradient, variable, learning_rate / 2)
    >>> LHalved = keras_langevin.langevin(Halved, preconditioner=lambda optimizer, t: 0.5)
    >>> float(LHalved(0.1, sigma=0.25).sigma)
    0.25
    """
    is_class = isinstance(parent, type)
    cls = parent if is_class else type(parent)
    if not issubclass(cls, keras.optimizers.Optimizer) or issubclass(cls, Langevin):
        raise ValueError(
            "`parent` must be a Keras optimizer without noise, or a class of them. "
            f"Received: parent={parent!r}. Pass one, as in `langevin(keras.optimizers.Adam(1e-3), sigma=1e-3)`."
        )
    if is_class and noise:
        raise ValueError(
            f"The arguments of the noise belong to an optimizer. Received: {', '.join(sorted(noise))} with the class "
            f"{cls.__name__}. Pass them to the class that is returned: `langevin({cls.__name__}, ...)(sigma=1e-3)`."
        )
    made = (
        _twin(cls)
        if preconditioner is None
        else _made(cls, preconditioner, *map(tuple, (slots, slots_before)), elementwise)
    )
    if is_class:
        return made
    if parent.built:
        raise ValueError(
            f"`parent` must not be built, because its state is not converted. Received: {cls.__name__} with "
            f"{len(parent._trainable_variables)} variables. Convert it before `fit`, or save the weights and load "
            "them into the new optimizer."
        )
    return made.from_config(arguments_of(parent) | noise)


def without_noise(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns the optimizer that takes the same step without noise, for a fair comparison.

    It is the parent with the same arguments, including ε.

    Args:
        optimizer: a Langevin optimizer. It may be wrapped in a `LossScaleOptimizer`.

    Example:

    >>> from keras_langevin import LAdam, without_noise
    >>> adam = without_noise(LAdam(1e-3, sigma=1e-3))
    >>> type(adam).__name__, adam.epsilon
    ('Adam', 1e-06)
    """
    inner = innermost(optimizer)
    if not isinstance(inner, Langevin):
        raise ValueError(
            f"`optimizer` must be a Langevin optimizer. Received: {type(inner).__name__}, which adds no noise. Use it "
            "as it is."
        )
    return inner._without_noise()


def _twin(cls) -> type[Langevin]:
    for langevin_class, parent in PARENTS.items():
        if cls in (parent, backend_class(parent)):
            return langevin_class
    known = ", ".join(dict.fromkeys(parent.__name__ for parent in PARENTS.values()))
    raise ValueError(
        f"`preconditioner` is optional for {known} only. Received: {cls.__name__}. Pass `preconditioner`, a function "
        "`(optimizer, t, *slots)` that returns the factor by which its step multiplies the direction, and `slots`."
    )


@lru_cache
def _made(cls, preconditioner, slots, slots_before, elementwise) -> type[Langevin]:
    registered, _, _ = keras.saving.get_registered_name(cls).rpartition(">")
    package = registered or cls.__module__.partition(".")[0]
    arguments = {"slots": slots, "slots_before": slots_before, "elementwise": elementwise}
    body = {
        "preconditioner": preconditioner,
        "__module__": cls.__module__,
        "__doc__": f"{cls.__name__} with Langevin noise.",
    }
    made = type(Langevin)(f"L{cls.__name__}", (Langevin, backend_class(cls)), body, **arguments)
    return keras.saving.register_keras_serializable(package="Custom" if package == "keras" else package)(made)
