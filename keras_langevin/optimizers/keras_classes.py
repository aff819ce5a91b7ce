"""What the package changes in Keras's own classes, in one place.

- `LossScaleOptimizer`, which `compile` puts around an optimizer under `mixed_float16`, and `MultiOptimizer` pass on the
  settings of the noise. Otherwise `model.optimizer.sigma = 0` would set an attribute that nothing reads.
- Both load a file of weights completely or not at all, with all their parts.
- `MultiOptimizer` numbers its Langevin parts, so that parts with the same seed have independent noise.
- On JAX, `Model.compute_loss_and_updates` notes which weights the loss reaches. For the others JAX gives a gradient of
  zeros, where TensorFlow and PyTorch give `None`.
- `CallbackList` calls two more methods of callbacks that have them (`LangevinMonitor`): `after_train_batch_begin()`,
  after all callbacks have set their values at the start of a step, and `before_epoch_end(epoch)`, before any callback
  swaps weights for their averages.
- Before a fit trains, `CallbackList` refuses an optimizer that one of its callbacks could not save. A callback that
  saves it has `saves_optimizer = True`. A callback that sets `layers` returns its choices from `selections()`.
"""

import functools
import json

import keras

from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.wrapper_load import WrapperLoad, part_of_a_load, take_load
from keras_langevin.reading import parts

# The attributes of a Langevin optimizer that a wrapper passes on.
SETTINGS = ("sigma", "seed", "layers", "noisy_layers", "noise", "friction")


class Reach:
    """The variables that a loss reaches, noted on JAX while the loss is differentiated.

    Attributes:
        keys: set of `id(variable)`.
    """

    def __init__(self):
        self.keys: set[int] = set()

    def of(self, variables) -> list:
        """Returns those of `variables` that are reached, or all of them if nothing was noted."""
        return [variable for variable in variables if id(variable) in self.keys] if self.keys else list(variables)


def langevin_parts(optimizer) -> list[Langevin]:
    """Returns the Langevin optimizers in an optimizer, which may be a `LossScaleOptimizer` or a `MultiOptimizer`."""
    return [part for part in parts(optimizer) if isinstance(part, Langevin)]


class PassedOn:
    """An attribute of a wrapper that reads and sets the same attribute of the Langevin optimizer in it.

    Without a Langevin optimizer, it is an ordinary attribute. With several, it raises an error: like the learning rate
    of a `MultiOptimizer`, it must be read and set on `.optimizers`.
    """

    def __init__(self, name: str):
        self.name = name

    def __get__(self, wrapper, owner=None):
        if wrapper is None:
            return self
        found = langevin_parts(wrapper)
        if len(found) == 1:
            return getattr(found[0], self.name)
        if not found and self.name in vars(wrapper):
            return vars(wrapper)[self.name]
        raise self._error(wrapper, found)

    def __set__(self, wrapper, value):
        found = langevin_parts(wrapper)
        if len(found) > 1:
            raise self._error(wrapper, found, f" = {value!r}")
        if found:
            setattr(found[0], self.name, value)
        else:
            vars(wrapper)[self.name] = value

    def _error(self, wrapper, found, assigned=""):
        if not found:
            return AttributeError(f"{type(wrapper).__name__!r} object has no attribute {self.name!r}")
        return AttributeError(
            f"`{self.name}` of a `MultiOptimizer` must be read and set on each of its parts. Received: "
            f"`optimizer.{self.name}{assigned}` with {len(found)} Langevin optimizers in it. Use "
            f"`optimizer.optimizers`, as in `for part in optimizer.optimizers: part.{self.name}`."
        )


def _inner(optimizer) -> list:
    """Returns all optimizers in a wrapper."""
    inner = getattr(optimizer, "optimizers", None) or [getattr(optimizer, "inner_optimizer", None)]
    return [each for one in inner if one is not None for each in (one, *_inner(one))]


def _loading_whole(load_own_variables):
    of_part = part_of_a_load(load_own_variables)

    @functools.wraps(load_own_variables)
    def loading(self, store):
        inner = _inner(self)
        if not (inner and langevin_parts(self)):
            of_part(self, store)
        elif take_load(self) is None:  # otherwise a wrapper around it has loaded its variables
            WrapperLoad(self, inner, parts(self)).load_own(store)

    return loading


def _numbering_parts(build):
    @functools.wraps(build)
    def numbered(self, variables):
        build(self, variables)
        for number, part in enumerate(langevin_parts(self)):
            part._become_part(number)

    return numbered


