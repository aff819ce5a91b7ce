import pytest

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.report.analysis import analyse
from keras_langevin.experiments.report.words import about_setting, overview, settings_words
from tests.experiments.records import COMPARISON, cell_of, failed, of_seeds, record, results_of

FIVE = Comparison(optimizers=("adam", "ladam"), epochs=3, seeds=5)


def words(comparison, records, num_differences=1):
    (result,) = results_of(comparison, records)
    return about_setting(result, num_differences)


def test_the_words_count_the_runs_at_chance():
    sentences = words(COMPARISON, of_seeds([0.1, 0.15, 0.92], [0.91, 0.92, 0.93]))
    assert any(sentence.startswith("Adam: 1 of 3 seeds above chance level") for sentence in sentences)
    assert "L-Adam: 3 of 3 seeds above chance level (a test accuracy of 20%, twice chance)." in sentences


def test_where_seeds_fail_the_share_that_trained_is_said_first():
    first, *_ = words(COMPARISON, of_seeds([0.1, 0.15, 0.92, 0.93, 0.94], [0.91]))
    assert first == (
        "Adam: 3 of 5 seeds above chance level (a test accuracy of 20%, twice chance), a share of 60% with 95% "
        "interval 23% to 88%; mean of the middle half 66.67%."
    )


def test_one_epoch_at_chance_is_not_called_a_failure_to_train():
    comparison = Comparison(optimizers=("adam", "ladam"), epochs=1, seeds=1)
    sentences = words(comparison, [record("adam", 0, 0.1, epochs=1), record("ladam", 0, 0.12, epochs=1)])
    assert "Adam: the one seed not above chance level (a test accuracy of 20%, twice chance)." in sentences
    assert not any("train" in sentence for sentence in sentences)


def test_two_classes_have_a_level_of_their_own():
    records = [record("adam", 0, 0.7) | {"num_classes": 2}, record("adam", 1, 0.9) | {"num_classes": 2}]
    first, *_ = words(COMPARISON, records)
    assert first.startswith(
        "Adam: 1 of 2 seeds above chance level (a test accuracy of 75%, where chance is 50%), a share"
    )


def test_better_is_said_where_the_interval_excludes_zero():
    everything, sentence = words(FIVE, of_seeds([0.80, 0.81, 0.82, 0.80, 0.81], [0.90, 0.91, 0.93, 0.9, 0.92]), 4)
    assert everything == "Every run is above chance level (a test accuracy of 20%, twice chance)."
    assert sentence == (
        "L-Adam is better than Adam: +10.40 points of test accuracy on average over 5 seeds, 95% interval +9.72 to "
        "+11.08, p = 1.84e-06 (Student's t), with Holm's correction over 4 differences 1.84e-06."
    )


def test_with_six_seeds_it_is_said_by_sign_flips():
    six = Comparison(optimizers=("adam", "ladam"), epochs=3, seeds=6)
    sentence = words(six, of_seeds([0.1, 0.81, 0.82, 0.8, 0.81, 0.1], [0.9, 0.91, 0.93, 0.9, 0.92, 0.94]))[-1]
    assert sentence.startswith("L-Adam is better than Adam: ") and sentence.endswith(", p = 0.0312 (sign flips).")


def test_worse_is_said_as_plainly():
    sentence = words(FIVE, of_seeds([0.90, 0.91, 0.93, 0.9, 0.92], [0.80, 0.81, 0.82, 0.80, 0.81]))[1]
    assert sentence.startswith("L-Adam is worse than Adam: −10.40 points") and "Holm" not in sentence


@pytest.mark.parametrize(
    ("adam", "ladam", "reason"),
    [
        ([0.1, 0.9, 0.92, 0.91, 0.92], [0.91, 0.92, 0.93, 0.9, 0.9], "it contains zero, so these seeds alone show no"),
        (
            [0.9, 0.9, 0.9, 0.9, 0.9],
            [0.9, 0.9, 0.9, 0.9, 0.9],
            "0.00 points in each of 5 seeds, without a spread to judge by.",
        ),
        ([0.8, 0.81, 0.82, 0.8], [0.9, 0.91, 0.93, 0.9], "fewer than 5 seeds are too few to conclude from"),
        ([0.1, 0.1], [0.9, 0.9], "+80.00 points in each of 2 seeds, without a spread to judge by."),
        ([0.1], [0.9], "+80.00 points in the one seed."),
    ],
)
def test_neither_better_nor_worse_without_an_interval_that_excludes_zero(adam, ladam, reason):
    sentences = words(FIVE, of_seeds(adam, ladam))
    assert any(reason in sentence for sentence in sentences)
    assert not any("better" in sentence or "worse" in sentence for sentence in sentences)


