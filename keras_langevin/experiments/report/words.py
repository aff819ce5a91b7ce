"""What the results show, in tables and in sentences."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from keras_langevin.experiments.report.analysis import ENOUGH_SEEDS, PairedResult
from keras_langevin.experiments.report.collecting import OptimizerResult, SettingResult, shown_setting
from keras_langevin.experiments.statistics import Difference, Summary, chance_threshold, summary
from keras_langevin.experiments.tuning import Search
from keras_langevin.names import count, printable

if TYPE_CHECKING:  # slow to import
    from pandas import DataFrame

_DIFFERENCE = ("difference", "95% interval", "p", "p (Holm)", "P(improve)")
TABLE = (
    "optimizer",
    "seeds",
    "trained",
    "test %",
    *_DIFFERENCE,
    "median %",
    "middle half %",
    "failures",
    "each seed %",
)
TERMINAL_TABLE = ("optimizer", "test %", "each seed %", "train loss", "seconds")


def signed(value: float) -> str:
    """Formats a difference with its sign, which is a true minus."""
    text = "-" if math.isnan(value) else f"{value:+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def with_interval(difference: Difference) -> str:
    """Formats a mean and its interval, if it has one: `+2.40 [+1.72, +3.08]`."""
    ends = f" [{signed(difference.low)}, {signed(difference.high)}]" if difference.method else ""
    return signed(difference.mean) + ends


def plus_minus(mean: float, std: float = math.nan, form: str = ".2f") -> str:
    """Formats mean and standard deviation, as far as they are known: `92.50 ± 1.25`."""
    return " ± ".join(f"{value:{form}}" for value in (mean, std) if not math.isnan(value)) or "-"


def optimizers_table(result: SettingResult, columns: Sequence[str] = TABLE) -> "DataFrame":
    numbers = {pair.label: _numbers(pair) for pair in result.pairs}
    rows = []
    for arm in result.arms:
        planned, loss = max(arm.num_planned, len(arm.runs)), _recorded(arm, "train_loss")
        rows.append(
            {
                "optimizer": arm.label,
                "seeds": str(planned) if planned == len(arm.ended) else f"{len(arm.ended)} of {planned}",
                "trained": f"{arm.trained.number} of {arm.trained.of}",
                "test %": plus_minus(arm.accuracy.mean, arm.accuracy.std),
                "median %": plus_minus(arm.accuracy.median),
                "middle half %": plus_minus(arm.accuracy.interquartile_mean),
                "each seed %": " ".join(map(_accuracy, arm.runs)) or "-",
                "failures": ", ".join(f"{number} {kind}" for kind, number in arm.failures.items() if number) or "0",
                "train loss": plus_minus(loss.mean, loss.std, ".3g"),
                "seconds": plus_minus(_recorded(arm, "seconds").median, form=".1f"),
                **numbers.get(arm.label, dict.fromkeys(_DIFFERENCE, "-")),
            }
        )
    return _frame(rows, columns)


def _accuracy(run) -> str:
    return "error" if run.status == "failed" else f"{100 * run.test_accuracy:.1f}{'*' * (run.status == 'diverged')}"


def _recorded(arm: OptimizerResult, name: str) -> Summary:
    return summary([run.record[name] for run in arm.ended if run.record.get(name) is not None])


def _numbers(pair: PairedResult) -> dict[str, str]:
    found = pair.difference
    interval = f"{signed(found.low)} to {signed(found.high)}" if found.method else "-"
    p_values = (f"{value:.3g}" for value in (found.p_value, pair.holm_p_value))
    return dict(zip(_DIFFERENCE, (signed(found.mean), interval, *p_values, f"{pair.improvement:.0%}"), strict=True))


def differences_table(results: list[SettingResult]) -> "DataFrame":
    return _frame(
        {"setting": result.title, "optimizers": pair.name, "seeds": str(len(pair.seeds))} | _numbers(pair)
        for result in results
        for pair in result.pairs
    )


def origins_table(results: list[SettingResult]) -> "DataFrame":
    """Returns where the runs come from: folders, versions, commits, devices and dates, each value once."""
    found = {"folder": {folder for result in results for folder in result.folders}}
    for name, values in runs_frame(results).filter(regex="^provenance_").items():
        days = 10 if name == "provenance_finished_at" else None
        found[name.removeprefix("provenance_")] = {printable(str(value))[:days] for value in values.dropna()}
    return _frame({"what": what.replace("_", " "), "found": ", ".join(sorted(own))} for what, own in found.items())


def terminal_table(result: SettingResult) -> Table:
    """Returns the table for a terminal. A long name takes several lines; no number is cut."""
    columns = [
        Column(name, justify="right", overflow="fold", no_wrap=name in ("test %", "seconds"))
        for name in TERMINAL_TABLE[1:]
    ]
    name = Column(TERMINAL_TABLE[0], overflow="fold", min_width=9)
    grid = Table(
        name, *columns, title=f"{escape(result.title)}, {count(result.comparison.epochs, 'epoch')}", pad_edge=False
    )
    for row in optimizers_table(result, TERMINAL_TABLE).to_numpy():
        grid.add_row(*map(escape, row))
    return grid


def show(results: Sequence[SettingResult], console: Console, written: Iterable[Path] = ()):
    """Prints a table and sentences for each setting, then where the files are and, last, the page to open."""
    num_differences = sum(len(result.pairs) for result in results)
    for result in results:
        console.print(terminal_table(result), soft_wrap=False)
        for sentence in about_setting(result, num_differences):
            # a terminal would break a long line within a word; a file or a pipe gets the whole line
            console.print(f"- {sentence}", markup=False, soft_wrap=not console.is_terminal)
    folders: dict[Path, list[str]] = {}
    for path in written:
        folders.setdefault(path.parent, []).append(path.name)
    for folder, names in folders.items():
        console.print(f"In {folder}: {', '.join(names)}", markup=False)
    for folder, names in folders.items():
        if "report.html" in names:
            console.print(f"Open {folder / 'report.html'}", markup=False)


def _frame(rows: Iterable[dict], columns: Sequence[str] | None = None) -> "DataFrame":
    from pandas import DataFrame

    # through objects, so that an int stays an int if another row lacks it
    return DataFrame(list(rows), columns=columns, dtype=object).infer_objects()


def runs_frame(results: Sequence[SettingResult]) -> "DataFrame":
    """Returns a row for each run: all settings, then its record, with the last value of each curve."""
    rows = []
    for result in results:
        for arm in result.arms:
            parent = result.parent(arm.arm)
            for run in arm.runs:
                row = {"optimizer": run.arm.spec, "label": arm.label, "parent": parent.arm.spec if parent else ""}
                row |= {"seed": run.seed, "status": run.status, "at_chance": run.at_chance}
                row |= {"epochs_done": len(run.curves["train_loss"]), "file": str(run.path)}
                row |= {name: values[-1] for name, values in run.curves.items() if values}
                row |= {name: value for name, value in _flat(run.record) if name not in ("label", "traceback")}
                rows.append(_settings_first(result, row))
    return _frame(rows)


def differences_frame(results: Sequence[SettingResult]) -> "DataFrame":
    """Returns a row for each paired difference, in percentage points. `seeds` and `values` have the same order."""
    rows = []
    for result in results:
        for pair in result.pairs:
            row = {"optimizer": pair.label, "parent": pair.parent, "num_seeds": len(pair.seeds)}
            row |= vars(pair.difference) | {"holm_p_value": pair.holm_p_value}
            row |= {"probability_of_improvement": pair.improvement, "contains_zero": pair.difference.contains_zero}
            row |= {"seeds": " ".join(map(str, pair.seeds))}
            row["values"] = " ".join(map(repr, pair.difference.values.tolist()))
            rows.append(_settings_first(result, row))
    return _frame(rows)


def _settings_first(result: SettingResult, row: dict) -> dict:
    """Returns the settings, then the row. A setting with the name of an entry of the row is renamed."""
    settings = {f"setting_{name}" if name in row else name: value for name, value in _flat(result.settings)}
    return settings | row


def _flat(record: dict, before: str = "") -> Iterable[tuple[str, Any]]:
    """Yields the entries of a JSON object and of those in it, without curves and the optimizer's configuration."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}_") if name not in ("curves", "optimizer_config") else ()
        else:
            yield before + name, json.dumps(value) if isinstance(value, list) else value


