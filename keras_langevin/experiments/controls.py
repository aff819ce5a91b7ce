"""The optimizers of a comparison, made from how they are written; among them the controls that tell what it is about
Langevin's noise that helps: other noise, noise for a while, and other remedies for depth."""

from functools import lru_cache

import keras
from keras import ops

from keras_langevin.experiments.arms import FAMILIES, LANGEVIN, Arm
from keras_langevin.names import unknown
from keras_langevin.optimizers import noise as noise_source
from keras_langevin.optimizers.conversion import without_noise
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.registry import lookup

GLOBAL_CLIPNORM = 1.0
WARM_UP_UPDATES = 100
# Neelakantan et al. 2015: the variance of gradient noise is η / (1 + t)^0.55.
_DECAY = 0.55


class Isotropic:
    """Noise of Langevin's power, alike for all weights of a variable.

        θ_t = [the parent's own step] + σ_t · √γ_t · √p_t · Z_t,   p_t = the mean of P_t over the variable

    A mixin before a Langevin optimizer. The squared length of a variable's noise is the same on average; what is left
    out is that each weight has its own P.
    """

    _is_elementwise = False

    def preconditioner(self, t, *slots):
        return ops.mean(super().preconditioner(t, *slots))


class GradientNoise:
    """Noise on the gradient, before the parent makes a step of it.

        g ← g + N(0, σ² / (1 + t)^0.55),   t = 0, 1, ...

    A mixin before a Langevin optimizer, of which the noise's seed, sigma and layers are taken, and no other noise. The
    parent's preconditioner divides the noise as it does the gradient.

    References:
        A. Neelakantan et al., Adding gradient noise improves learning for very deep networks, arXiv:1511.06807,
        equation 1.
    """

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        t = ops.cast(self.iterations, "float32")
        scale = ops.cast(self.sigma, "float32") * (1 + t) ** (-_DECAY / 2)

        def with_noise(gradient, variable):
            return gradient + ops.cast(scale * self._normal(variable), gradient.dtype)

        noisy = [
            with_noise(*pair) if self._is_noisy(pair[1]) else pair[0]
            for pair in zip(grads, trainable_variables, strict=True)
        ]
        super(Langevin, self)._backend_update_step(noisy, trainable_variables, learning_rate)

    def _normal(self, variable):
        draw = noise_source.Draw((self._places[self._get_variable_index(variable)],), False, self.noise)
        return noise_source.sample(ops.convert_to_tensor(self._seed), ops.convert_to_tensor(self.iterations), draw)


class FirstUpdates:
    """Noise in the first updates alone: P is 0 after `noisy_updates` of them. A mixin before a Langevin optimizer."""

    noisy_updates: int

    def preconditioner(self, t, *slots):
        factor = ops.convert_to_tensor(super().preconditioner(t, *slots))
        return ops.where(self.iterations < self.noisy_updates, factor, ops.zeros_like(factor))


class WarmUp:
    """A learning rate that grows in equal parts over the first updates: γ_t · min(1, t / 100) for t = 1, 2, ..."""

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        share = ops.minimum(1.0, ops.cast(self.iterations + 1, learning_rate.dtype) / WARM_UP_UPDATES)
        super()._backend_update_step(grads, trainable_variables, learning_rate * share)


def optimizer(arm: Arm, **arguments) -> keras.optimizers.Optimizer:
    """The optimizer of an arm. One without noise is made from the Langevin optimizer: they share every other argument.

    Args:
        arm: as it is written; with a modifier it is one of this module.
        **arguments: its arguments, such as `Arm.arguments` gives.

    Raises:
        ValueError: no such optimizer, or an argument is out of its range.

    Example:

    >>> optimizer(Arm("clip-ladam"), sigma=1e-3).global_clipnorm
    1.0
    >>> type(optimizer(Arm("isotropic-adam"), sigma=1e-3)).__name__
    'IsotropicLAdam'
    """
    if arm.family not in FAMILIES:
        raise unknown("optimizer", arm.unmodified, [*FAMILIES, *LANGEVIN])
    if arm.modifier == "always" and not arm.is_noisy:
        raise ValueError(
            f"`always-` must stand before a Langevin optimizer, as in 'always-ladam'. Received: {arm.spec!r}"
        )
    if arm.modifier == "first" and not (arm.is_noisy and arm.noisy_updates):
        raise ValueError(
            "`first-` must stand before a number and a Langevin optimizer, as in 'first-35-ladam'. "
            f"Received: {arm.spec!r}"
        )
    family = FAMILIES[arm.family]
    cls = lookup(family.optimizer or family.langevin or f"l{arm.family}")
    if arm.modifier in _NOISES:
        cls = _mixed(_NOISES[arm.modifier], cls)
    if arm.modifier == "first":
        cls = _mixed(FirstUpdates, cls, noisy_updates=arm.noisy_updates)
    clipping = {"global_clipnorm": GLOBAL_CLIPNORM} if arm.modifier == "clip" else {}
    made = cls(**family.arguments, **clipping, **arguments)
    if not arm.is_noisy:
        made = without_noise(made)
    if arm.modifier == "warmup":
        made = _mixed(WarmUp, type(made)).from_config(made.get_config())
    return made


_NOISES = {"isotropic": Isotropic, "gradientnoise": GradientNoise}


@lru_cache
def _mixed(mixin: type, cls: type, **attributes) -> type:
    return type(f"{mixin.__name__}{cls.__name__}", (mixin, cls), attributes)
