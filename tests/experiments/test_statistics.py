import itertools

import numpy as np
import pytest
from scipy import stats

from keras_langevin.experiments.statistics import (
    chance_threshold,
    holm,
    paired_difference,
    probability_of_improvement,
    share,
    summary,
)


def difference(values, confidence=0.95):
    return paired_difference(values, np.zeros(len(values)), confidence=confidence)


def sign_flip_p_value(values, center=0.0):
    """The test by definition: the share of all sign flips whose mean is at least as far from the center."""
    values = np.asarray(values) - center
    means = [np.mean(values * signs) for signs in itertools.product((-1, 1), repeat=len(values))]
    return np.mean(np.abs(means) >= abs(values.mean()) - 1e-9)


def normal(generator, n):
    return generator.normal(size=n)


def failing(generator, n):
    """Returns differences of arms that each fail in one of ten runs, by 80 points."""
    return generator.normal(size=n) + 80 * ((generator.random(n) < 0.1) * 1.0 - (generator.random(n) < 0.1))


@pytest.mark.parametrize("draw", [normal, failing])
@pytest.mark.parametrize("num_seeds", [5, 6, 8, 10, 15, 20])
def test_better_or_worse_is_said_in_at_most_five_percent_of_the_cases_without_an_effect(num_seeds, draw):
    generator, times = np.random.default_rng(num_seeds), 2000 if num_seeds <= 10 else 500
    wrong = sum(not difference(draw(generator, num_seeds)).contains_zero for _ in range(times))
    assert stats.binomtest(wrong, times, 0.05, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize("num_seeds", [5, 6, 10, 20])
def test_an_effect_of_twice_the_spread_is_found(num_seeds):
    generator = np.random.default_rng(0)
    found = sum(difference(2 + normal(generator, num_seeds)).low > 0 for _ in range(200))
    assert found >= {5: 150, 6: 140}.get(num_seeds, 198)


@pytest.mark.parametrize("num_seeds", [6, 10, 20])
def test_gains_of_one_sign_are_concluded_also_where_the_parent_fails_in_some(num_seeds):
    gains = np.linspace(0.1, 0.5, num_seeds)
    gains[-2:] = 80.0
    assert difference(gains).low > 0 and difference(-gains).high < 0
    assert difference(gains).p_value < 0.05


@pytest.mark.parametrize(
    "values",
    [
        [0.4, -0.1, 0.7, 1.1, -0.3, 2.0, 0.9],
        [1.0, 1.0, -1.0, 2.0, 2.0, 3.0],  # ties
        [0.0, 1.0, 2.0, 0.0, -3.0, 4.0, 5.0],  # zeros
        [80.0, 79.0, 0.1, -0.2, 0.3, -0.1, 81.0, 0.2],  # a parent that fails in three seeds
        [-0.5] * 8,
        [0.0] * 6,
    ],
)
def test_p_is_that_of_all_flips_and_the_interval_has_what_it_does_not_reject(values):
    found = difference(values)
    assert found.method == "sign flips"
    assert found.p_value == pytest.approx(sign_flip_p_value(values))
    assert found.low <= found.mean <= found.high
    width = found.high - found.low
    for inside in (found.low, found.high, (found.low + found.high) / 2):
        assert sign_flip_p_value(values, inside) > 0.05
    for outside in (found.low - 0.01 * width - 1e-6, found.high + 0.01 * width + 1e-6):
        assert sign_flip_p_value(values, outside) <= 0.05


@pytest.mark.parametrize("num_seeds", [3, 5, 6, 7, 12, 20])
def test_the_interval_excludes_zero_exactly_where_p_is_at_most_five_percent(num_seeds):
    generator = np.random.default_rng(1)
    for _ in range(200 if num_seeds < 20 else 50):
        found = difference(np.round(generator.normal(0.7, 1, num_seeds), 1))
        assert found.contains_zero == (found.p_value > 0.05)


@pytest.mark.parametrize("values", [[1.0, 2.5], [0.5, 1.0, 2.0, 4.0, 0.2]])
def test_with_five_seeds_or_fewer_it_is_student_s(values):
    found, expected = difference(values), stats.ttest_1samp(values, 0)
    assert found.method == "Student's t"
    np.testing.assert_allclose([found.low, found.high], expected.confidence_interval(0.95))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_a_smaller_confidence_is_a_narrower_interval():
    values = [0.5, 1.0, 2.0, 4.0, 0.2]
    other = difference(values, confidence=0.8)
    assert other.method == "sign flips" and other.low > difference(values).low and other.high < difference(values).high


def test_the_interval_of_many_seeds_is_near_student_s():
    values = np.random.default_rng(1).normal(1, 2, 200)
    found = difference(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], expected, atol=0.05)
    assert found.mean == pytest.approx(values.mean())


