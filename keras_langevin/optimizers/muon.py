"""L-Muon."""

import math

import keras
from keras import ops

from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.parent import backend_class


@keras.saving.register_keras_serializable(package="keras_langevin")
class LMuon(Langevin, backend_class(keras.optimizers.Muon), slots=("adam_velocities", "_scales"), elementwise=False):
    """Muon with Langevin noise.

        θ_t = [Muon's step] + σ_t · √γ_t · √P_t ⊙ Z_t,   Z_t ~ N(0, I)
        P_t = √max(rows, columns) · rms_rate              of a matrix that Muon moves; 1 with `rms_rate=None`
        P_t = adam_lr_ratio · √(1 − β₂ᵗ) / (√v_t + ε)      of the other weights, which AdamW moves

    Muon's step is −γ_t · P_t · O_t. O_t is the orthogonalized momentum: the direction, whose size does not depend on
    the gradient. No diagonal P makes O of the momentum, so P is the factor that Muon multiplies O with. No temperature
    follows for these weights, as with `LLion`: σ is a level of exploration.

    The matrix P = (M Mᵀ)^(−½) makes O of the momentum M. It was tried (`python benchmarks/muon_preconditioner.py`) and
    left out. In float32 the Newton–Schulz iterations for its root are wrong by 0.3% where M has a condition number of
    10³, and diverge from 10⁴ on. They take 4 to 11 times as long as Muon's own for a square matrix. And P has no bound
    where M has less than full rank, as with a dead unit or a batch smaller than the layer.

    Args:
        learning_rate: γ: float, `LearningRateSchedule` or callable. Defaults to `0.001`.
        adam_beta_2: β₂, float, decay rate of AdamW's second moment. Defaults to `0.999`.
        adam_lr_ratio: float, AdamW's learning rate over γ. Defaults to `1`.
        rms_rate: float, or `None` for steps that are not scaled by the shape. Defaults to `0.2`.
        epsilon: ε, float, outside the root of AdamW's weights as in Keras. Defaults to `1e-6` (Keras's Muon: `1e-7`).
            It bounds their P by adam_lr_ratio/ε.
        sigma: σ, the noise level: float >= 0, schedule or callable. Defaults to `1e-3`.
        layers: which layers are noisy, see `keras_langevin.Langevin`. Defaults to `None` (all).
        seed: int, or `None` to draw one. Defaults to `None`.
        noise: `"normal"` or `"rademacher"`, see `keras_langevin.Langevin`. Defaults to `"normal"`.
        **kwargs: every other argument of `keras.optimizers.Muon`.

    Raises:
        ValueError: see `keras_langevin.Langevin`.

    Example:

    >>> from keras_langevin import LMuon
    >>> LMuon(1e-3, sigma=1e-4, exclude_layers=["head"]).rms_rate
    0.2

    References:
        K. Jordan et al., Muon, https://kellerjordan.github.io/posts/muon. J. Liu et al., Muon is scalable for LLM
        training, arXiv:2502.16982 (`rms_rate`). P. Bras, arXiv:2212.14718.
    """

    def preconditioner(self, t, v, scale):
        adam = self.adam_lr_ratio * ops.sqrt(1 - self.adam_beta_2**t) / (ops.sqrt(v) + self.epsilon)
        return ops.where(scale > 0, scale, adam)

    @property
    def _scales(self) -> list[float]:
        """P of each matrix that Muon moves; 0 for the weights that AdamW moves."""
        return [
            self._scale_of(variable.shape) if velocity is None else 0.0
            for variable, velocity in zip(self._trainable_variables, self.adam_velocities, strict=True)
        ]

    def _scale_of(self, shape) -> float:
        return 1.0 if self.rms_rate is None else math.sqrt(max(shape)) * self.rms_rate
