"""The Keras optimizer that a Langevin optimizer adds noise to: its class, its arguments, and how to get it back."""

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

import keras

from keras_langevin.names import unknown
from keras_langevin.values import is_real

if TYPE_CHECKING:  # for mixins whose subclasses are all optimizers
    MixinBase = keras.optimizers.Optimizer
else:
    MixinBase = object
_Parent = TypeVar("_Parent", bound=keras.optimizers.Optimizer)


def backend_class(parent: type[_Parent]) -> type[_Parent]:
    """Returns the class that Keras instantiates when `parent` is called: on PyTorch a subclass that updates all
    variables at once, elsewhere `parent`. (A subclass of `parent` itself would lose that.)"""
    return type(parent.__new__(parent))


def parent_class(cls, mixin: type) -> type[keras.optimizers.Optimizer]:
    """Returns the optimizer that `cls` adds noise to, as users know it: the first class after the mixin that is neither
    from this package nor Keras's version for a backend."""
    following = cls.__mro__[cls.__mro__.index(mixin) + 1 :]
    optimizers = (base for base in following if issubclass(base, keras.optimizers.Optimizer))
    inner = ("keras.src.backend.", "keras_langevin.optimizers.")
    return next((base for base in optimizers if not base.__module__.startswith(inner)), object)


def arguments_of(optimizer, cls: type | None = None) -> dict[str, Any]:
    """Returns an optimizer's arguments except its name, as `from_config` takes them. With `cls`, one of its base
    classes, only those that `cls` has."""
    config = (cls or type(optimizer)).get_config(optimizer)
    del config["name"]
    if callable(optimizer._learning_rate):
        config["learning_rate"] = optimizer._learning_rate  # as it is, so a function need not be serializable
    return config


def parent_parameters(cls, mixin: type) -> dict[str, inspect.Parameter]:
    """Returns the parameters of the parent's `__init__`, by name."""
    return _parameters(parent_class(cls, mixin).__init__)


def signature(cls, mixin: type) -> inspect.Signature:
    """Returns the parent's arguments and the class's own, so that `help` shows all of them.

    Args:
        cls: the Langevin optimizer.
        mixin: `Langevin`.
    """
    own: dict[str, inspect.Parameter] = {}
    takes_more = True
    for base in reversed(cls.__mro__[: cls.__mro__.index(mixin) + 1]):
        if "__init__" in vars(base):
            parameters = _parameters(base.__init__)
            takes_more = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
            own = own | parameters if takes_more else parameters
    own = {name: p.replace(annotation=p.empty) for name, p in own.items()}  # as in Keras: docstrings have the types
    if not takes_more:
        return inspect.Signature(list(own.values()))
    of_parent = parent_parameters(cls, mixin)
    parents = {name: p for name, p in of_parent.items() if name not in {*own, *cls._replaced_arguments}}
    for name in set(cls._defaults) & set(parents):
        parents[name] = parents[name].replace(default=cls._defaults[name])
    leading = [p for p in own.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    ordinary = [p for p in parents.values() if p.kind is not p.VAR_KEYWORD]
    variadic = [p for p in of_parent.values() if p.kind is p.VAR_KEYWORD]
    return inspect.Signature(leading + ordinary + [p for p in own.values() if p.kind is p.KEYWORD_ONLY] + variadic)


def check_by_place(cls, args):
    """Refuses a noise level in the position of a decay rate. Keras's order of arguments has no position for noise.

    Raises:
        ValueError: the second argument is a decay rate below 0.1.
    """
    second = list(cls.__signature__.parameters)[1:2]
    if len(args) > 1 and second in (["beta_1"], ["rho"], ["momentum"]) and is_real(args[1]) and 0 < args[1] < 0.1:
        raise ValueError(
            f"{cls.__name__} has Keras's order of arguments: the second is `{second[0]}`, a decay rate. Received: "
            f"{args[1]!r} in its place. Pass `sigma={args[1]!r}` for the noise level, or `{second[0]}={args[1]!r}`."
        )


def check_known(cls, arguments, error: Exception):
    """If the parent's `error` refuses the name of an argument, raises an error that suggests a known name.

    Raises:
        ValueError: it does.
    """
    known = [name for name, p in cls.__signature__.parameters.items() if p.kind is not p.VAR_KEYWORD]
    for name in arguments:
        if name not in known and repr(name) in str(error):
            raise unknown(f"argument of {cls.__name__}", name, known) from error


def _parameters(method) -> dict[str, inspect.Parameter]:
    return {name: p for name, p in inspect.signature(method).parameters.items() if name != "self"}
