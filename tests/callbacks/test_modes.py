"""Targets with several modes: cycles of step sizes find them all, small steps alone do not."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, CyclicalLangevin, PosteriorSamples
from tests.callbacks.models import JIT
from tests.optimizers.cases import BACKEND

CHAINS, CYCLES, PERIOD = 2_000, 5, 300
GRID = [(i, j) for i in (-4, -2, 0, 2, 4) for j in (-4, -2, 0, 2, 4)]


class Chains(keras.layers.Layer):
    """Sums V(θ) over many chains, so that each has its own gradient. All start at one point."""

    def __init__(self, energy, start, number: int):
        super().__init__()
        self.energy, self.start = energy, np.tile(np.float32(start), (number, 1))

    def build(self, input_shape):
        self.chains = self.add_weight(
            shape=self.start.shape, initializer=lambda shape, dtype: ops.convert_to_tensor(self.start)
        )

    def call(self, inputs):
        return inputs * 0 + self.energy(self.chains)


def two_modes(chains):
    """With σ² = 2, exp(−2V/σ²) is an even mixture of N(−5, 1) and N(5, 1) in the first coordinate, and N(0, 1) in the
    second. Between the modes the density is 2·e⁻¹²·⁵ times that of a mode."""
    first = 5 * chains[:, 0]
    return ops.sum(ops.square(chains)) / 2 - ops.sum(ops.logaddexp(first, -first))


def grid_of_modes(chains):
    """With σ² = 2, an even mixture of 25 Gaussians of variance 0.03 on a grid of distance 2 (Zhang et al. 2020)."""
    distances = ops.sum(ops.square(chains[:, None] - ops.convert_to_tensor(np.float32(GRID))), axis=-1)
    return -ops.sum(ops.logsumexp(-distances / 0.06, axis=-1))


def chains_at(layer, optimizer, cycles: int, period: int, *callbacks, thinning: int | None = None) -> np.ndarray:
    """Returns the chains' states of shape `(num_samples, num_chains, 2)`, as `PosteriorSamples` collects them every
    `thinning` steps, or at the ends of the cycles of `period` steps. With a callback, only states of its sampling
    stages."""
    model = keras.Sequential([keras.Input((1,)), layer])
    # without a callback that changes each step, many steps are one execution if that is faster
    together = (thinning or period) if BACKEND == "tensorflow" and not callbacks else 1
    model.compile(
        optimizer=optimizer, loss=lambda target, energy: ops.sum(energy), jit_compile=JIT, steps_per_execution=together
    )
    when, thinning = callbacks[0] if callbacks else None, thinning or period
    samples = PosteriorSamples(burn_in=0, thinning=thinning, max_samples=cycles * period // thinning, when=when)
    ones = np.ones((period, 1), "float32")
    model.fit(ones, ones, batch_size=1, epochs=cycles, verbose=0, callbacks=[*callbacks, samples])
    return np.stack([samples.ring.arrays(number)[0] for number in range(len(samples.settings))])


@pytest.mark.ci
def test_cyclical_langevin_finds_both_modes():
    """Compares five cycles of 300 steps from 1.7 to almost 0 with 1500 steps of 0.02, for 2,000 chains from one start.

    With small steps at most two of 2,000 chains leave the mode that they started in. At the ends of the cycles four of
    five chains have been in both modes. After the last cycle half of them are in each mode within four standard errors,
    and the variance within a mode is the law's, up to its Monte Carlo error and 8% for the size of the steps: a chain
    stops moving when the remaining steps add up to about 1. There γ is 0.075, for which the variance is
    1/(1 − γ/2) = 1.04.
    """
    small = chains_at(Chains(two_modes, (-5, 0), CHAINS), LSGD(0.02, sigma=math.sqrt(2), seed=1), CYCLES, PERIOD)
    assert np.sum(small[-1][:, 0] > 0) <= 2
    cyclical = CyclicalLangevin(CYCLES, exploration_fraction=0.05)
    optimizer = LSGD(1.7, sigma=math.sqrt(2), seed=1)
    ends = chains_at(Chains(two_modes, (-5, 0), CHAINS), optimizer, CYCLES, PERIOD, cyclical)
    assert len(small) == len(ends) == CYCLES
    right = ends[:, :, 0] > 0
    in_both = np.mean(right.any(axis=0) & ~right.all(axis=0))
    print(f"\nshare of the chains on the right after each cycle: {right.mean(axis=1)}, of those in both {in_both}")
    assert in_both > 0.8
    assert abs(right[-1].mean() - 0.5) < 4 * math.sqrt(0.25 / CHAINS)
    for inside in (np.abs(ends[-1][:, 0]) - 5, ends[-1][:, 1]):
        assert abs(np.mean(inside**2) - 1) < 4 * math.sqrt(2 / CHAINS) + 0.08


def modes_found(samples: np.ndarray) -> tuple[list[int], float]:
    """Returns how many of the 25 modes each group of four chains found, and the share of samples that are more than
    three standard deviations from every mode."""
    distances = np.linalg.norm(samples[:, :, None] - np.float32(GRID), axis=-1)
    nearest = np.where(distances.min(axis=-1) < 3 * math.sqrt(0.03), distances.argmin(axis=-1), -1)
    fours = np.split(nearest, nearest.shape[1] // 4, axis=1)
    return [len({*np.unique(four)} - {-1}) for four in fours], float(np.mean(nearest < 0))


@pytest.mark.ci
def test_cyclical_langevin_finds_25_modes():
    """The mixture of Zhang et al. (2020) with four chains: in their figure SGLD finds about 4 of 25 modes, and cSGLD
    all. This test has ten groups of four chains, with 6,000 steps from one start.

    With steps of 0.03 four chains find a few modes. Steps of 0.05 find all, but nearly half of their samples lie
    outside the modes, so no constant step does both. Cycles from 0.09 find all.
    """
    start, noise, cycles, period = (0.1, 0.1), math.sqrt(2), 60, 100
    small, outside_small = modes_found(
        chains_at(Chains(grid_of_modes, start, 40), LSGD(0.03, sigma=noise, seed=1), cycles, period, thinning=10)
    )
    cyclical = CyclicalLangevin(cycles, exploration_fraction=0.25)
    optimizer = LSGD(0.09, sigma=noise, seed=1)
    found, outside = modes_found(
        chains_at(Chains(grid_of_modes, start, 40), optimizer, cycles, period, cyclical, thinning=10)
    )
    print(f"\nmodes found by four chains: {small} with small steps, {found} with cycles")
    print(f"samples outside of all modes: {outside_small:.0%} and {outside:.0%}")
    assert max(small) <= 8
    assert found == [25] * 10
    assert outside_small < outside < 0.35
