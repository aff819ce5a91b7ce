import itertools

import numpy as np
import pytest
from scipy import stats

from keras_langevin.experiments.statistics import (
    chance_threshold,
    holm,
    mean_and_std,
    paired_difference,
    signed_rank_p_value,
    smallest_p_value,
    stayed_at_chance,
    summary,
)


def difference(values):
    return paired_difference(values, np.zeros(len(values)), generator=np.random.default_rng(0))


def bca_over_all_resamples(values):
    """Efron's formulas over all n^n resamples, in place of 9999 that are drawn."""
    values = np.asarray(values, float)
    means = np.sort([np.mean(sample) for sample in itertools.product(values, repeat=len(values))])
    mean = values.mean()
    below = ((means < mean - 1e-12).mean() + (means <= mean + 1e-12).mean()) / 2
    bias = stats.norm.ppf(below)
    left_out = np.array([np.delete(values, index).mean() for index in range(len(values))])
    spread = left_out.mean() - left_out
    acceleration = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5)
    normal = stats.norm.ppf([0.025, 0.975])
    levels = stats.norm.cdf(bias + (bias + normal) / (1 - acceleration * (bias + normal)))
    return np.quantile(means, levels)


@pytest.mark.parametrize("values", [[0.5, 1.0, 2.0, 4.0, 0.2], [-1.0, 0.3, 0.1, 0.6, 9.0], [3.0, 1.0, 2.0, 2.5, 2.2]])
def test_the_interval_is_the_bca_bootstrap(values):
    found = difference(values)
    assert found.method == "BCa"
    tolerance = 0.03 * np.ptp(values)  # 9999 resamples of 3125
    np.testing.assert_allclose([found.low, found.high], bca_over_all_resamples(values), atol=tolerance)


def test_the_interval_of_many_seeds_is_near_student_s():
    values = np.random.default_rng(1).normal(1, 2, 200)
    found = difference(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], expected, atol=0.05)
    assert found.mean == pytest.approx(values.mean())


@pytest.mark.parametrize(
    ("values", "low", "high"), [([1.0, 3.0], 1.0, 3.0), ([2.0, 2.0, 2.0, 2.0], 2.0, 2.0), ([0.0] * 5, 0.0, 0.0)]
)
def test_where_bca_is_not_defined_the_interval_is_by_percentile(values, low, high):
    found = difference(values)
    assert (found.method, found.low, found.high) == ("percentile", low, high)


def test_the_interval_is_a_function_of_the_values_and_the_generator_s_state():
    values = [0.5, 1.0, 2.0, 4.0, 0.2]
    assert (difference(values).low, difference(values).high) == (difference(values).low, difference(values).high)
    other = paired_difference(values, [0] * 5, generator=np.random.default_rng(1), confidence=0.8)
    assert other.low > difference(values).low and other.high < difference(values).high


def test_an_interval_that_holds_zero_says_so():
    assert difference([1.0, -1.0, 0.5]).holds_zero
    assert not difference([1.0, 1.1, 0.9]).holds_zero
    assert not difference([-1.0, -1.1, -0.9]).holds_zero
    assert difference([0.0, 0.0, 0.0]).holds_zero


def test_pairs_are_by_position():
    found = paired_difference([3.0, 1.0], [1.0, 2.0], generator=np.random.default_rng(0))
    assert found.values.tolist() == [2.0, -1.0] and found.mean == 0.5


def test_one_seed_has_no_interval():
    found = difference([1.0])
    assert found.mean == 1 and np.isnan(found.low) and found.method == "" and found.holds_zero and found.p_value == 1
    assert np.isnan(mean_and_std([1.0])[1])


@pytest.mark.parametrize(
    ("treatment", "parent"), [([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]]), ([1.0], [np.nan]), ([np.inf], [1.0])]
)
def test_what_cannot_be_paired_is_an_error(treatment, parent):
    with pytest.raises(ValueError, match="Received"):
        paired_difference(treatment, parent, generator=np.random.default_rng(0))


def signed_rank_by_all_signs(values):
    """The test by its definition: the sum of ranks of positive differences over all 2^n choices of signs."""
    values = np.array([value for value in values if value])
    ranks = stats.rankdata(np.abs(values))
    centre = ranks.sum() / 2
    observed = abs(ranks[values > 0].sum() - centre)
    sums = [np.dot(ranks, signs) for signs in itertools.product((0, 1), repeat=len(values))]
    return np.mean([abs(total - centre) >= observed - 1e-9 for total in sums])


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0, 3.0, 4.0, 5.0],
        [0.4, -0.1, 0.7, 1.1, -0.3, 2.0, 0.9],
        [1.0, 1.0, -1.0, 2.0, 2.0, 3.0],  # ties
        [0.0, 1.0, 2.0, 0.0, -3.0, 4.0, 5.0],  # zeros
        [-0.5] * 8,
    ],
)
def test_p_is_that_of_all_signs(values):
    assert signed_rank_p_value(values) == pytest.approx(signed_rank_by_all_signs(values))


def test_p_without_any_difference_is_one():
    assert signed_rank_p_value([0.0, 0.0, 0.0]) == 1


@pytest.mark.parametrize("num_seeds", range(1, 11))
def test_no_p_is_smaller_than_the_smallest(num_seeds):
    assert signed_rank_p_value(np.arange(1.0, num_seeds + 1)) == pytest.approx(smallest_p_value(num_seeds))


def test_differences_that_are_equal_but_for_rounding_are_ties():
    """0.9 − 0.8 and 0.4 − 0.3 differ in the last bit."""
    found = paired_difference([0.9, 0.4, 0.1], [0.8, 0.3, 0.2], generator=np.random.default_rng(0))
    assert found.values.tolist() == [0.1, 0.1, -0.1] and found.p_value == 1


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),  # R: p.adjust(c(...), "holm")
        ([0.04, 0.01, 0.03, 0.005], [0.06, 0.03, 0.06, 0.02]),
        ([0.0001, 0.5, 0.9], [0.0003, 1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.3], [0.3]),
        ([], []),
    ],
)
def test_holm_by_worked_numbers(p_values, adjusted):
    np.testing.assert_allclose(holm(p_values), adjusted, rtol=1e-12)


@pytest.mark.parametrize("p_values", [[0.1, 1.1], [-0.1], [0.1, np.nan]])
def test_holm_takes_p_values_only(p_values):
    with pytest.raises(ValueError, match=r"in \[0, 1\]. Received"):
        holm(p_values)


def test_mean_and_sample_standard_deviation():
    assert mean_and_std([1.0, 2.0, 3.0]) == (2.0, 1.0)


def test_a_summary_has_the_median_and_may_be_of_nothing():
    found = summary([1.0, 2.0, 6.0])
    assert (found.num_seeds, found.mean, found.median) == (3, 3.0, 2.0)
    assert found.std == pytest.approx(np.sqrt((4 + 1 + 9) / 2))
    empty = summary([])
    assert empty.num_seeds == 0 and np.isnan([empty.mean, empty.std, empty.median]).all()


def test_chance_depends_on_the_number_of_classes():
    assert stayed_at_chance([0.1, 0.19, 0.2, 0.9], 10).tolist() == [True, True, False, False]
    assert stayed_at_chance([0.1], 100).tolist() == [False]


def test_with_two_classes_twice_chance_would_be_everything():
    assert chance_threshold(3) == pytest.approx(2 / 3)
    assert stayed_at_chance([0.5, 0.74, 0.76, 0.99], 2).tolist() == [True, True, False, False]
