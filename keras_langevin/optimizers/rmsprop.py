"""L-RMSprop."""

from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Arguments, Level
from keras_langevin.optimizers.gamma_correction import GammaCorrection
from keras_langevin.optimizers.parent import arguments_of, backend_class


class RMSpropEpsilonAnywhere(backend_class(keras.optimizers.RMSprop)):
    """Keras's RMSprop, with ε outside the root if `epsilon_inside_sqrt` is `False`.

        v ← ρ·v + (1 − ρ)·g²,   ḡ ← ρ·ḡ + (1 − ρ)·g,   step = γ·g / (√v + ε), centered: γ·g / (√(v − ḡ²) + ε)

    It has Keras's slots, so files of weights fit both forms.
    """

    epsilon_inside_sqrt = True

    def update_step(self, gradient, variable, learning_rate):
        if self.epsilon_inside_sqrt:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        learning_rate, gradient = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        velocity = self._velocities[index]

        def mean(slot, value):  # Keras's operations take TensorFlow's sparse gradients, Python's operators do not
            return ops.add(ops.multiply(self.rho, slot), ops.multiply(1 - self.rho, value))

        self.assign(velocity, mean(velocity, ops.square(gradient)))
        variance = ops.convert_to_tensor(velocity)
        if self.centered:
            average = self._average_gradients[index]
            self.assign(average, mean(average, gradient))
            variance = ops.maximum(variance - ops.square(average), 0.0)  # rounding may bring it below 0
        increment = ops.divide(ops.multiply(learning_rate, gradient), ops.sqrt(variance) + self.epsilon)
        if self.momentum > 0:
            momentum = self._momentums[index]
            self.assign(momentum, ops.add(ops.multiply(self.momentum, momentum), increment))
            increment = ops.convert_to_tensor(momentum)
        self.assign_sub(variable, increment)

    def _parallel_update_step(self, grads, variables, learning_rate):
        """Does the same for all variables at once. Keras calls it only on PyTorch."""
        if self.epsilon_inside_sqrt:
            super()._parallel_update_step(grads, variables, learning_rate)
            return
        import torch

        def slots(of_all):
            return [of_all[self._get_variable_index(variable)].value for variable in variables]

        velocities, values = slots(self._velocities), [variable.value for variable in variables]
        torch._foreach_mul_(velocities, self.rho)
        torch._foreach_add_(velocities, torch._foreach_mul(grads, grads), alpha=1 - self.rho)
        variances = velocities
        if self.centered:
            averages = slots(self._average_gradients)
            torch._foreach_mul_(averages, self.rho)
            torch._foreach_add_(averages, grads, alpha=1 - self.rho)
            variances = torch._foreach_sub(velocities, torch._foreach_mul(averages, averages))
            torch._foreach_clamp_min_(variances, 0.0)
        denominators = torch._foreach_sqrt(variances)
        torch._foreach_add_(denominators, self.epsilon)
        increments = torch._foreach_mul(grads, ops.cast(learning_rate, values[0].dtype))
        torch._foreach_div_(increments, denominators)
        if self.momentum > 0:
            momentums = slots(self._momentums)
            torch._foreach_mul_(momentums, self.momentum)
            torch._foreach_add_(momentums, increments)
            increments = momentums
        torch._foreach_sub_(values, increments)


@keras.saving.register_keras_serializable(package="keras_langevin")
class LRMSprop(GammaCorrection, RMSpropEpsilonAnywhere, slots=("_velocities", "_average_gradients")):
    """RMSprop with Langevin noise (pSGLD).

        θ_t = [RMSprop's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   P_t = 1 / √(v_t + ε),   Z_t ~ N(0, I)

    With `epsilon_inside_sqrt=False`, P_t = 1 / (√v_t + ε) for step and noise, as in the pSGLD paper. With `centered`,
    v_t − ḡ_t² replaces v_t. With a `momentum` μ, multiply σ by 1/√(1 − μ), as for `LSGD`. In very deep nets with ε
    inside the root choose σ with `find_sigma`: the default is too small there and does harm.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        rho: float, decay rate of the averages. Defaults to `0.9`.
        momentum: float. Defaults to `0.0`.
        epsilon: ε, float. It bounds P by 1/√ε, by 1/ε outside the root. Defaults to `1e-6` (Keras's RMSprop: `1e-7`).
        centered: bool. Defaults to `False`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        epsilon_inside_sqrt: bool, whether ε is inside the root, as in Keras. Defaults to `True`.
        gamma_correction: bool, whether to add the drift γ·(σ²/2)·Γ, so that small steps sample exp(−2V/σ²). Not with
            `momentum` or `centered`. See `keras_langevin.optimizers.GammaCorrection`. Defaults to `False`.
        **kwargs: every other argument of `keras.optimizers.RMSprop`.

    Example:

    >>> from keras_langevin import LRMSprop
    >>> LRMSprop(1e-3, sigma=1e-4, layers=["stem", -1]).layers
    ['stem', -1]
    >>> LRMSprop(1e-3, sigma=1e-2, epsilon_inside_sqrt=False).get_config()["epsilon_inside_sqrt"]
    False

    References:
        C. Li, C. Chen, D. Carlson and L. Carin, Preconditioned stochastic gradient Langevin dynamics for deep neural
        networks, AAAI 2016, algorithm 1 (ε outside). P. Bras, arXiv:2212.14718.
    """

    _needed_for_correction = {"momentum": 0.0, "centered": False}

    def __init__(
        self,
        learning_rate: Level = 0.001,
        rho=0.9,
        momentum=0.0,
        epsilon=1e-6,
        centered=False,
        *args: Any,
        epsilon_inside_sqrt=True,
        gamma_correction=False,
        **kwargs: Unpack[Arguments],
    ):
        if not isinstance(epsilon_inside_sqrt, bool):
            raise ValueError(
                "`epsilon_inside_sqrt` must be True (Keras's formula) or False (pSGLD's). "
                f"Received: {epsilon_inside_sqrt=}. Pass a bool."
            )
        super().__init__(
            learning_rate, rho, momentum, epsilon, centered, *args, gamma_correction=gamma_correction, **kwargs
        )
        self.epsilon_inside_sqrt = epsilon_inside_sqrt

    @property
    def _averaging_rate(self) -> float:
        return self.rho

    def preconditioner(self, t, v, g_mean):
        if self.centered:
            v = v - ops.square(g_mean)
        if self.epsilon_inside_sqrt:
            return 1 / ops.sqrt(v + self.epsilon)
        return 1 / (ops.sqrt(ops.maximum(v, 0.0)) + self.epsilon)

    def _without_noise(self):
        if self.epsilon_inside_sqrt:
            return super()._without_noise()
        arguments = arguments_of(self, keras.optimizers.RMSprop)
        return LRMSprop.from_config(arguments | {"epsilon_inside_sqrt": False, "layers": 0})

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"epsilon_inside_sqrt": self.epsilon_inside_sqrt}
