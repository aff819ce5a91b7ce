"""RESULTS.md agrees with the records: every number in its conclusions."""

import re
from functools import cache
from pathlib import Path

import numpy as np

from keras_langevin.experiments import report
from keras_langevin.experiments.optimizer_specs import OptimizerSpec
from keras_langevin.experiments.report.words import with_interval
from keras_langevin.experiments.statistics import paired_difference

ROOT = Path(__file__).parents[2]
# Numbers that are not results: layers, updates, sizes of noise, learning rates, factors, years, scales.
SETTINGS = {
    "40",
    "30",
    "3",
    "20",
    "35",
    "1,260",
    "140",
    "5",
    "10",
    "0.05",
    "0.00834",
    "0.316",
    "1e-2",
    "1e-3",
    "3e-4",
    "1e-4",
}
SETTINGS |= {"1.2", "9", "31", "80", "420", "2015", "5e-3", "30%"}

TABLE_1 = 77.39 - 76.95  # in the paper, CIFAR-10: LL-Adam − Adam


@cache
def results(preset: str):
    return report.analyse(report.collect([ROOT / "results" / preset]))


def setting(preset: str, model: str, **settings):
    (found,) = (
        each
        for each in results(preset)
        if each.settings["model"] == model and all(each.settings[k] == v for k, v in settings.items())
    )
    return found


def search(preset: str, model: str, spec: str):
    return setting(preset, model).find(OptimizerSpec(spec)).search


def accuracies(preset: str, model: str, spec: str) -> np.ndarray:
    return np.array([100 * run.test_accuracy for run in setting(preset, model).find(OptimizerSpec(spec)).ended])


def trained(preset: str, model: str, spec: str) -> str:
    share = setting(preset, model).find(OptimizerSpec(spec)).trained
    return f"{share.number} of {share.of} seeds"


def gain(preset: str, model: str, spec: str, against: str = "", **settings) -> str:
    cell = setting(preset, model, **settings)
    arm = OptimizerSpec(spec)
    own, other = (cell.find(each) for each in (arm, OptimizerSpec(against or arm.parent)))
    points = [[100 * run.test_accuracy for run in pair] for pair in own.in_common(other)]
    return with_interval(paired_difference(*np.transpose(points)))


def median(preset: str, model: str, spec: str) -> str:
    return f"{np.median(accuracies(preset, model, spec)):.2f}%"


def mean(preset: str, model: str, spec: str) -> str:
    return f"{np.mean(accuracies(preset, model, spec)):.2f}%"