def test_differences_are_of_equal_seeds():
    records = [record("adam", 0, 0.5), record("adam", 1, 0.6), record("ladam", 1, 0.7), record("ladam", 2, 0.99)]
    sentence = next(s for s in words(COMPARISON, records) if "−" in s)
    assert sentence == "L-Adam − Adam, test accuracy on equal seeds: +10.00 points in the one seed."


def test_no_seed_in_common_is_said():
    sentences = words(COMPARISON, [record("adam", 0, 0.5), record("ladam", 1, 0.7)])
    assert "L-Adam and Adam have no seed in common that gave an accuracy." in sentences


def test_one_seed_is_called_one_seed():
    sentences = words(COMPARISON, [record("adam", 0, 0.5), record("ladam", 0, 0.9)])
    assert "One seed cannot tell an effect from chance: run with --seeds 5 or more." in sentences


def test_errors_and_divergence_are_said():
    sentences = words(COMPARISON, [failed("adam", 0), record("ladam", 1, 0.1, status="diverged", epochs=2)])
    assert "Adam, seed 0, ended with an error: MemoryError: no room" in sentences
    diverged = next(sentence for sentence in sentences if "diverged" in sentence)
    assert diverged == (
        "L-Adam, seed 1, diverged in epoch 3 (the loss was not finite); its test accuracy at the end, 10.0%, counts."
    )


def test_a_diverged_run_counts_in_the_difference():
    records = of_seeds([0.9, 0.9, 0.9], [0.9, 0.9])
    records.append(record("ladam", 2, 0.1, status="diverged", epochs=1))
    assert any(sentence.startswith("L-Adam − Adam: −26.67 points") for sentence in words(COMPARISON, records))


def test_missing_runs_are_counted():
    sentences = words(FIVE, of_seeds([0.9, 0.9], [0.9, 0.9, 0.9, 0.9, 0.9]))
    assert "Adam: 3 of 5 seeds not on record yet." in sentences
    assert not any("L-Adam:" in sentence and "record" in sentence for sentence in sentences)


def test_an_optimizer_without_its_parent_is_compared_with_none():
    comparison = Comparison(optimizers=("sgd", "ladam"), seeds=1)
    assert not any("−" in s for s in words(comparison, [record("sgd", 0, 0.5), record("ladam", 0, 0.9)]))


def test_the_overview_begins_with_what_was_found():
    six = Comparison(optimizers=("adam", "ladam"), epochs=3, seeds=6)
    clear = of_seeds([0.80, 0.81, 0.82, 0.8, 0.81, 0.8], [0.90, 0.91, 0.93, 0.9, 0.92, 0.94])
    few = [*of_seeds([0.1, 0.9, 0.9], [0.9, 0.9]), failed("ladam", 2)]
    cells = [cell_of(six, clear), cell_of(Comparison(model="dense-3", epochs=3, optimizers=("adam", "ladam")), few)]
    assert overview(analyse(cells)) == [
        "Of 2 differences to a parent without noise, the optimizer with noise is better in 1 and worse in 0 by the "
        "95% interval; 0 show no difference. 1 with fewer than 5 seeds, from which nothing is concluded. By Holm's "
        "correction over all of them p is below 0.05 in 0.",
        "Better, in percentage points: L-Adam − Adam, dense-30 on digits: +11.00 [+10.00, +14.00].",
        "dense-3 on digits: not every run trained above chance level: Adam 2 of 3, L-Adam 2 of 2. Probability of "
        "improvement over the parent: L-Adam 75%.",
        "2 settings, 18 runs on record: 17 finished (1 of them at chance level), 0 diverged, 1 ended with an error.",
    ]


@pytest.mark.parametrize(
    ("adam", "ladam", "first"),
    [
        ([0.80, 0.81, 0.82, 0.8, 0.81], [0.90, 0.91, 0.93, 0.9, 0.92], "L-Adam is better than Adam: +10.40 points"),
        ([0.9] * 5, [0.91, 0.89, 0.9, 0.92, 0.88], "L-Adam − Adam: 0.00 points"),
        ([0.9], [], "No optimizer with noise has a seed in common with its parent"),
    ],
)
def test_of_one_difference_the_overview_begins_with_it(adam, ladam, first):
    assert overview(results_of(FIVE, of_seeds(adam, ladam)))[0].startswith(first)


def test_the_words_of_a_setting_say_epsilon_where_an_optimizer_has_one():
    (result,) = results_of(FIVE, of_seeds([0.9], [0.9]))
    assert "epsilon 1e-06 with and without noise" in settings_words(result)
    comparison = Comparison(optimizers=("sgd", "lsgd"), epochs=3, seeds=1)
    (result,) = results_of(comparison, [record(spec, 0, 0.9) for spec in ("sgd", "lsgd")])
    assert "epsilon in none of the optimizers" in settings_words(result)
