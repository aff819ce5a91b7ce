"""The drift Γ of a preconditioner that depends on the weights, computed from gradients and the noise only."""

from typing import Any

from keras import ops

from keras_langevin.optimizers.draws import Preconditioner, noise_dtype
from keras_langevin.optimizers.langevin import Langevin


class GammaCorrection(Langevin):
    """A mixin that adds the drift Γ_i = ∂P_i/∂θ_i, which a state-dependent P needs. Name it instead of `Langevin`.

        θ_t = [the parent's step] + σ_t√γ_t · √P_t ⊙ Z_t + C_t
        C_t = (1 + ρ) · (√P_t − √P_{t−1}) ⊙ S_t,   S_{t+1} = ρ · S_t + σ_t√γ_t · Z_t,   S_1 = 0

    Small steps sample exp(−2V/σ²)/P without it, and exp(−2V/σ²) with it. C_t has the mean γ·(σ²/2)·Γ. P must be a
    function of v_t = ρ·v_{t−1} + (1 − ρ)·g_t², and v must forget faster than the weights decorrelate. See
    docs/gamma-correction.md for the derivation and measurements.

    Args:
        *args: the optimizer's arguments.
        gamma_correction: bool. It keeps one more slot, S, for each noisy variable. Defaults to `False`.
        **kwargs: the optimizer's arguments.

    Example:

    >>> from keras_langevin import LAdam
    >>> LAdam(1e-3, beta_1=0.0, beta_2=0.99, sigma=1e-2, gamma_correction=True).gamma_correction
    True

    References:
        C. Li, C. Chen, D. Carlson and L. Carin, AAAI 2016 (Γ). S. Delong, F. Balboa Usabiaga and A. Donev,
        Brownian dynamics without Green's functions, J. Chem. Phys. 2014 (a random displacement for a divergence).
    """

    def __init__(self, *args: Any, gamma_correction: bool = False, **kwargs: Any):
        if not isinstance(gamma_correction, bool):
            raise ValueError(f"`gamma_correction` must be True or False. Received: {gamma_correction=}. Pass a bool.")
        super().__init__(*args, **kwargs)
        self.gamma_correction = gamma_correction
        self._noise_memories = {}  # by str(index): TensorFlow's checkpoints need str keys
        if gamma_correction:
            self._is_elementwise = False  # variable by variable, like C
            self._check_needed()

    # --- what a subclass defines ------------------------------------------------------------------------------------

    # Arguments that the correction restricts, and the value that each must have.
    _needed_for_correction: dict[str, object] = {}

    @property
    def _averaging_rate(self) -> float:
        """ρ, the share of v that an update keeps."""
        raise NotImplementedError

    # ----------------------------------------------------------------------------------------------------------------

    def _check_needed(self):
        for argument, needed in self._needed_for_correction.items():
            value = getattr(self, argument)
            if value != needed:
                raise ValueError(
                    "`gamma_correction=True` needs a step −γ·P·g with a P that is a function of the mean squared "
                    f"gradient, hence {argument}={needed} in {type(self).__name__}. Received: {argument}={value}. "
                    f"Pass `{argument}={needed}`, or leave the correction out."
                )

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._add_memories()

    def _add_gate(self, chosen):
        super()._add_gate(chosen)
        self._add_memories()

    def _add_memories(self):
        """Adds a slot for each noisy variable without one. The slots stay in order, after all other variables."""
        if not self.gamma_correction:
            return
        missing = [index for index in sorted(self._drawn_indices) if str(index) not in self._noise_memories]
        slots = self.add_optimizer_variables([self._trainable_variables[index] for index in missing], "noise_memory")
        memories = dict(self._noise_memories) | dict(zip(map(str, missing), slots, strict=True))
        memories = {index: memories[index] for index in sorted(memories, key=int)}
        if self._noise_memories and missing:
            for memory in memories.values():
                self._untrack_variable(memory)
                self._track_variable(memory)
        self._noise_memories = memories

    def _own_variables(self):
        memories = {f"noise_memory_{index}": memory for index, memory in self._noise_memories.items()}
        return super()._own_variables() | memories

    def _before(self, indices):
        """Adds √P from before the step."""
        before = super()._before(indices)
        return [*before, self._roots(indices, before)] if self.gamma_correction else before

    def _roots(self, indices, before) -> dict:
        """Returns √P by the variables' numbers."""
        preconditioner = Preconditioner(self, indices, before)
        return {index: ops.sqrt(preconditioner.of(number)) for number, index in enumerate(indices)}

    def _add_noise(self, variables, indices, draw, before, learning_rate):
        if not self.gamma_correction:
            super()._add_noise(variables, indices, draw, before, learning_rate)
            return
        *before, previous = before
        super()._add_noise(variables, indices, draw, before, learning_rate)
        roots, dtype = self._roots(indices, before), noise_dtype(variables[0])
        for variable, index in zip(variables, indices, strict=True):
            scale = self._scale(learning_rate, dtype)
            if self._gate is not None:
                scale = ops.where(self._gate.of(index), scale, ops.zeros_like(scale))
            memory = self._noise_memories[str(index)]
            past = ops.cast(memory, dtype)
            correction = (1 + self._averaging_rate) * (roots[index] - previous[index]) * past
            self.assign_add(variable, ops.cast(correction, variable.dtype))
            z = ops.cast(self._normal(variable), dtype)
            self.assign(memory, ops.cast(self._averaging_rate * past + scale * z, memory.dtype))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"gamma_correction": self.gamma_correction}