def facts() -> list[str]:
    deep, best = ("equal-epsilon", "dense-40"), ("first-updates-adam", "dense-40")
    rmsprop, first, nine = "rmsprop-eps-outside", "first-35-ladam", ("figure-3", "dense-30")
    controls, drawn = ("controls", "dense-30"), "ladam@[1,8,12,13,15,16,24,27,29]"
    gains = {
        sigma: gain("gradient-noise", "dense-30", "gradient-noise-adam", sigma=float(sigma))
        for sigma in ("1e-4", "1e-3", "1e-2")
    }
    assert trained(*deep, "adam") == trained(*deep, rmsprop)
    assert trained(*deep, "ladam") == trained(*deep, f"l{rmsprop}") == "10 of 10 seeds"
    assert trained("initial-kernels", "he-dense-40", "adam") == "10 of 10 seeds"
    assert trained("kernels-adam", "dense-40", "kernels-ladam") == "10 of 10 seeds"
    bursts = (f"{which}-20-ladadelta" for which in ("first", "biases", "kernels"))
    assert [trained("kernels-adadelta", "dense-30", burst)[:2] for burst in bursts] == ["0 ", "0 ", "10"]
    tuned = ("figure-1", "dense-30"), ("figure-1", "dense-40")
    assert trained(*tuned[1], "sgd") == trained(*tuned[1], "lsgd")
    rate = search(*tuned[1], "adam").chosen.learning_rate
    first_layers = {spec: gain(*tuned[0], f"{spec}@0.3", spec) for spec in ("ladam", f"l{rmsprop}", "ladadelta")}
    inside = ("kernels-rmsprop", "dense-30")
    other, highway = ("first-updates-conv-dense", "conv-dense-30"), ("first-updates-highway", "highway-80")
    convolved = {depth: gain("conv-dense-depth", f"conv-dense-{depth}", "ladam") for depth in (3, 20, 30)}
    searched = {depth: gain("highway-depth", f"highway-{depth}", "ladam") for depth in (10, 40, 80)}
    clipped, warmed_up, untreated = (
        gain("remedies", "dense-30", spec) for spec in ("clip-ladam", "warmup-ladam", "ladam")
    )
    he, normalized = (gain("remedies", f"{family}-dense-30", "ladam") for family in ("he", "bn"))
    paper = ("figure-2", "highway-80")
    resnet = ("table-1", "narrow-resnet-20")
    densenet = ("table-2", "narrow-densenet-22")
    assert {search(*densenet, spec).chosen.learning_rate for spec in ("adam", "ladam@0.3")} == {5e-3}
    assert search(*densenet, "ladam@0.3").chosen.sigma == 5e-3
    (resnet_rate,) = {search(*resnet, spec).chosen.learning_rate for spec in ("adam", "ladam@0.3")}
    adaptive = [search(*paper, spec) for spec in ("ladam", f"l{rmsprop}")]
    (level,) = {found.chosen.sigma for found in adaptive}
    for found in adaptive:
        assert min(found.trials[0].validation_accuracies) < 0.11 < max(found.trials[0].validation_accuracies)
    rates = [search(*paper, spec).chosen.learning_rate for spec in ("adadelta", "ladadelta")]
    lowest = min(trial.sigma for trial in search(*paper, "ladadelta").trials)
    control = setting("adadelta-rates-highway", "highway-80").settings
    assert control["learning_rate"] == rates[0]
    trials = [len(search(preset, "dense-30", "ladam").trials) for preset in ("remedies", "figure-1")]
    return [
        f"noise gains {clipped} points where gradients are clipped and {warmed_up} where the learning rate is warmed "
        f"up. With He's initializer it is {he} points, with batch normalization {normalized}",
        f"it is {untreated} after this search, which has {trials[0]} trials, and less after the "
        f"{trials[1]} trials of figure-1",
        f"Adam trains in {trained(*other, 'adam')}, to a median of {median(*other, 'adam')}, and L-Adam in "
        f"{trained(*other, 'ladam')}, to {median(*other, 'ladam')}: {gain(*other, 'ladam')} points",
        f"is enough for {gain(*other, first)}",
        f"L-Adam differs from Adam by {convolved[3]} points at 3 layers, {convolved[20]} at 20 and "
        f"{convolved[30]} at 30",
        f"Adam trains in {trained(*highway, 'adam')}. Noise in two thirds of the training differs from none by "
        f"{gain(*highway, 'ladam')} points, and noise in the first 35 of 210 updates by {gain(*highway, first)}",
        f"L-Adam differs from Adam by {searched[10]} points at 10 layers, {searched[40]} at 40 and {searched[80]} at "
        f"80, where one seed of L-Adam ends at {min(accuracies('highway-depth', 'highway-80', 'ladam')):.2f}%",
        f"L-Adam differs from Adam by {gain(*paper, 'ladam')} points, the paper's L-RMSprop from its "
        f"RMSprop by {gain(*paper, f'l{rmsprop}')}. The searches gave both "
        f"σ = {np.format_float_scientific(level, exp_digits=1)}",
        f"L-Adadelta differs from Adadelta by {gain(*paper, 'ladadelta')} points. That comes from "
        f"the search, which ended at a learning rate of {rates[0]} for Adadelta and {rates[1]} for L-Adadelta, and "
        f"tried no σ below {lowest}. With {rates[0]} for both and σ = {control['sigma']}, which we chose afterwards "
        f"(adadelta-rates-highway), the difference is {gain('adadelta-rates-highway', 'highway-80', 'ladadelta')}",
        f"Adam reaches {mean(*resnet, 'adam')} and 30%-Layer L-Adam {mean(*resnet, 'ladam@0.3')}, averages over five "
        f"seeds. The difference is {gain(*resnet, 'ladam@0.3')} points. The paper's, {TABLE_1:+.2f},",
        f"Both searches chose a learning rate of {resnet_rate}",
        f"With {setting(*densenet).settings['limit']:,} images of CIFAR-10",
        f"Adam reaches {mean(*densenet, 'adam')} and 30%-Layer L-Adam {mean(*densenet, 'ladam@0.3')}, averages over "
        f"five seeds. The difference is {gain(*densenet, 'ladam@0.3')} points",
        f"a learning rate of {np.format_float_scientific(rate, exp_digits=1)}, with which Adam trains in "
        f"{trained(*tuned[1], 'adam')}. Noise then adds {gain(*tuned[1], 'ladam')} points, and "
        f"{gain(*tuned[0], 'ladam')} at 30 layers",
        f"still gains {gain(*tuned[0], f'l{rmsprop}')} points at 30 layers and {gain(*tuned[1], f'l{rmsprop}')} at 40, "
        f"L-Adadelta {gain(*tuned[0], 'ladadelta')} and {gain(*tuned[1], 'ladadelta')}, and Keras's "
        f"L-RMSprop {gain(*tuned[0], 'lrmsprop')} and {gain(*tuned[1], 'lrmsprop')}",
        f"SGD trains 40 layers in {trained(*tuned[1], 'sgd')}, with and without noise, and noise costs it "
        f"{gain('figure-1', 'dense-20', 'lsgd')} points at 20",
        f"Adam trains in {trained(*deep, 'adam')}",
        f"to {mean(*deep, 'ladam')} and {mean(*deep, f'l{rmsprop}')} on average",
        f"L-RMSprop gains {gain('equal-epsilon', 'dense-30', f'l{rmsprop}')} points",
        f"The interval of L-Adam, {gain('equal-epsilon', 'dense-30', 'ladam')}, contains zero",
        f"trains Adam in {trained(*best, first)}, to a median of {median(*best, first)}; without noise it is "
        f"{trained(*best, 'adam')}",
        f"without noise, to a median of {median('initial-kernels', 'he-dense-40', 'adam')}",
        f"costs accuracy, {gain('alive', 'he-dense-40', 'ladam')} points",
        f"that ten seeds can show, {gain('alive', 'he-dense-40', first)}",
        f"noise on the biases alone trains {trained('kernels-adam', 'dense-40', 'biases-ladam')}, and noise on the "
        f"kernels alone all of them: it is {gain('kernels-adam', 'dense-40', 'kernels-ladam', 'ladam')} points better",
        f"RMSprop by {gain('equal-epsilon', 'dense-30', 'lrmsprop')} points",
        f"the difference is {gain('rmsprop-noise', 'dense-30', 'lrmsprop')} points, and "
        f"{gain('rmsprop-noise', 'dense-40', 'lrmsprop')} at 40 (rmsprop-noise)",
        f"noise on the kernels alone trains {trained(*inside, 'kernels-lrmsprop')}, and is "
        f"{gain(*inside, 'kernels-lrmsprop', 'lrmsprop')} points better than noise on all weights. Noise on the "
        f"biases alone trains {trained(*inside, 'biases-lrmsprop')}",
        f"changes the accuracy by {gain('equal-epsilon', 'dense-3', 'ladadelta')} points at 3 layers and "
        f"{gain('equal-epsilon', 'dense-20', 'ladadelta')} at 20",
        f"gains {gain('adadelta-rates', 'dense-30', 'ladadelta')} at 30 layers and "
        f"{gain('adadelta-rates', 'dense-40', 'ladadelta')} at 40",
        f"gains {gain('learning-rates', 'dense-40', 'ladam', learning_rate=1e-4)} points at 1e-4, "
        f"{gain('learning-rates', 'dense-40', 'ladam', learning_rate=3e-4)} at 3e-4 and "
        f"{gain('learning-rates', 'dense-40', 'ladam', learning_rate=1e-3)} at 1e-3",
        f"{gain('controls', 'dense-30', 'ladam', 'isotropic-adam')} points better than isotropic noise",
        f"{gain('controls', 'dense-30', 'ladam', 'gradient-noise-adam')} better than noise on the gradient",
        f"changes Adam's accuracy by {gains['1e-4']} points at σ = 1e-4, {gains['1e-3']} at 1e-3 "
        f"and {gains['1e-2']} at 1e-2",
        f"reaches {mean(*nine, 'ladam@0.3')}, on the last nine {mean(*nine, 'ladam@-9')}, "
        f"on all {mean(*nine, 'ladam')}",
        f"it reaches {mean(*controls, drawn)}: it differs from the first nine by {gain(*controls, drawn, 'ladam@0.3')}",
        f"half of the layers gains {gain(*nine, 'ladam@0.5')} points, and on the first nine {gain(*nine, 'ladam@0.3')}",
        f"the difference between them is {first_layers['ladam']} points with Adam, {first_layers[f'l{rmsprop}']} with "
        f"the paper's RMSprop and {first_layers['ladadelta']} with Adadelta. Against no noise, the first 30% lose with "
        f"Adam, {gain(*tuned[0], 'ladam@0.3')}, and gain with the paper's RMSprop, "
        f"{gain(*tuned[0], f'l{rmsprop}@0.3')}",
    ]


