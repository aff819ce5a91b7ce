import io

from rich.console import Console

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.report import table, words
from tests.experiments.records import COMPARISON, failed, record, three_seeds


def shown(records, comparison=COMPARISON):
    console = Console(width=140, file=io.StringIO())
    console.print(table(comparison, records))
    return console.file.getvalue()


def test_the_table_has_mean_spread_and_every_seed():
    text = shown(three_seeds([0.1, 0.9, 0.92], [0.91, 0.92, 0.93]))
    assert "64.00 ± 46.78" in text
    assert "10.0 90.0 92.0" in text
    assert "92.00 ± 1.00" in text
    assert "L-Adam" in text


def test_failures_and_divergence_are_in_the_table():
    text = shown([failed("adam", 0), record("adam", 1, 0.1, status="diverged", epochs=2), record("adam", 2, 0.9)])
    assert "error 10.0* 90.0" in text


def test_the_words_count_the_runs_that_did_not_train():
    sentences = words(COMPARISON, three_seeds([0.1, 0.15, 0.92], [0.91, 0.92, 0.93]))
    assert "Adam failed to train in 2 of 3 seeds (test accuracy below 20%, twice chance)." in sentences
    assert "L-Adam trained in each of 3 seeds." in sentences


def test_a_difference_is_claimed_only_where_the_interval_excludes_zero():
    wide = words(COMPARISON, three_seeds([0.1, 0.9, 0.92], [0.91, 0.92, 0.93]))[-1]
    assert "+28.00 points" in wide and "holds 0" in wide
    narrow = words(COMPARISON, three_seeds([0.80, 0.81, 0.82], [0.90, 0.91, 0.93]))[-1]
    assert "+10.33 points" in narrow and "95% interval +8.90 to +11.77" in narrow and "holds 0" not in narrow


def test_differences_are_of_equal_seeds():
    records = [record("adam", 0, 0.5), record("adam", 1, 0.6), record("ladam", 1, 0.7), record("ladam", 2, 0.99)]
    sentence = next(s for s in words(COMPARISON, records) if "minus" in s)
    assert "+10.00 points on average over 1 seed." in sentence


def test_one_seed_is_called_one_seed():
    sentences = words(COMPARISON, [record("adam", 0, 0.5), record("ladam", 0, 0.9)])
    assert "One seed cannot tell an effect from chance: run with --seeds 5 or more." in sentences


def test_errors_and_divergence_are_said():
    sentences = words(COMPARISON, [failed("adam", 0), record("ladam", 1, 0.1, status="diverged", epochs=2)])
    assert "Adam, seed 0, ended with an error: MemoryError: no room" in sentences
    assert "L-Adam, seed 1, diverged in epoch 3 (the loss was not finite)." in sentences


def test_an_optimizer_without_its_parent_is_compared_with_none():
    comparison = Comparison(optimizers=("sgd", "ladam"), seeds=1)
    assert not any("minus" in s for s in words(comparison, [record("sgd", 0, 0.5), record("ladam", 0, 0.9)]))
