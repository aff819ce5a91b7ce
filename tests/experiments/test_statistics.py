import numpy as np
import pytest
from scipy import stats

from keras_langevin.experiments.statistics import mean_and_std, paired_difference, stayed_at_chance


def test_interval_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    treatment, baseline = rng.normal(1, 2, 8), rng.normal(size=8)
    difference = paired_difference(treatment, baseline)
    expected = stats.ttest_rel(treatment, baseline).confidence_interval(0.95)
    np.testing.assert_allclose([difference.low, difference.high], expected)
    assert difference.mean == pytest.approx(np.mean(treatment - baseline))


def test_an_interval_that_holds_zero_says_so():
    assert paired_difference([1.0, -1.0, 0.5], [0, 0, 0]).holds_zero
    assert not paired_difference([1.0, 1.1, 0.9], [0, 0, 0]).holds_zero
    assert not paired_difference([-1.0, -1.1, -0.9], [0, 0, 0]).holds_zero


def test_one_seed_has_no_interval():
    difference = paired_difference([1.0], [0.0])
    assert difference.mean == 1 and np.isnan(difference.low) and difference.holds_zero
    assert np.isnan(mean_and_std([1.0])[1])


def test_mean_and_sample_standard_deviation():
    assert mean_and_std([1.0, 2.0, 3.0]) == (2.0, 1.0)


def test_chance_depends_on_the_number_of_classes():
    assert stayed_at_chance([0.1, 0.19, 0.2, 0.9], 10).tolist() == [True, True, False, False]
    assert stayed_at_chance([0.1], 100).tolist() == [False]
