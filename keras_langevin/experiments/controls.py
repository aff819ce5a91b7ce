"""Makes the optimizers of a comparison from their names, including controls with other noise or none."""

from functools import lru_cache

import keras
from keras import ops

from keras_langevin.experiments.optimizer_specs import FAMILIES, LANGEVIN, MODIFIERS, OptimizerSpec
from keras_langevin.names import unknown
from keras_langevin.optimizers.conversion import without_noise
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.registry import lookup

GLOBAL_CLIPNORM = 1.0
WARM_UP_UPDATES = 100
_DECAY = 0.55


# Mixins for Langevin optimizers; `WarmUp` is for any optimizer.


class Isotropic:
    """Noise of the same power, equal for all elements of a variable: √ of the mean of P_t instead of √P_t."""

    _is_elementwise = False

    def preconditioner(self, t, *slots):
        return ops.mean(super().preconditioner(t, *slots))


class GradientNoise:
    """Noise only on the gradient: g ← g + N(0, σ² / (1 + t)^0.55) for t = 0, 1, ... (Neelakantan et al.,
    arXiv:1511.06807, equation 1).
    """

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        scale = ops.cast(self.sigma, "float32") * (1 + ops.cast(self.iterations, "float32")) ** (-_DECAY / 2)
        noisy = [
            g + ops.cast(scale * self._normal(variable), g.dtype) if self._is_noisy(variable) else g
            for g, variable in zip(grads, trainable_variables, strict=True)
        ]
        super(Langevin, self)._backend_update_step(noisy, trainable_variables, learning_rate)


class FirstUpdates:
    """Noise only in the first updates: P is 0 after `noisy_updates` of them."""

    noisy_updates: int

    def preconditioner(self, t, *slots):
        factor = ops.convert_to_tensor(super().preconditioner(t, *slots))
        return ops.where(self.iterations < self.noisy_updates, factor, ops.zeros_like(factor))


class OnKernels:
    """Noise only on variables with two or more axes: not on biases, nor on scales and offsets of normalizations."""

    def _is_noisy(self, variable):
        return super()._is_noisy(variable) and len(variable.shape) > 1


class OnBiases:
    """Noise only on the variables that `OnKernels` leaves out."""

    def _is_noisy(self, variable):
        return super()._is_noisy(variable) and len(variable.shape) < 2


class WarmUp:
    """A learning rate that grows linearly over the first updates: γ_t · min(1, t / 100) for t = 1, 2, ..."""

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        share = ops.minimum(1.0, ops.cast(self.iterations + 1, learning_rate.dtype) / WARM_UP_UPDATES)
        super()._backend_update_step(grads, trainable_variables, learning_rate * share)


def optimizer(arm: OptimizerSpec, **arguments) -> keras.optimizers.Optimizer:
    """Makes the optimizer of an arm with `arguments`. One without noise is made from the Langevin optimizer.

    Raises `ValueError` if there is no such optimizer, or an argument is out of range.

    >>> type(optimizer(OptimizerSpec("isotropic-adam"), sigma=1e-3)).__name__
    'IsotropicLAdam'
    """
    if arm.family not in FAMILIES:
        raise unknown("optimizer", arm.unmodified, [*FAMILIES, *LANGEVIN])
    modifier = MODIFIERS[arm.modifier]
    is_of_langevin = not (modifier.is_remedy or modifier.is_noise)
    if (is_of_langevin and not arm.is_noisy) or (arm.modifier == "first" and not arm.noisy_updates):
        what, number = ("a number and ", "35-") if arm.modifier == "first" else ("", "")
        raise ValueError(
            f"`{arm.modifier}-` must stand before {what}a Langevin optimizer, as in '{arm.modifier}-{number}ladam'. "
            f"Received: {arm.spec!r}"
        )
    family = FAMILIES[arm.family]
    cls = lookup(family.optimizer or family.langevin or f"l{arm.family}")
    if arm.modifier in _MIXINS:
        cls = _mixed(_MIXINS[arm.modifier], cls)
    if arm.noisy_updates:
        cls = _mixed(FirstUpdates, cls, noisy_updates=arm.noisy_updates)
    clipping = {"global_clipnorm": GLOBAL_CLIPNORM} if arm.modifier == "clip" else {}
    made = cls(**family.arguments, **clipping, **arguments)
    if not arm.is_noisy:
        made = without_noise(made)
    if arm.modifier == "warmup":
        made = _mixed(WarmUp, type(made)).from_config(made.get_config())
    return made


_MIXINS = {"isotropic": Isotropic, "gradientnoise": GradientNoise, "kernels": OnKernels, "biases": OnBiases}


@lru_cache
def _mixed(mixin: type, cls: type, **attributes) -> type:
    return type(f"{mixin.__name__}{cls.__name__}", (mixin, cls), attributes)