@pytest.mark.parametrize("num_seeds", [10, 20])
def test_swapping_the_two_turns_the_interval_round(num_seeds):
    values = np.random.default_rng(2).normal(1, 2, num_seeds)
    found, other = difference(values), difference(-values)
    assert (found.low, found.high, found.p_value) == (-other.high, -other.low, other.p_value)


def test_an_interval_that_contains_zero_says_so():
    assert difference([1.0, -1.0, 0.5]).contains_zero
    assert not difference([1.0, 1.1, 0.9]).contains_zero
    assert not difference([-1.0, -1.1, -0.9]).contains_zero
    assert difference([0.0] * 10).contains_zero


def test_pairs_are_by_position():
    found = paired_difference([3.0, 1.0], [1.0, 2.0])
    assert found.values.tolist() == [2.0, -1.0] and found.mean == 0.5


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0, 2.0], [0.0] * 5, [1.0] * 5])
def test_without_a_spread_few_seeds_have_no_interval(values):
    found = difference(values)
    assert found.mean == values[0] and np.isnan([found.low, found.high]).all()
    assert found.method == "" and found.contains_zero and found.p_value == 1
    assert np.isnan(summary([1.0]).std)


@pytest.mark.parametrize(
    ("treatment", "parent"), [([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]]), ([1.0], [np.nan]), ([np.inf], [1.0])]
)
def test_what_cannot_be_paired_is_an_error(treatment, parent):
    with pytest.raises(ValueError, match="Received"):
        paired_difference(treatment, parent)


def test_differences_that_are_equal_but_for_rounding_are_ties():
    """For example, 0.9 − 0.8 and 0.4 − 0.3 differ in the last bit."""
    found = paired_difference([0.9, 0.4, 0.1] * 2, [0.8, 0.3, 0.2] * 2)
    assert found.values.tolist() == [0.1, 0.1, -0.1] * 2 and found.p_value == sign_flip_p_value(found.values)


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


def test_a_summary_has_the_median_and_may_be_of_nothing():
    found = summary([1.0, 2.0, 6.0])
    assert (found.num_seeds, found.mean, found.median) == (3, 3.0, 2.0)
    assert found.std == pytest.approx(np.sqrt((4 + 1 + 9) / 2))
    empty = summary([])
    assert empty.num_seeds == 0 and np.isnan([empty.mean, empty.std, empty.median]).all()


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    assert summary([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 1000.0]).interquartile_mean == 35.0


def test_a_share_has_wilson_s_interval():
    number, of, z = 3, 10, stats.norm.ppf(0.975)
    found = share(number, of)
    for end in (found.low, found.high):  # the observed share is z standard errors away
        assert abs(number / of - end) == pytest.approx(z * np.sqrt(end * (1 - end) / of))
    assert (share(0, 0).low, share(0, 0).high) == (0, 1)


def test_the_probability_of_improvement_counts_pairs():
    generator = np.random.default_rng(0)
    for _ in range(20):
        treatment, parent = generator.integers(0, 4, 5), generator.integers(0, 4, 6)
        pairs = [(a > b) + 0.5 * (a == b) for a in treatment for b in parent]
        assert probability_of_improvement(treatment, parent) == pytest.approx(np.mean(pairs))


def test_chance_depends_on_the_number_of_classes():
    """The threshold is twice chance. With two classes that would be 100%, so it is halfway from chance to 100%."""
    assert [chance_threshold(number) for number in (100, 10, 3, 2)] == pytest.approx([0.02, 0.2, 2 / 3, 0.75])
