"""Lists the private names of Keras that the package reads, and checks that the installed Keras has them."""

import dis
import inspect
from types import CodeType

import keras

try:
    from keras.src.backend.common import global_state
except ImportError:  # another Keras has it elsewhere; then `is_loading` cannot tell
    global_state = None
_GLOBAL_SEED_GENERATOR = "global_seed_generator"

# The oldest and the newest release that the package is tested on.
OLDEST, NEWEST = "3.12", "3.15"

# For each class: its methods, and the attributes that its methods set.
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
# Classes that it lacks or has in another form. There, the package leaves out their Langevin optimizers.
NEW_PARENTS = {"keras.optimizers.Muon", "keras.optimizers.ScheduleFreeAdamW"}
# Optional: without one, `PosteriorSamples` cannot see what the loss averages over, and does not warn.
OPTIONAL = ("_flat_losses", "_inputs_struct", "_outputs_struct", "_user_loss", "_user_loss_weights")
# For one backend only.
NAMES_ON = {
    "tensorflow": {"keras.Optimizer": ("_distribution_strategy",)},
    "jax": {"keras.Model": ("_jax_state_synced", "compute_loss_and_updates")},
}


def all_names() -> list[tuple[str, str]]:
    """Returns all pairs (class, name) for the backend of this process."""
    tables = NAMES, NAMES_ON.get(keras.backend.backend(), {})
    owners = [(owner, names) for table in tables for owner, names in table.items() if is_here(owner)]
    return [(owner, name) for owner, names in owners for name in names]


def missing() -> list[str]:
    """Returns the names that the installed Keras lacks, such as `keras.optimizers.Adam._velocities`.

    It looks for attributes in the code of the class's methods, because creating an instance starts the backend.
    """
    return [f"{owner}.{name}" for owner, name in all_names() if not has(_resolve(owner), name)]


def check():
    """Checks that the installed Keras has all names that the package reads.

    Raises:
        ImportError: some are missing. The error names them, and the releases that have them.
    """
    names = missing()
    if names:
        raise ImportError(
            f"keras-langevin reads parts of Keras that are not public, and expected them as they are in Keras {OLDEST} "
            f"to {NEWEST}. Received: Keras {keras.__version__}, which has no {', '.join(names)}. "
            f"Install a Keras that has them: pip install 'keras>={OLDEST},<={NEWEST}.99', or a newer keras-langevin."
        )


def is_loading() -> bool:
    """Returns whether Keras is loading or copying a model; `False` if this Keras does not tell."""
    return global_state is not None and global_state.get_global_attribute("shared_objects/id_to_obj_map") is not None


def global_seed_generator() -> keras.random.SeedGenerator | None:
    """Returns the generator of Keras's random operations without a seed; `None` before the first of them."""
    return None if global_state is None else global_state.get_global_attribute(_GLOBAL_SEED_GENERATOR)


def set_global_seed_generator(generator: keras.random.SeedGenerator | None):
    """Restores the generator that `global_seed_generator` returned."""
    if global_state is not None:
        global_state.set_global_attribute(_GLOBAL_SEED_GENERATOR, generator)


def is_here(owner: str) -> bool:
    """Returns whether the installed Keras has a class as the package reads it; `True` for those in every release."""
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
    """Returns whether a class has an attribute, or one of its methods sets it."""
    functions = (value for base in cls.__mro__ for value in vars(base).values() if inspect.isfunction(value))
    return hasattr(cls, name) or any(_sets(function.__code__, name) for function in functions)


def _sets(code: CodeType, name: str) -> bool:
    """Returns whether a method sets an attribute. Code that only reads it would fail without the attribute."""
    return name in code.co_names and any(
        instruction.opname == "STORE_ATTR" and instruction.argval == name for instruction in dis.get_instructions(code)
    )
