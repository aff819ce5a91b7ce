"""docs/why-noise-helps.md agrees with the records: its tables, and every number in its sentences."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from keras_langevin.experiments.report.words import signed, with_interval
from keras_langevin.experiments.statistics import paired_difference

ROOT = Path(__file__).parents[2]
# settings of the runs, which are not results
SETTINGS = {"5", "40", "1e-3", "35", "1,260", "1e-6", "1.2", "200", "100", "20", "1.4", "2016", "2⁻²⁰", "√2"}
SETTINGS |= {"10", "210", "420"}


@pytest.fixture(scope="module")
def why():
    return importlib.import_module("why_noise_helps")


def test_its_tables_are_those_of_the_records(why):
    text = why.PAGE.read_text("utf-8")
    assert why.page(text) == text, "run python benchmarks/why_noise_helps.py"
    assert "| - |" not in text, "a preset of the page has no records"


def facts(why) -> list[str]:
    """Returns the sentences with numbers, made from the records."""
    trace = json.loads(why.TRACE.read_text("utf-8"))

    def after(arm, measure, update, layer):
        seeds = trace["arms"][arm].values()
        assert len(seeds) == 10
        return np.median([seed[measure][trace["updates"].index(update)] for seed in seeds], axis=0)[layer - 1]

    def grown(measure, layer):
        return after("L-Adam", measure, 35, layer) / after("L-Adam", measure, 0, layer)

    def short(number):
        return f"{number:.0e}".replace("e-0", "e-")

    records = why.Records()

    def updates(number):
        return records.of_updates("first-updates-adam", "dense-40", "adam")[number]

    rmsprop = records.of_updates("first-updates-rmsprop", "dense-40", "rmsprop-eps-outside")
    shorter = paired_difference(rmsprop["35"], rmsprop["2/3"])
    assert (rmsprop["5"] >= 20).all()

    def median(accuracies):
        assert len(accuracies) == 10
        return f"{np.median(accuracies):.1f}"

    def kernels(name):
        return records.of("initial-kernels", f"{name}-40", "adam")

    def trained(accuracies):
        return f"{(accuracies >= 20).sum()} of {len(accuracies)} seeds"

    longer = paired_difference(updates("140"), updates("2/3"))

    def gain(preset, model, spec, parent):
        noisy, quiet = (records.of(preset, model, each) for each in (spec, parent))
        assert len(noisy) == len(quiet) == 10
        return with_interval(paired_difference(noisy, quiet))

    def cost(model, spec):
        return gain("alive", f"{model}-40", spec, "adam")

    def adadelta(depth):
        return records.of_updates("first-updates-adadelta", f"dense-{depth}", "adadelta")

    shallow = adadelta(30)
    assert (shallow["0"] >= 20).all() and max((shallow[str(k)] >= 20).sum() for k in (5, 10, 20, 35, 70)) == 2
    of_biases = [(records.of_weights(*which)["biases"] >= 20).sum() for *which, _ in why.WEIGHTS if "dense" in which[1]]
    assert sorted(of_biases) == [0, 0, 0, 0, 0, 1]  # the page has it in words
    inside = records.of_weights("kernels-rmsprop", "dense-30", "lrmsprop", None)
    more = {depth: gain("rmsprop-noise", f"dense-{depth}", "lrmsprop", "rmsprop") for depth in (30, 40)}
    in_highway = records.of_weights("kernels-highway", "highway-80", "ladam", 35)

    def rising(optimizer):
        """Returns in how many seeds of highway-80 the training loss rises after the third epoch."""
        paths = (ROOT / "results" / "kernels-highway" / "runs").glob(f"{optimizer}-seed-*.json")
        losses = [json.loads(path.read_text("utf-8"))["curves"]["train_loss"] for path in paths]
        assert len(losses) == 10
        return sum(each[-1] > each[2] for each in losses)

    assert rising("adam") == 0

    def against(found, one, other):
        return with_interval(paired_difference(found[one], found[other]))

    def kernels_against_all(preset, model, optimizer, updates):
        return against(records.of_weights(preset, model, optimizer, updates), "kernels", "all")

    other = records.of_updates("first-updates-conv-dense", "conv-dense-30", "adam")
    assert [(other[k] >= 20).all() for k in ("5", "10", "20", "35", "70", "140", "2/3", "all")] == [False] + [True] * 7
    highway = records.of_updates("first-updates-highway", "highway-80", "adam")
    assert (highway["0"] >= 20).all()
    gains = [paired_difference(each, highway["0"]) for number, each in highway.items() if number != "0"]
    assert max(each.low for each in gains) < 0, "the page: it gains nothing that ten seeds can show"

    best = max(map(str, why.UPDATES), key=lambda number: np.median(updates(number)))
    assert all((updates(number) >= 20).all() for number in ("35", "70", "140", "2/3", "all"))
    assert all((kernels(name) >= 20).all() for name in ("gain-1.2-dense", "grown-1.2-dense"))
    start = {short(np.median([after("Adam", "gradients", 0, layer) for layer in range(1, 41)]))}
    larger = "Adam, initial kernels × 1.2"
    noise = [after("L-Adam", "noise", update, 1) for update in trace["updates"][1:]]
    kernel = after("L-Adam", "kernels", 0, 2)
    return [
        f"the gradients are about {start.pop()} at the start",
        f"ε is {1e-6 / float(short(after('Adam', 'gradients', 0, 1))):.0f} times larger",
        f"{min(noise):.3f} to {max(noise):.3f} per update in the first layer, beside kernels of {kernel:.3f}",
        f"the second layer are {grown('kernels', 2):.2f} times as large as at the start, and their gradients "
        f"{grown('gradients', 2):.0f} times",
        f"After 70 updates these gradients are {after('L-Adam', 'gradients', 70, 2) / 1e-6:.0f} times ε",
        f"{short(after(larger, 'gradients', 0, 2))} in the second layer",
        f"After 20 updates they are {short(after(larger, 'gradients', 20, 2))}",
        f"noise in 20 updates trains {trained(updates('20'))}, and noise in 35 updates trains all",
        f"The best median, {median(updates(best))}, comes from noise in {best} updates",
        f"After noise in two thirds of the training it is {median(updates('2/3'))}",
        f"noise in 140 updates is {longer.mean:.2f} points better than noise in two thirds, with a 95% interval of "
        f"{signed(longer.low)} to {signed(longer.high)}",
        f"Noise in 35 updates is {shorter.mean:.2f} points better than noise in two thirds of the training, with a 95% "
        f"interval of {signed(shorter.low)} to {signed(shorter.high)}",
        f"to a median of {median(shallow['0'])}. After noise in 5 to 70 updates at most 2 of 10 do. Noise in two "
        f"thirds of the updates reaches {median(shallow['2/3'])}",
        f"noise in the first 140 updates trains {trained(adadelta(40)['140'])}",
        f"is {kernels_against_all('kernels-adadelta', 'dense-30', 'ladadelta', 20)} points",
        f"{kernels_against_all('kernels-adam', 'dense-40', 'ladam', None)} points better than all weights with Adam, "
        f"and {kernels_against_all('kernels-adadelta', 'dense-30', 'ladadelta', None)} with Adadelta",
        f"{trained(inside['none'])} of dense-30 train without noise, {trained(inside['all'])[:-6]} with noise on all",
        f"to noise on all weights is {against(inside, 'kernels', 'all')} points",
        f"gains {more[30]} points at 30 layers, and {more[40]} at 40",
        f"is not shown: {kernels_against_all('kernels-adam', 'dense-40', 'ladam', 5)}",
        f"{trained(updates('5'))} train after 5 of them, and {trained(updates('0'))[:-6]} without noise",
        f"{trained(other['0'])} of conv-dense-30 train, to a median of {median(other['0'])}",
        f"noise in 35 gains {against(other, '35', '0')} points, and noise in two thirds {against(other, '2/3', '0')}",
        f"35 and two thirds contains zero: {against(other, '35', '2/3')}",
        f"all ten seeds without noise, to a median of {median(highway['0'])}",
        f"from none by {against(highway, '2/3', '0')} points, and noise in the first 35 costs points: "
        f"{against(highway, '35', '0')}",
        f"on kernels costs points too, {against(in_highway, 'kernels', 'none')}, and the one on biases differs from no "
        f"noise by {against(in_highway, 'biases', 'none')}",
        f"the training loss of {rising('first-35-ladam')} seeds is higher after the last epoch",
        f"along themselves (median {median(kernels('gain-1.2-dense'))}) or at random "
        f"({median(kernels('grown-1.2-dense'))})",
        f"Adam reaches {median(kernels('gain-1.4-dense'))}, {median(kernels('he-dense'))} and "
        f"{median(kernels('lsuv-dense'))}. Noise reaches {median(updates(best))} at best",
        f"{cost('he-dense', 'ladam')} points with He's kernels and {cost('lsuv-dense', 'ladam')} with LSUV, where one "
        f"seed ends at {records.of('alive', 'lsuv-dense-40', 'ladam').min():.1f}",
        f"the interval contains zero: {cost('gain-1.2-dense', 'ladam')}",
        f"{cost('he-dense', 'first-35-ladam')} with He's kernels and {cost('lsuv-dense', 'first-35-ladam')} with LSUV",
    ]


def test_its_sentences_are_those_of_the_records(why):
    text = re.sub(
        r"```.*?```|<!--.*?-->|^\|.*?$|!\[.*?\]\(.*?\)|`[^`]*`", "", why.PAGE.read_text("utf-8"), flags=re.M | re.S
    )
    prose = " ".join(text.split())
    for fact in facts(why):
        assert fact in prose
        prose = prose.replace(fact, "")
    others = set(re.findall(r"(?<![\w-])√?\d(?:[\d.,]*\d)?(?:e-\d+|[⁻⁰¹²³⁴-⁹]+)?", prose))
    assert others <= SETTINGS, "a number that is in no record"