def _noting_reach(compute_loss_and_updates):
    @functools.wraps(compute_loss_and_updates)
    def noting(self, trainable_variables, *args, **kwargs):
        found = langevin_parts(getattr(self, "optimizer", None)) if kwargs.get("training") else []
        if found and len(trainable_variables) == len(self.trainable_variables):
            # with two losses before an update, either may reach a weight
            reach = next((part._reach for part in found if part._reach), None) or Reach()
            for part in found:
                part._reach = reach
            pairs = zip(self.trainable_variables, trainable_variables, strict=True)
            trainable_variables = [_noted(value, reach, id(variable)) for variable, value in pairs]
        return compute_loss_and_updates(self, trainable_variables, *args, **kwargs)

    return noting


def _noted(value, reach: Reach, key: int):
    """The identity. Its derivative notes that the loss depends on this variable: JAX needs it only then."""
    import jax

    same = jax.custom_vjp(lambda value: value)

    def backward(_, gradient):
        reach.keys.add(key)
        return (gradient,)

    same.defvjp(lambda value: (value, None), backward)
    return same(value)


def _saves(callback, optimizer) -> bool:
    """Whether a callback saves the configuration of `optimizer`. Keras's own callbacks say by `save_weights_only`
    whether they save a whole model."""
    saves_model = getattr(callback, "save_weights_only", None) is False
    return getattr(callback, "saves_optimizer", False) or (saves_model and bool(langevin_parts(optimizer)))


def _check_savable(callback, optimizer, others):
    """Refuses an optimizer that `callback` could not save, now or with the `layers` that other callbacks will set.

    Raises:
        ValueError: a part of it cannot be serialized.
    """
    try:
        json.dumps(keras.saving.serialize_keras_object(optimizer))
        for other in others:
            if hasattr(other, "selections"):
                json.dumps([selection.get_config() for selection in other.selections()])
    except Exception as error:  # a user's schedule or callable may raise anything
        raise ValueError(
            f"`{type(callback).__name__}` saves the optimizer's configuration, so Keras must be able to serialize "
            f"it. Received: an optimizer that raises {type(error).__name__}: {error} Register a function or a class "
            "with `@keras.saving.register_keras_serializable()` and give schedules a `get_config`, or pass numbers. "
            "A checkpoint with `save_weights_only=True` needs none of this."
        ) from error


def _checking_before(on_train_begin):
    @functools.wraps(on_train_begin)
    def checking(self, logs=None):
        optimizer = getattr(self.model, "optimizer", None)
        saving = next((each for each in self.callbacks if optimizer is not None and _saves(each, optimizer)), None)
        if saving is not None:
            _check_savable(saving, optimizer, self.callbacks)
        on_train_begin(self, logs)

    return checking


def _telling_after(on_train_batch_begin):
    @functools.wraps(on_train_batch_begin)
    def telling(self, batch, logs=None):
        on_train_batch_begin(self, batch, logs)
        for callback in self.callbacks:
            if hasattr(callback, "after_train_batch_begin"):
                callback.after_train_batch_begin()

    return telling


def _telling_before(on_epoch_end):
    @functools.wraps(on_epoch_end)
    def telling(self, epoch, logs=None):
        for callback in self.callbacks:
            if hasattr(callback, "before_epoch_end"):
                callback.before_epoch_end(epoch)
        on_epoch_end(self, epoch, logs)

    return telling


def install():
    """Changes the classes."""
    callbacks = keras.callbacks.CallbackList
    callbacks.on_train_begin = _checking_before(callbacks.on_train_begin)
    callbacks.on_train_batch_begin = _telling_after(callbacks.on_train_batch_begin)
    callbacks.on_epoch_end = _telling_before(callbacks.on_epoch_end)
    keras.Optimizer.load_own_variables = _loading_whole(keras.Optimizer.load_own_variables)
    wrappers = [getattr(keras.optimizers, name, None) for name in ("LossScaleOptimizer", "MultiOptimizer")]
    for wrapper in filter(None, wrappers):  # Keras 3.12 has no `MultiOptimizer`
        for name in SETTINGS:
            setattr(wrapper, name, PassedOn(name))
    if wrappers[1]:
        wrappers[1].build = _numbering_parts(wrappers[1].build)
    if keras.backend.backend() == "jax":
        trainer = next(base for base in keras.Model.__mro__ if "compute_loss_and_updates" in vars(base))
        trainer.compute_loss_and_updates = _noting_reach(trainer.compute_loss_and_updates)
