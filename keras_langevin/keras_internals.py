"""The private names of Keras that the package reads, in one place; and whether the installed Keras has them."""

import dis
import inspect
from types import CodeType

import keras

try:
    from keras.src.backend.common import global_state
except ImportError:  # a Keras that has it elsewhere: then nobody knows whether a model is being loaded
    global_state = None
_GLOBAL_SEED_GENERATOR = "global_seed_generator"

# What the tests of the package run on: the oldest and the newest release.
OLDEST, NEWEST = "3.12", "3.15"

# By the class that has them: methods, and attributes that its methods set.
NAMES = {
    "keras.Optimizer": (
        "_backend_update_step",
        "_get_variable_index",
        "_iterations",
        "_learning_rate",
        "_track_variable",
        "_trainable_variables",
        "_untrack_variable",
    ),
    "keras.optimizers.Adam": ("_momentums", "_velocities", "_velocity_hats"),
    "keras.optimizers.RMSprop": ("_velocities", "_momentums", "_average_gradients"),
    "keras.optimizers.Adadelta": ("_accumulated_grads", "_accumulated_delta_vars"),
    "keras.optimizers.Adagrad": ("_accumulators",),
    "keras.optimizers.Nadam": ("_velocities", "_momentums"),
    "keras.optimizers.Adamax": ("_m", "_u"),
    "keras.optimizers.Lamb": ("_momentums", "_velocities"),
    "keras.optimizers.Lion": ("_momentums",),
    "keras.optimizers.Adafactor": ("_rms", "_v"),
    "keras.optimizers.Muon": ("momentums", "adam_velocities", "rms_rate"),
    "keras.optimizers.ScheduleFreeAdamW": ("_momentums", "_velocities"),
    "keras.optimizers.MultiOptimizer": ("_optimizer_map",),
    "keras.Model": ("_flatten_layers",),
    "keras.Variable": ("_value",),
    "keras.callbacks.Callback": ("_model",),
    "keras.callbacks.ReduceLROnPlateau": ("_is_improvement", "_set_monitor_op"),
}
# Classes that the oldest release does not have.
NEW = {"keras.optimizers.MultiOptimizer"}
# Classes that it does not have, or has in another form. Their Langevin optimizers are left out there.
NEW_PARENTS = {"keras.optimizers.Muon", "keras.optimizers.ScheduleFreeAdamW"}
# Read where Keras has them: without one, `PosteriorSamples` does not see what the loss averages over, and says nothing.
OPTIONAL = ("_flat_losses", "_inputs_struct", "_outputs_struct", "_user_loss", "_user_loss_weights")
# Those of one backend alone.
NAMES_ON = {
    "tensorflow": {"keras.Optimizer": ("_distribution_strategy",)},
    "jax": {"keras.Model": ("_jax_state_synced", "compute_loss_and_updates")},
}


def all_names() -> list[tuple[str, str]]:
    """(class, name) of each, for the backend of this process."""
    tables = NAMES, NAMES_ON.get(keras.backend.backend(), {})
    owners = [(owner, names) for table in tables for owner, names in table.items() if is_here(owner)]
    return [(owner, name) for owner, names in owners for name in names]


def missing() -> list[str]:
    """What the installed Keras does not have, as `keras.optimizers.Adam._velocities`.

    An attribute is looked for in the code of the class's methods: making an object of the class starts the backend.
    """
    return [f"{owner}.{name}" for owner, name in all_names() if not has(_resolve(owner), name)]


def check():
    """Refuses a Keras that does not have what the package reads.

    Raises:
        ImportError: it says what is missing, and which releases have it.
    """
    names = missing()
    if names:
        raise ImportError(
            f"keras-langevin reads parts of Keras that are not public, and expected them as they are in Keras {OLDEST} "
            f"to {NEWEST}. Received: Keras {keras.__version__}, which has no {', '.join(names)}. "
            f"Install a Keras that has them: pip install 'keras>={OLDEST},<={NEWEST}.99', or a newer keras-langevin."
        )


def is_loading() -> bool:
    """Whether Keras makes a model of a file, or copies one. (A Keras that does not say so: `False`.)"""
    return global_state is not None and global_state.get_global_attribute("shared_objects/id_to_obj_map") is not None


def global_seed_generator() -> keras.random.SeedGenerator | None:
    """What Keras's random operations draw from where they are given no seed; `None` before the first of them."""
    return None if global_state is None else global_state.get_global_attribute(_GLOBAL_SEED_GENERATOR)


def set_global_seed_generator(generator: keras.random.SeedGenerator | None):
    """Puts back what `global_seed_generator` returned."""
    if global_state is not None:
        global_state.set_global_attribute(_GLOBAL_SEED_GENERATOR, generator)


def is_here(owner: str) -> bool:
    """Whether the installed Keras has a class, as the package reads it. (Of those that every release has: `True`.)"""
    name = owner.rpartition(".")[2]
    if owner in NEW_PARENTS:
        cls = getattr(keras.optimizers, name, None)
        return cls is not None and all(has(cls, attribute) for attribute in NAMES[owner])
    return owner not in NEW or hasattr(keras.optimizers, name)


def _resolve(path: str) -> type:
    found = keras
    for part in path.split(".")[1:]:
        found = getattr(found, part)
    return found


def has(cls: type, name: str) -> bool:
    """Whether a class has that attribute, or one of its methods sets it."""
    functions = (value for base in cls.__mro__ for value in vars(base).values() if inspect.isfunction(value))
    return hasattr(cls, name) or any(_sets(function.__code__, name) for function in functions)


def _sets(code: CodeType, name: str) -> bool:
    """Whether a method sets that attribute. (To read it is not enough: that is what fails when it is gone.)"""
    return name in code.co_names and any(
        instruction.opname == "STORE_ATTR" and instruction.argval == name for instruction in dis.get_instructions(code)
    )
