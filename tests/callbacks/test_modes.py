"""A target with two modes: cycles of steps find both, small steps alone do not."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import LSGD, CyclicalLangevin, PosteriorSamples
from tests.callbacks.models import JIT
from tests.optimizers.cases import BACKEND

CHAINS, CYCLES, PERIOD = 2_000, 5, 300


class TwoModes(keras.layers.Layer):
    """V(θ) of many chains at once, summed, so that each has its own gradient. With σ² = 2, exp(−2V/σ²) is an even
    mixture of N(−5, 1) and N(5, 1) in the first coordinate, and N(0, 1) in the second: between the modes the density is
    2·e⁻¹²·⁵ of theirs. All chains start in the left one."""

    def build(self, input_shape):
        start = np.tile(np.float32([-5, 0]), (CHAINS, 1))
        self.chains = self.add_weight(shape=start.shape, initializer=lambda shape, dtype: ops.convert_to_tensor(start))

    def call(self, inputs):
        first = 5 * self.chains[:, 0]
        energy = ops.sum(ops.square(self.chains)) / 2 - ops.sum(ops.logaddexp(first, -first))
        return inputs * 0 + energy


def chains_at(optimizer, *callbacks) -> np.ndarray:
    """Where the chains are after each `PERIOD` steps, `(CYCLES, CHAINS, 2)`: as `PosteriorSamples` collects them."""
    model = keras.Sequential([keras.Input((1,)), TwoModes()])
    # without a callback that changes each step, many steps are one execution where Keras makes that quicker
    together = PERIOD if BACKEND == "tensorflow" and not callbacks else 1
    model.compile(
        optimizer=optimizer, loss=lambda target, energy: ops.sum(energy), jit_compile=JIT, steps_per_execution=together
    )
    when = callbacks[0] if callbacks else None
    samples = PosteriorSamples(burn_in=0, thinning=PERIOD, max_samples=CYCLES, when=when)
    ones = np.ones((PERIOD, 1), "float32")
    model.fit(ones, ones, batch_size=1, epochs=CYCLES, verbose=0, callbacks=[*callbacks, samples])
    assert [settings["iteration"] for settings in samples.settings] == [PERIOD * (i + 1) for i in range(CYCLES)]
    return np.stack([samples.ring.arrays(number)[0] for number in range(CYCLES)])


@pytest.mark.ci
def test_cyclical_langevin_finds_both_modes():
    """Five cycles of 300 steps from 1.7 to almost 0, against 1500 steps of 0.02, of 2,000 chains each, all from one
    start.

    With small steps alone no more than two in 2,000 chains leave the mode that they started in. At the ends of the
    cycles four of five chains have been in both; after the last, half of all are in each within four standard errors,
    and within a mode the variance is the law's, to its Monte-Carlo error and to 8% for the size of the steps: a chain
    no longer moves when the steps that are left add up to about 1, and there γ is 0.075, for which the variance is
    1/(1 − γ/2) = 1.04.
    """
    small = chains_at(LSGD(0.02, sigma=math.sqrt(2), seed=1))
    assert np.sum(small[-1][:, 0] > 0) <= 2
    cyclical = CyclicalLangevin(CYCLES, exploration_fraction=0.05)
    ends = chains_at(LSGD(1.7, sigma=math.sqrt(2), seed=1), cyclical)
    right = ends[:, :, 0] > 0
    in_both = np.mean(right.any(axis=0) & ~right.all(axis=0))
    print(f"\nshare of the chains on the right after each cycle: {right.mean(axis=1)}, of those in both {in_both}")
    assert in_both > 0.8
    assert abs(right[-1].mean() - 0.5) < 4 * math.sqrt(0.25 / CHAINS)
    for inside in (np.abs(ends[-1][:, 0]) - 5, ends[-1][:, 1]):
        assert abs(np.mean(inside**2) - 1) < 4 * math.sqrt(2 / CHAINS) + 0.08