def test_the_conclusions_are_those_of_the_records():
    page = (ROOT / "RESULTS.md").read_text("utf-8")
    (section,) = re.findall(r"## What we take from it\n(.*?)\n## ", page, flags=re.S)
    prose = " ".join(re.sub(r"`[^`]*`|\]\(.*?\)", "", section).split())
    for fact in facts():
        assert fact in prose
        prose = prose.replace(fact, "")
    others = set(re.findall(r"(?<![\w-])[+−]?\d(?:[\d.,]*\d)?(?:e-\d+)?%?", prose))
    assert others <= SETTINGS, "a number that is in no record"


def test_the_readme_says_what_noise_reaches_at_best():
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    best = max(np.median(accuracies("first-updates-adam", "dense-40", arm.arm.spec)) for arm in _noisy("dense-40"))
    he = np.median(accuracies("initial-kernels", "he-dense-40", "adam"))
    assert f"noise takes Adam to a median of {best:.1f}% at best, He's initializer to {he:.1f}%" in readme
    specs = ("ladam", "lrmsprop-eps-outside", "lrmsprop")
    adam, rmsprop, inside = (gain("figure-1", "dense-40", spec) for spec in specs)
    assert (
        f"adds {adam} points to Adam at 40 layers, {rmsprop} to the paper's RMSprop and {inside} to Keras's" in readme
    )


def _noisy(model: str):
    return [arm for arm in setting("first-updates-adam", model).arms if arm.arm.parent]