def overview(results: list[SettingResult]) -> list[str]:
    """Returns sentences about the whole report: findings, how many seeds trained if not all did, and the runs."""
    pairs = [(result, pair) for result in results for pair in result.pairs]
    sentences = [about_difference(pairs[0][1])] if len(pairs) == len(results) == 1 else _findings(pairs)
    for result in results:
        if any(arm.failures["at chance"] + arm.failures["diverged"] for arm in result.arms):
            shares = [f"{arm.label} {arm.trained.number} of {arm.trained.of}" for arm in result.arms if arm.runs]
            better = [f"{pair.label} {pair.improvement:.0%}" for pair in result.pairs]
            sentences.append(
                f"{result.title}: not every run trained above chance level: {', '.join(shares)}."
                + (f" Probability of improvement over the parent: {', '.join(better)}." if better else "")
            )
    arms = [arm for result in results for arm in result.arms]
    runs, planned = sum(len(arm.runs) for arm in arms), sum(arm.num_planned for arm in arms)
    chance, diverged, failed = (sum(arm.failures[kind] for arm in arms) for kind in ("at chance", "diverged", "error"))
    on_record = f"{runs} of {count(planned, 'run')}" if runs < planned else count(runs, "run")
    return [
        *sentences,
        f"{count(len(results), 'setting')}, {on_record} on record: {runs - diverged - failed} finished ({chance} of "
        f"them at chance level), {diverged} diverged, {failed} ended with an error.",
    ]


