"""What the results show, in sentences, and only that."""

from keras_langevin.experiments.report.analysis import ENOUGH_SEEDS, ArmResult, CellResult, DepthGroup, PairedResult
from keras_langevin.experiments.report.collecting import UNEQUAL_EPSILON, arm_key, shown_setting
from keras_langevin.experiments.report.formatting import count, probability, signed
from keras_langevin.experiments.statistics import chance_threshold
from keras_langevin.experiments.tuning import Search


def about_setting(result: CellResult, num_differences: int) -> list[str]:
    """Sentences about one setting: how its runs ended, and what each of the report's `num_differences` shows.

    "Better" and "worse" are said only where the interval excludes zero, with enough seeds.
    """
    sentences = []
    for arm in result.arms:
        if arm_key(arm.arm) in result.cell.searches:
            sentences.append(_about_search(arm.label, result.cell.searches[arm_key(arm.arm)]))
        sentences += _about_runs(arm)
    paired = {pair.label: pair for pair in result.pairs}
    for arm in result.arms:
        parent = result.cell.parent(arm.arm)
        if arm.label in paired:
            sentences += about_difference(paired[arm.label], num_differences)
        elif parent is not None:
            other = result.cell.label(parent)
            sentences.append(f"{arm.label} and {other} have no seed in common that gave an accuracy: no difference.")
    if len({run.seed for run in result.cell.runs}) == 1:
        sentences.append(f"One seed cannot tell an effect from chance: run with --seeds {ENOUGH_SEEDS} or more.")
    return sentences


def _about_runs(arm: ArmResult) -> list[str]:
    sentences = []
    ended = [run for run in arm.runs if run.status != "failed"]
    if len(ended) > 1 and arm.trained.number < len(ended):
        found = arm.trained
        sentences.append(
            f"{arm.label}: {found.number} of {found.of} seeds trained above chance level, a share of "
            f"{found.number / found.of:.0%} with 95% interval {found.low:.0%} to {found.high:.0%}; mean of the middle "
            f"half {arm.accuracy.interquartile_mean:.2f}%."
        )
    if ended:
        classes = ended[0].num_classes
        level = f"{100 * chance_threshold(classes):.3g}%" + (" (twice chance)" if classes > 2 else " (chance: 50%)")
        below = sum(run.test_accuracy < chance_threshold(classes) for run in ended)
        every = f"each of {len(ended)} seeds" if len(ended) > 1 else "the one seed"
        if below == len(ended):
            sentences.append(f"{arm.label}: test accuracy below {level} in {every}.")
        elif below:
            sentences.append(f"{arm.label}: test accuracy below {level} in {below} of {count(len(ended), 'seed')}.")
        else:
            sentences.append(f"{arm.label}: test accuracy {level} or more in {every}.")
    for run in arm.runs:
        if run.status == "diverged":
            where = f" in epoch {len(run.curves['train_loss']) + 1}" if run.record.get("curves") else ""
            sentences.append(
                f"{arm.label}, seed {run.seed}, diverged{where} (the loss was not finite); its test accuracy at "
                f"the end, {100 * run.test_accuracy:.1f}%, counts."
            )
        if run.status == "failed":
            sentences.append(f"{arm.label}, seed {run.seed}, ended with an error: {run.error}")
    missing = arm.num_planned - len(arm.runs)
    if missing > 0:
        sentences.append(f"{arm.label}: {missing} of {count(arm.num_planned, 'seed')} not on record yet.")
    return sentences


def _about_search(label: str, search: Search) -> str:
    chosen, default = search.chosen, search.trials[0]
    values = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in chosen.arguments.items())
    own = ", ".join(f"{value:g}" for value in default.arguments.values())
    seeds = count(len(chosen.validation_accuracies), "seed")
    accuracy = f"{100 * chosen.validation_accuracy:.2f}%"
    if chosen is default:
        how = f"the default, is the best of {count(len(search.trials), 'trial')} on the validation split ({accuracy}"
    else:
        how = (
            f"is the best of {count(len(search.trials), 'trial')} on the validation split ({accuracy}; the default, "
            f"{own}: {100 * default.validation_accuracy:.2f}%"
        )
    sentence = f"{label}: {values}, {how}; {seeds} each, none of those below)."
    edge = " and ".join(search.at_edge)
    return sentence + (f" It is {edge} that was tried: a wider search may find a better." if edge else "")


