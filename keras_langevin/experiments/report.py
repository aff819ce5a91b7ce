"""What the results show: a table, and the same in words. No Keras."""

from rich.table import Table

from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.statistics import mean_and_std, paired_difference, stayed_at_chance


def table(comparison: Comparison, records: list[dict]) -> Table:
    """Test accuracy (mean ± standard deviation over seeds, and every seed's value), train loss and seconds."""
    grid = Table(title=f"{comparison.model} on {comparison.dataset_label}, {comparison.epochs} epochs")
    grid.add_column("optimizer", no_wrap=True)
    grid.add_column("test %", justify="right", no_wrap=True)
    grid.add_column("each seed %", justify="right")
    grid.add_column("train loss", justify="right", no_wrap=True)
    grid.add_column("seconds", justify="right", no_wrap=True)
    for arm in comparison.arms:
        runs = _runs(arm, records)
        ended = [run for run in runs if run["status"] != "failed"]
        cells = ["-", "-", "-"]
        if ended:
            cells = [
                _plus_minus([100 * run["test_accuracy"] for run in ended], ".2f"),
                _plus_minus([run["train_loss"] for run in ended], ".3g"),
                f"{mean_and_std([run['seconds'] for run in ended])[0]:.1f}",
            ]
        each = " ".join(_seed_cell(run) for run in runs) or "-"
        grid.add_row(arm.label, cells[0], each, *cells[1:])
    return grid


def words(comparison: Comparison, records: list[dict]) -> list[str]:
    """Sentences that say what the table shows, and only that."""
    sentences = []
    for arm in comparison.arms:
        sentences += _about_runs(arm, _runs(arm, records))
    for arm in comparison.arms:
        baseline = _baseline(arm, comparison)
        if baseline is not None:
            sentences += _about_difference(arm, baseline, records)
    compared = {record["seed"] for record in records}
    if len(compared) == 1:
        sentences.append("One seed cannot tell an effect from chance: run with --seeds 5 or more.")
    return sentences


def _about_runs(arm: Arm, runs: list[dict]) -> list[str]:
    sentences = []
    ended = [run for run in runs if run["status"] != "failed"]
    if ended:
        chance = stayed_at_chance([run["test_accuracy"] for run in ended], ended[0]["num_classes"])
        threshold = 200 / ended[0]["num_classes"]
        if chance.any():
            sentences.append(
                f"{arm.label} failed to train in {chance.sum()} of {_count(len(ended), 'seed')} "
                f"(test accuracy below {threshold:.0f}%, twice chance)."
            )
        else:
            which = f"each of {len(ended)} seeds" if len(ended) > 1 else "the one seed"
            sentences.append(f"{arm.label} trained in {which}.")
    for run in runs:
        if run["status"] == "diverged":
            epoch = len(run["curves"]["train_loss"]) + 1
            sentences.append(f"{arm.label}, seed {run['seed']}, diverged in epoch {epoch} (the loss was not finite).")
        if run["status"] == "failed":
            sentences.append(f"{arm.label}, seed {run['seed']}, ended with an error: {run['error']}")
    return sentences


def _about_difference(arm: Arm, baseline: Arm, records: list[dict]) -> list[str]:
    of_arm, of_baseline = (
        {run["seed"]: 100 * run["test_accuracy"] for run in _runs(each, records) if run["status"] != "failed"}
        for each in (arm, baseline)
    )
    seeds = sorted(of_arm.keys() & of_baseline.keys())
    if not seeds:
        return []
    difference = paired_difference([of_arm[s] for s in seeds], [of_baseline[s] for s in seeds])
    sentence = (
        f"{arm.label} minus {baseline.label}, test accuracy on equal seeds: "
        f"{difference.mean:+.2f} points on average over {_count(len(seeds), 'seed')}"
    )
    if len(seeds) == 1:
        return [sentence + "."]
    sentence += f", 95% interval {difference.low:+.2f} to {difference.high:+.2f} (Student's t)"
    if difference.holds_zero:
        return [sentence + ": it holds 0, so these seeds alone show no difference of the means."]
    return [sentence + "."]


def _baseline(arm: Arm, comparison: Comparison) -> Arm | None:
    """The arm without noise that `arm` is compared with."""
    if not arm.is_langevin:
        return None
    return next((other for other in comparison.arms if other.optimizer == arm.parent), None)


def _runs(arm: Arm, records: list[dict]) -> list[dict]:
    return [record for record in records if record["optimizer"] == arm.spec]


def _seed_cell(run: dict) -> str:
    if run["status"] == "failed":
        return "error"
    return f"{100 * run['test_accuracy']:.1f}{'*' if run['status'] == 'diverged' else ''}"


def _plus_minus(values: list[float | None], form: str) -> str:
    finite = [value for value in values if value is not None]
    if not finite:
        return "-"
    mean, std = mean_and_std(finite)
    return f"{mean:{form}}" if len(finite) == 1 else f"{mean:{form}} ± {std:{form}}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
