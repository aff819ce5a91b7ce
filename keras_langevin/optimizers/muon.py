"""L-Muon."""

import math
from typing import Any, Unpack

import keras
from keras import ops

from keras_langevin.optimizers.arguments import Level, NoiseArguments
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LMuon(Langevin, backend_class(keras.optimizers.Muon), slots=("adam_velocities", "_scales"), elementwise=False):
    """Muon with Langevin noise.

        θ_t = [Muon's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   Z_t ~ N(0, I)
        P_t = √max(rows, columns) · rms_rate              for a matrix that Muon updates; 1 with `rms_rate=None`
        P_t = adam_lr_ratio · √(1 − β₂ᵗ) / (√v_t + ε)      for the other weights, which AdamW updates

    Muon's step is −γ_t · P_t · O_t with the orthogonalized momentum O_t. For its matrices σ does not set a
    temperature, only a level of exploration, as in `LLion`.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        adam_beta_2: β₂, float, decay rate of AdamW's second moment. Defaults to `0.999`.
        epsilon: ε, float. It bounds P of AdamW's weights by adam_lr_ratio/ε. Defaults to `1e-6` (Keras's Muon: `1e-7`).
        adam_lr_ratio: float, AdamW's learning rate divided by γ. Defaults to `1`.
        rms_rate: float, or `None` for steps that do not depend on the shape. Defaults to `0.2`.
        sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`.
        **kwargs: every other argument of `keras.optimizers.Muon`.

    Example:

    >>> from keras_langevin import LMuon
    >>> LMuon(1e-3, sigma=1e-4, exclude_layers=["head"]).rms_rate
    0.2

    References:
        K. Jordan et al., Muon, https://kellerjordan.github.io/posts/muon. J. Liu et al., Muon is scalable for LLM
        training, arXiv:2502.16982 (`rms_rate`). P. Bras, arXiv:2212.14718.
    """

    def __init__(
        self,
        learning_rate: Level = 0.001,
        adam_beta_1=0.9,
        adam_beta_2=0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon=1e-6,
        weight_decay: float | None = 0.004,
        *args: Any,
        exclude_layers: list[str] | None = None,
        exclude_embeddings=True,
        muon_a=3.4445,
        muon_b=-4.775,
        muon_c=2.0315,
        adam_lr_ratio: float = 1,
        momentum=0.95,
        ns_steps=5,
        nesterov=True,
        rms_rate: float | None = 0.2,
        **kwargs: Unpack[NoiseArguments],
    ):
        super().__init__(
            learning_rate,
            adam_beta_1,
            adam_beta_2,
            adam_weight_decay,
            epsilon,
            weight_decay,
            *args,
            exclude_layers=exclude_layers,
            exclude_embeddings=exclude_embeddings,
            muon_a=muon_a,
            muon_b=muon_b,
            muon_c=muon_c,
            adam_lr_ratio=adam_lr_ratio,
            momentum=momentum,
            ns_steps=ns_steps,
            nesterov=nesterov,
            rms_rate=rms_rate,
            **kwargs,
        )

    def preconditioner(self, t, v, scale):
        adam = self.adam_lr_ratio * ops.sqrt(1 - self.adam_beta_2**t) / (ops.sqrt(v) + self.epsilon)
        return ops.where(scale > 0, scale, adam)

    @property
    def _scales(self) -> list[float]:
        """P of each matrix that Muon updates; 0 for the weights that AdamW updates."""
        return [
            self._scale_of(variable.shape) if velocity is None else 0.0
            for variable, velocity in zip(self._trainable_variables, self.adam_velocities, strict=True)
        ]

    def _scale_of(self, shape) -> float:
        return 1.0 if self.rms_rate is None else math.sqrt(max(shape)) * self.rms_rate