def about_difference(pair: PairedResult, num_differences: int) -> list[str]:
    """What one paired difference shows: two sentences, or one where there is no interval."""
    difference, seeds = pair.difference, count(len(pair.seeds), "seed")
    if not difference.method:
        where = "in the one seed" if len(pair.seeds) == 1 else f"in each of {seeds}, without a spread to judge by"
        return [f"{pair.name}, test accuracy on equal seeds: {signed(difference.mean)} points {where}."]
    figures = (
        f"{signed(difference.mean)} points of test accuracy on average over {seeds}, 95% interval "
        f"{signed(difference.low)} to {signed(difference.high)} ({difference.method})"
    )
    if not pair.is_fair:
        first = f"{pair.name}: {figures}: nothing is concluded from it."
    elif difference.contains_zero:
        first = f"{pair.name}: {figures}: it contains zero, so these seeds alone show no difference of the means."
    elif not pair.enough_seeds:
        first = f"{pair.name}: {figures}: fewer than {ENOUGH_SEEDS} seeds are too few to conclude from."
    else:
        order = "better" if difference.mean > 0 else "worse"
        first = f"{pair.label} is {order} than {pair.parent}: {figures}."
    second = f"{pair.name}: p = {probability(difference.p_value)} ({difference.method})"
    if num_differences > 1:
        second += f", with Holm's correction over {num_differences} differences {probability(pair.holm_p_value)}"
    return [first, f"{second}."]


def overview(results: list[CellResult]) -> list[str]:
    """Sentences about the whole report, which it opens with."""
    arms = [arm for result in results for arm in result.arms]
    failures = [arm.failures for arm in arms]
    diverged, failed = sum(each.diverged for each in failures), sum(each.failed for each in failures)
    num_runs, num_planned = sum(len(arm.runs) for arm in arms), sum(arm.num_planned for arm in arms)
    on_record = f"{num_runs} of {count(num_planned, 'run')}" if num_runs < num_planned else count(num_runs, "run")
    sentences = [
        f"{count(len(results), 'setting')}, {on_record} on record: {num_runs - diverged - failed} finished "
        f"({sum(each.at_chance for each in failures)} of them at chance level), {diverged} diverged, "
        f"{failed} ended with an error."
    ]
    for result in results:
        if any(arm.failures.at_chance + arm.failures.diverged for arm in result.arms):
            shares = [f"{arm.label} {arm.trained.number} of {arm.trained.of}" for arm in result.arms if arm.runs]
            better = [f"{pair.label} {pair.improvement:.0%}" for pair in result.pairs if pair.is_fair]
            sentences.append(
                f"{result.title}: not every run trained above chance level: {', '.join(shares)}."
                + (f" Probability of improvement over the parent: {', '.join(better)}." if better else "")
            )
    pairs = [pair for result in results for pair in result.pairs]
    if pairs:
        fair = [pair for pair in pairs if pair.is_fair]
        enough = [pair for pair in fair if pair.enough_seeds]
        above = sum(pair.difference.low > 0 for pair in enough)
        below = sum(pair.difference.high < 0 for pair in enough)
        few = len(fair) - len(enough)
        unfair = len(pairs) - len(fair)
        sentences.append(
            f"{count(len(pairs), 'difference')} to a parent without noise. With {ENOUGH_SEEDS} seeds or more: the 95% "
            f"interval lies above zero in {above}, below zero in {below}, and contains zero in "
            f"{len(enough) - above - below}."
            + (f" {few} with fewer seeds, from which nothing is concluded." if few else "")
            + (f" {unfair} with unequal ε, from which nothing is concluded." if unfair else "")
        )
        significant, corrected = (
            sum(value < 0.05 for value in values)
            for values in ([p.difference.p_value for p in enough], [p.holm_p_value for p in enough])
        )
        sentences.append(
            f"Of those with {ENOUGH_SEEDS} seeds or more, p is below 0.05 in {significant}; with Holm's correction "
            f"over {count(len(pairs), 'difference')} in {corrected}."
        )
    return sentences