def _findings(pairs: list[tuple[SettingResult, PairedResult]]) -> list[str]:
    if not pairs:
        return ["No optimizer with noise has a seed in common with its parent: there is no difference to report."]
    judged = [pair for _, pair in pairs if pair.may_conclude]
    found = {word: [each for each in pairs if each[1].verdict == word] for word in ("better", "worse")}
    better, worse = map(len, found.values())
    few = len(pairs) - len(judged)
    sentences = [
        f"Of {count(len(pairs), 'difference')} to a parent without noise, the optimizer with noise is better in "
        f"{better} and worse in {worse} by the 95% interval; {len(judged) - better - worse} show no difference."
        + (f" {few} with fewer than {ENOUGH_SEEDS} seeds, from which nothing is concluded." if few else "")
        + f" By Holm's correction over all of them p is below 0.05 in {sum(p.holm_p_value < 0.05 for p in judged)}."
    ]
    for word, own in found.items():
        own.sort(key=lambda each: -abs(each[1].difference.mean))
        shown = "; ".join(f"{pair.name}, {each.title}: {with_interval(pair.difference)}" for each, pair in own[:4])
        more = f"; and {len(own) - 4} more in the table below" if len(own) > 4 else ""
        sentences += [f"{word.capitalize()}, in percentage points: {shown}{more}."] if own else []
    return sentences


def about_setting(result: SettingResult, num_differences: int) -> list[str]:
    """Returns sentences about a setting: what trained, what differs, what failed, where the rates come from."""
    ended = [arm for arm in result.arms if arm.ended]
    sentences = [f"{arm.label}: {_share(arm)}." for arm in ended]
    if len(ended) > 1 and all(arm.trained.number == arm.trained.of for arm in ended):
        sentences = [f"Every run is {_above_chance(ended[0])}."]
    sentences += [about_difference(pair, num_differences) for pair in result.pairs]
    for arm in result.arms:
        parent = result.parent(arm.arm)
        if parent and not arm.in_common(parent):
            sentences.append(f"{arm.label} and {parent.label} have no seed in common that gave an accuracy.")
    if len({run.seed for run in result.runs}) == 1:
        sentences.append(f"One seed cannot tell an effect from chance: run with --seeds {ENOUGH_SEEDS} or more.")
    for arm in result.arms:
        sentences += _troubles(arm)
    return sentences + [
        _about_search(arm.label, arm.search, result.comparison.tuning_epochs) for arm in ended if arm.search
    ]


