"""Optimizers by name. (`keras.optimizers.get` does not find add-ons.)"""

import importlib
from typing import Any

import keras

from keras_langevin import keras_internals
from keras_langevin.names import unknown
from keras_langevin.optimizers.adadelta import LAdadelta
from keras_langevin.optimizers.adafactor import LAdafactor
from keras_langevin.optimizers.adagrad import LAdagrad
from keras_langevin.optimizers.adam import LAdam, LAdamW
from keras_langevin.optimizers.adamax import LAdamax
from keras_langevin.optimizers.baoab import BAOAB
from keras_langevin.optimizers.lamb import LLamb
from keras_langevin.optimizers.lion import LLion
from keras_langevin.optimizers.nadam import LNadam
from keras_langevin.optimizers.rmsprop import LRMSprop
from keras_langevin.optimizers.sgd import LSGD
from keras_langevin.optimizers.sghmc import SGHMC
from keras_langevin.optimizers.sgnht import SGNHT

# Each Langevin optimizer and the parent that it is compared with. If several share a parent, the first is its twin.
PARENTS = {
    LSGD: keras.optimizers.SGD,
    SGHMC: keras.optimizers.SGD,
    BAOAB: keras.optimizers.SGD,
    SGNHT: keras.optimizers.SGD,
    LAdam: keras.optimizers.Adam,
    LAdamW: keras.optimizers.AdamW,
    LRMSprop: keras.optimizers.RMSprop,
    LAdadelta: keras.optimizers.Adadelta,
    LAdagrad: keras.optimizers.Adagrad,
    LNadam: keras.optimizers.Nadam,
    LAdamax: keras.optimizers.Adamax,
    LLamb: keras.optimizers.Lamb,
    LLion: keras.optimizers.Lion,
    LAdafactor: keras.optimizers.Adafactor,
}

# Optimizers whose parent is not in every supported Keras, and their modules. `NEWER` has those that this Keras has.
_NEWER = {"LMuon": "muon", "LScheduleFreeAdamW": "schedule_free_adamw"}
NEWER: dict[str, type] = {
    name: getattr(importlib.import_module(f"keras_langevin.optimizers.{module}"), name)
    for name, module in _NEWER.items()
    if keras_internals.is_here(f"keras.optimizers.{name[1:]}")
}
PARENTS |= {cls: getattr(keras.optimizers, name[1:]) for name, cls in NEWER.items()}

REGISTRY = {cls.__name__.lower(): cls for pair in PARENTS.items() for cls in pair}


def get(identifier: str | dict[str, Any] | keras.optimizers.Optimizer, **arguments: Any) -> keras.optimizers.Optimizer:
    """Returns an optimizer by name, from its configuration, or unchanged.

    Args:
        identifier: str, a name in any case, with or without a hyphen (`"ladam"`, `"L-Adam"`, `"Adam"`); or a
            dictionary as `keras.optimizers.serialize` makes it; or an optimizer, which is returned.
        **arguments: arguments of the optimizer, only with a name.

    Raises:
        ValueError: the name is unknown; the message has a suggestion.

    Example:

    >>> import keras_langevin
    >>> type(keras_langevin.optimizers.get("ladam", learning_rate=1e-3, sigma=1e-3, layers=0.3)).__name__
    'LAdam'
    """
    if isinstance(identifier, str):
        return lookup(identifier)(**arguments)
    if arguments:
        raise ValueError(
            f"Arguments go with an optimizer's name only. Received: identifier={identifier!r} and arguments "
            f"{sorted(arguments)}. Set them on the optimizer or in its configuration."
        )
    if isinstance(identifier, keras.optimizers.Optimizer):
        return identifier
    if isinstance(identifier, dict):
        return keras.optimizers.deserialize(dict(identifier))
    raise ValueError(
        "`identifier` must be an optimizer's name, its configuration, or an optimizer. Received: "
        f"identifier={identifier!r} of type {type(identifier).__name__}. Pass a name, as in `get('ladam')`."
    )


def lookup(name: str) -> type[keras.optimizers.Optimizer]:
    """Returns the class with a name.

    Raises:
        ValueError: the name is unknown; the message has a suggestion.
    """
    key = name.lower().replace("-", "")
    if key not in REGISTRY:
        raise unknown("optimizer", name, REGISTRY)
    return REGISTRY[key]