def about_depth(group: DepthGroup) -> list[str]:
    """One sentence for each optimizer: its mean difference at each depth."""
    sentences = []
    for name, points in group.series.items():
        figures = (f"{signed(pair.difference.mean)} at {depth}{_mark(pair)}" for depth, pair in sorted(points.items()))
        sentences.append(f"{name}, {group.title}, mean difference in points by depth: {', '.join(figures)}.")
    return sentences


def _mark(pair: PairedResult) -> str:
    if not pair.difference.method:
        return " (no interval)"
    if pair.difference.contains_zero:
        return " (interval contains zero)"
    return "" if pair.enough_seeds else f" ({len(pair.seeds)} seeds)"


def settings_words(result: CellResult) -> str:
    """The settings of a cell, in one line; ε as it was, by default too, because in a deep net it decides."""
    settings = {key: value for key, value in result.cell.settings.items() if value != ""}
    if UNEQUAL_EPSILON in settings:
        settings.pop("epsilon", None)
    else:
        values = {result.cell.comparison.arguments(arm).get("epsilon") for arm in result.cell.arms} - {None}
        shown = " and ".join(f"{value:g}" for value in sorted(values))
        settings["epsilon"] = f"{shown} with and without noise" if shown else "in none of the optimizers"
    return "; ".join(shown_setting(key, value) for key, value in settings.items())


def how_to_read(num_differences: int) -> list[str]:
    """What the columns, marks and figures mean."""
    return [
        "Test accuracy in percent, of the weights at the end; the test set is used once. ± is the sample standard "
        "deviation over seeds (n − 1).",
        "A failed run counts once: at chance level (finished with a test accuracy below twice chance; with two classes "
        "below 75%), diverged (its loss was not finite; marked *, and its accuracy counts), or error (without an "
        "accuracy, so in no mean and no difference).",
        "Trained: how many runs finished above chance level; its interval is Wilson's. The middle half is the mean "
        "without the lowest and the highest quarter of the seeds (the interquartile mean).",
        "P(improve) is the probability that a run of the optimizer has a higher test accuracy than one of its parent, "
        "over all pairs of runs; ties count half. It is 50% where neither is better. How low a failed run is does not "
        "move it.",
        "A difference is an optimizer's test accuracy minus that of its parent without noise, in percentage points, on "
        "equal seeds: equal initial weights and batches.",
        "p is two-sided. With six seeds or more it is that of Fisher's sign-flip test: the share of all flips of the "
        "signs of the differences whose mean is at least as far from zero. That assumes no normal law, and holds also "
        "where an optimizer fails in some seeds. n seeds cannot give a p below 2^(1 − n): 0.0313 with 6 seeds, 0.00195 "
        "with 10. With two to five seeds, whose sign flips cannot reach 5%, p is that of Student's t test, for normal "
        "differences.",
        "The 95% interval is of the mean difference: all values that this test does not reject. So it excludes zero "
        "exactly where p is at most 0.05, which without an effect happens in at most 5% of the cases.",
        f'"Better" and "worse" are said where the interval excludes zero, with {ENOUGH_SEEDS} seeds or more. They '
        "judge one difference alone: among twenty without an effect, one will look like that. Holm's correction guards "
        "against it.",
        f"p (Holm) is adjusted by Holm's step-down correction over all {count(num_differences, 'difference')} of this "
        "report, as one family.",
        "Curves: a thick line is the median over the seeds that finished, a thin line one seed; a dashed "
        "line that ends in × diverged. Dotted: from there on the learning rate is a tenth and σ is 0.",
        "Differences: a dot is a seed, × one where a run of the pair diverged; a diamond is the mean, a bar its 95% "
        "interval.",
    ]
