import dataclasses

import numpy as np
import pytest
from scipy import stats

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.report.analysis import analyse, depth_groups
from keras_langevin.experiments.statistics import holm
from tests.experiments.records import COMPARISON, cell_of, failed, of_seeds, record, results_of

FIVE = Comparison(optimizers=("adam", "ladam"), epochs=3, seeds=5)
ADAM, LADAM = [0.80, 0.81, 0.82, 0.79, 0.85], [0.90, 0.91, 0.80, 0.92, 0.95]


def at_depth(depth, adam=ADAM, ladam=LADAM, **changes):
    comparison = dataclasses.replace(FIVE, model=f"dense-{depth}", **changes)
    return cell_of(comparison, of_seeds(adam, ladam), **changes)


def test_a_difference_is_of_percentages_on_equal_seeds():
    ((pair,),) = [result.pairs for result in results_of(FIVE, of_seeds(ADAM, LADAM))]
    np.testing.assert_allclose(pair.difference.values, [10, 10, -2, 13, 10])
    assert pair.name == "L-Adam − Adam" and pair.seeds == (0, 1, 2, 3, 4)
    assert pair.difference.p_value == pytest.approx(stats.ttest_1samp([10, 10, -2, 13, 10], 0).pvalue)


def test_each_failure_counts_once():
    records = [
        record("adam", 0, 0.1),
        record("adam", 1, 0.1, status="diverged", epochs=1),
        failed("adam", 2),
        record("adam", 3, 0.9, status="diverged"),
        record("adam", 4, 0.9),
    ]
    arm = results_of(FIVE, records)[0].arms[0]
    assert arm.failures == {"at chance": 1, "diverged": 2, "error": 1}
    assert arm.accuracy.num_seeds == 4 and arm.accuracy.mean == pytest.approx(50)


def test_a_diverged_pair_counts_and_is_marked():
    records = [*of_seeds([0.9, 0.8], [0.9]), record("ladam", 1, 0.1, status="diverged", epochs=1)]
    (pair,) = results_of(COMPARISON, records)[0].pairs
    assert pair.diverged == (False, True)
    np.testing.assert_allclose(pair.difference.values, [0, -70])


def test_a_failed_run_is_in_no_pair():
    records = [*of_seeds([0.9, 0.8, 0.7], [0.9, 0.8]), failed("ladam", 2)]
    (pair,) = results_of(COMPARISON, records)[0].pairs
    assert pair.seeds == (0, 1)


def test_holm_s_family_is_all_differences_of_the_report():
    results = analyse([at_depth(3), at_depth(20, LADAM, ADAM), at_depth(30, [0.1] * 5)])
    pairs = [pair for result in results for pair in result.pairs]
    expected = holm([pair.difference.p_value for pair in pairs])
    assert [pair.holm_p_value for pair in pairs] == expected.tolist()
    assert max(expected) > max(pair.difference.p_value for pair in pairs)


def test_an_interval_is_the_same_whatever_else_is_in_the_report():
    (alone,) = analyse([at_depth(30)])
    *_, last = analyse([at_depth(3), at_depth(20), at_depth(30)])
    assert (alone.pairs[0].difference.low, alone.pairs[0].difference.high) == (
        last.pairs[0].difference.low,
        last.pairs[0].difference.high,
    )


def test_titles_say_what_differs():
    cells = [at_depth(3, sigma=0.1), at_depth(3, sigma=0.2), at_depth(30, sigma=0.1)]
    titles = [result.title for result in analyse(cells)]
    assert titles == ["dense-3 on digits, sigma 0.1", "dense-3 on digits, sigma 0.2", "dense-30 on digits, sigma 0.1"]


def test_depths_of_equal_settings_are_a_group():
    cells = [at_depth(depth, sigma=0.1) for depth in (3, 20, 30)] + [at_depth(3, sigma=0.2), at_depth(30, sigma=0.2)]
    groups = depth_groups(analyse([*cells, at_depth(20, sigma=0.3)]))
    assert [(group.title, list(group.series["L-Adam − Adam"])) for group in groups] == [
        ("dense on digits, sigma 0.1", [3, 20, 30]),
        ("dense on digits, sigma 0.2", [3, 30]),
    ]


@pytest.mark.parametrize(
    "cells",
    [
        [at_depth(30)],
        [at_depth(3), cell_of(dataclasses.replace(FIVE, model="highway-30"), of_seeds(ADAM, LADAM))],
        [cell_of(dataclasses.replace(FIVE, model=name), of_seeds(ADAM, LADAM)) for name in ("wide", "deep")],
        [at_depth(3, ladam=[]), at_depth(30, ladam=[])],
    ],
)
def test_one_depth_is_no_group(cells):
    assert depth_groups(analyse(cells)) == []
