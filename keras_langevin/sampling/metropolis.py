"""Metropolis tests of Langevin steps (MALA)."""

from dataclasses import dataclass

import numpy as np

from keras_langevin.optimizers import SGHMC
from keras_langevin.reading import number
from keras_langevin.sampling.potential import Point, Potential


@dataclass(frozen=True)
class Proposals:
    """Langevin steps with the full gradient and a fixed P, as proposals for the law exp(−2V/σ²).

        θ' = θ − h·P·∇V(θ) + σ·√(hP)·Z,   Z ~ N(0, I)

    h = γ, and γ/2 for `SGHMC`: with noise in the momentum, a step has the error of half the learning rate.

    Attributes:
        potential: `Potential`.
        sigma: float > 0.
        learning_rate: float, γ.
        preconditioner: flat array, P.
        time: float, h/γ.
    """

    potential: Potential
    sigma: float
    learning_rate: float
    preconditioner: np.ndarray
    time: float

    @classmethod
    def of(cls, potential: Potential) -> "Proposals":
        """Creates proposals with the optimizer's current settings."""
        optimizer = potential.optimizer
        sigma, learning_rate = number(optimizer.sigma), number(optimizer.learning_rate)
        square = np.square(potential.noise)
        is_underdamped = isinstance(optimizer, SGHMC)
        preconditioner = np.ones_like(square) if is_underdamped else square / (sigma**2 * learning_rate)
        return cls(potential, sigma, learning_rate, preconditioner, 0.5 if is_underdamped else 1.0)

    def propose(self, point: Point, learning_rate: float, generator: np.random.Generator) -> tuple[Point, float]:
        """Returns a proposal and the probability with which Metropolis-Hastings would accept it: 0 if its loss is not
        finite."""
        temperature = self.sigma**2 / 2
        rate = self.time * learning_rate * self.preconditioner
        noise = self.sigma * np.sqrt(rate) * generator.standard_normal(point.theta.shape)
        with np.errstate(all="ignore"):
            other = self.potential.at(point.theta - rate * point.gradient + noise)
            back = point.theta - other.theta + rate * other.gradient
            moved = np.sum((np.square(noise) - np.square(back)) / rate) / (4 * temperature)
            log = (point.loss - other.loss) / temperature + moved
        return other, float(np.exp(min(log, 0.0))) if np.isfinite(log) else 0.0

    def gradient_noise_share(self, point: Point, learning_rate: float) -> float:
        """Returns the variance that batches add to a step, over that of its noise: the mean over the weights."""
        return float(np.mean(learning_rate * self.preconditioner * point.variance) / self.sigma**2)