def _above_chance(arm: OptimizerResult) -> str:
    classes = arm.ended[0].num_classes
    level = f"{100 * chance_threshold(classes):.3g}%, {'twice chance' if classes > 2 else 'where chance is 50%'}"
    return f"above chance level (a test accuracy of {level})"


def _share(arm: OptimizerResult) -> str:
    found = arm.trained
    if found.of == 1:
        return f"the one seed {'' if found.number else 'not '}{_above_chance(arm)}"
    share = f"{found.number} of {found.of} seeds {_above_chance(arm)}"
    if found.number == found.of:
        return share
    interval = f"a share of {found.number / found.of:.0%} with 95% interval {found.low:.0%} to {found.high:.0%}"
    return f"{share}, {interval}; mean of the middle half {arm.accuracy.interquartile_mean:.2f}%"


def _troubles(arm: OptimizerResult) -> Iterable[str]:
    for run in arm.runs:
        if run.status == "diverged":
            yield (
                f"{arm.label}, seed {run.seed}, diverged in epoch {len(run.curves['train_loss']) + 1} (the loss was "
                f"not finite); its test accuracy at the end, {100 * run.test_accuracy:.1f}%, counts."
            )
        if run.status == "failed":
            yield f"{arm.label}, seed {run.seed}, ended with an error: {run.error}"
    if missing := max(0, arm.num_planned - len(arm.runs)):
        yield f"{arm.label}: {missing} of {count(arm.num_planned, 'seed')} not on record yet."


def _about_search(label: str, search: Search, epochs: int | None) -> str:
    chosen, default, finals = search.chosen, search.trials[0], len(search.finals)
    values = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in chosen.arguments.items())
    edge = " and ".join(f"the {end} {name.replace('_', ' ')}" for name, end in search.edges.items())
    trials, seeds = count(len(search.trials) - finals, "trial"), count(len(chosen.validation_accuracies), "seed")
    own = ", ".join(f"{value:g}" for value in default.arguments.values())
    best, usual = (f"{100 * trial.validation_accuracy:.2f}%" for trial in (chosen, default))
    if finals:
        how = (
            f"the best on the validation split ({best}) of {count(finals, 'trial')} as long as the runs, which were "
            f"the best of {trials} of {count(epochs, 'epoch')} ("
        )
    else:
        how = f"the best of {trials} on the validation split ({best}; "
    return f"{label}: {values} is {how}the default, {own}: {usual}; {seeds} each, none of those below)." + (
        f" It is {edge} that was tried: a wider search may find a better." if edge else ""
    )


def about_difference(pair: PairedResult, num_differences: int = 1) -> str:
    """Returns a sentence about what a paired difference shows."""
    found, seeds = pair.difference, count(len(pair.seeds), "seed")
    if not found.method:
        where = "in the one seed" if len(pair.seeds) == 1 else f"in each of {seeds}, without a spread to judge by"
        return f"{pair.name}, test accuracy on equal seeds: {signed(found.mean)} points {where}."
    corrected = f", with Holm's correction over {num_differences} differences {pair.holm_p_value:.3g}"
    why = "it contains zero, so these seeds alone show no difference of the means"
    if not pair.may_conclude and not found.contains_zero:
        why = f"fewer than {ENOUGH_SEEDS} seeds are too few to conclude from"
    return (
        (f"{pair.label} is {pair.verdict} than {pair.parent}: " if pair.verdict else f"{pair.name}: ")
        + f"{signed(found.mean)} points of test accuracy on average over {seeds}, 95% interval {signed(found.low)} to "
        f"{signed(found.high)}, p = {found.p_value:.3g} ({found.method}){corrected if num_differences > 1 else ''}"
        + ("." if pair.verdict else f"; {why}.")
    )


def settings_words(result: SettingResult) -> str:
    """Returns the settings of a cell in one line. It shows ε even if it is the default: in a deep net ε decides."""
    settings = {name: value for name, value in result.settings.items() if value != ""}
    values = {result.comparison.arguments(arm.arm).get("epsilon") for arm in result.arms} - {None}
    shown = " and ".join(f"{value:g}" for value in sorted(values))
    settings["epsilon"] = f"{shown} with and without noise" if shown else "in none of the optimizers"
    return "; ".join(shown_setting(name, value) for name, value in settings.items())
