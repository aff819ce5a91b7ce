"""Which average pays off: ensembles and samplers compared with a single net, at stated budgets.

A single net is trained for E epochs, a deep ensemble for 5E. Every other recipe has 5E/3, a third of the deep
ensemble's budget: MC dropout trains from the start; all others continue the single net (E) for 2E/3.

Choices are made on the validation split, by the mean NLL of two seeds that are not reported: one scale of the priors
for all recipes, with the single net; then for each recipe one option of its own (`OWN`), out of five values. Samplers
other than L-SGD have the temperature of the best L-SGD.

`learning_rate` is that of an equally fast step without momentum: γ/(1 − μ); γ/α for SGHMC, BAOAB and SGNHT; the mean of
γ for the cyclical schedule. So the same five values mean the same for all.
"""

import copy
import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
from scipy import special
from sklearn.metrics import roc_auc_score

from keras_langevin import datasets
from keras_langevin.callbacks import CyclicalLangevin
from keras_langevin.experiments.machine import provenance
from keras_langevin.experiments.statistics import holm, paired_difference, summary
from keras_langevin.files import read_json, replaced
from keras_langevin.optimizers import BAOAB, LSGD, SGHMC, SGNHT, posterior_sigma
from keras_langevin.sampling import SWAG, Ensemble, GaussianPrior, PosteriorSamples, scores

MEMBERS = 5
SLOW = 0.1  # 1 − μ of SWAG, and the friction α of SGHMC, BAOAB and SGNHT


class Setting:
    """Options, data and one seed: what a recipe trains on.

    Attributes:
        single: the weights of the single net, trained once.
        seconds: the time that took.
    """

    def __init__(self, options, data, seed: int):
        self.options, self.data, self.seed = copy.copy(options), data, seed
        self.size = len(data.train.x)
        self.steps = math.ceil(self.size / options.batch_size)
        self.own = 2 * options.epochs // 3
        self.single, self.seconds = None, 0.0

    def build(self, seed: int, dropout: float = 0.0) -> keras.Model:
        """Builds two convolutions or a dense layer, then a dense layer and logits. A kernel's prior has `prior_scale`
        times He's standard deviation."""
        options, number = self.options, iter(range(100 * seed, 100 * seed + 100))

        def layer(cls, inputs: int, *arguments, **more):
            prior = GaussianPrior(options.prior_scale * math.sqrt(2 / inputs), self.size)
            kernel = keras.initializers.HeNormal(seed=next(number))
            bias = GaussianPrior(1.0, self.size)
            return cls(*arguments, **more, kernel_initializer=kernel, kernel_regularizer=prior, bias_regularizer=bias)

        shape, width = self.data.train.x.shape[1:], options.width
        layers = [keras.Input(shape)]
        inputs, side = shape[-1], shape[0]
        for filters in (width, 2 * width) if options.net == "conv" else ():
            layers.append(layer(keras.layers.Conv2D, 9 * inputs, filters, 3, padding="same", activation="relu"))
            layers.append(keras.layers.MaxPooling2D())
            inputs, side = filters, side // 2
        layers.append(keras.layers.Flatten())
        inputs *= side**2
        if options.net == "dense":
            layers.append(layer(keras.layers.Dense, inputs, 4 * width, activation="relu"))
            inputs = 4 * width
        layers.append(layer(keras.layers.Dense, inputs, 4 * width, activation="relu", name="hidden"))
        layers += [keras.layers.Dropout(dropout)] * bool(dropout)
        layers.append(layer(keras.layers.Dense, 4 * width, self.data.num_classes, name="head"))
        return keras.Sequential(layers)

    def train(self, model, optimizer, epochs: int, *callbacks):
        model.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        fit = {"batch_size": self.options.batch_size, "verbose": 0}
        model.fit(*self.data.train, epochs=epochs, callbacks=list(callbacks), **fit)
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise FloatingPointError(f"The weights must be finite. They are not after {optimizer.name}: it diverged.")
        return model

    def trained(self, seed: int, epochs: int, **build) -> keras.Model:
        """Trains a new net with Adam, the last third at a tenth of the rate."""
        keras.utils.set_random_seed(seed)
        drop, rate = 2 * epochs * self.steps // 3, self.options.adam_rate
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([drop], [rate, rate / 10])
        return self.train(self.build(seed, **build), keras.optimizers.Adam(schedule), epochs)

    def start(self) -> keras.Model:
        """Returns the single net with its weights, which are trained once."""
        if self.single is None:
            began = time.perf_counter()
            self.single = self.trained(self.seed, self.options.epochs).get_weights()
            self.seconds = time.perf_counter() - began
        model = self.build(self.seed)
        model.set_weights(self.single)
        return model

    def sampled(self, optimizer, only=None) -> Ensemble:
        """Continues the single net for 2E/3 epochs and samples the last half, all layers or only the layer `only`."""
        model, updates = self.start(), self.own * self.steps
        for layer in model.layers if only else ():
            layer.trainable = layer.name == only
        thinning = max(updates // 2 // self.options.samples, 1)
        samples = PosteriorSamples(updates // 2, thinning, self.options.samples, layers=only)
        self.train(model, optimizer, self.own, samples)
        return samples

    def langevin(self, cls, temperature=None, **arguments):
        options = self.options
        sigma = posterior_sigma(self.size, options.temperature if temperature is None else temperature)
        return cls(**{"learning_rate": options.learning_rate, "sigma": sigma, "seed": self.seed} | arguments)


def dropped_out(setting: Setting) -> Ensemble:
    """Returns an ensemble of predictions of one net whose dropout stays on."""

    class Dropped(Ensemble):
        def predictions(self, x, batch_size=None, verbose=0):
            for _ in range(setting.options.samples):
                batches = [x[i : i + batch_size] for i in range(0, len(x), batch_size)]
                calls = [self._ensemble_model(batch, training=True) for batch in batches]
                yield np.concatenate([keras.ops.convert_to_numpy(keras.ops.stop_gradient(call)) for call in calls])

    epochs = setting.options.epochs + setting.own
    of_one = Ensemble.of([setting.trained(setting.seed, epochs, dropout=setting.options.dropout)])
    return Dropped(of_one._ensemble_model, of_one.rings)


def underdamped(setting: Setting, cls) -> Ensemble:
    return setting.sampled(setting.langevin(cls, learning_rate=SLOW * setting.options.learning_rate, friction=SLOW))


def swag(setting: Setting) -> Ensemble:
    model = setting.start()
    found = SWAG(0, max(setting.steps // 2, 1), num_samples=setting.options.samples, seed=setting.seed)
    optimizer = keras.optimizers.SGD(SLOW * setting.options.learning_rate, momentum=1 - SLOW)
    setting.train(model, optimizer, setting.own, found)
    return found


def cyclical(setting: Setting) -> Ensemble:
    cycles = CyclicalLangevin(cycles=2)
    model, updates = setting.start(), setting.own * setting.steps
    samples = PosteriorSamples(0, max(updates // 2 // setting.options.samples, 1), setting.options.samples, when=cycles)
    optimizer = setting.langevin(LSGD, learning_rate=2 * setting.options.learning_rate)  # the first of each cycle
    setting.train(model, optimizer, setting.own, cycles, samples)
    return samples


def trained_on(setting: Setting) -> Ensemble:
    optimizer = keras.optimizers.Adam(setting.options.adam_rate / 10)
    return Ensemble.of([setting.train(setting.start(), optimizer, setting.own)])


def deep(setting: Setting) -> Ensemble:
    others = (setting.trained(setting.seed + 1000 * i, setting.options.epochs) for i in range(1, MEMBERS))
    return Ensemble.of([setting.start(), *others])


# From a recipe's name to its function and its cost in E.
RECIPES = {
    "single": (lambda s: Ensemble.of([s.start()]), 1),
    "single, trained on": (trained_on, 5 / 3),
    "MC dropout": (dropped_out, 5 / 3),
    "deep ensemble of 5": (deep, MEMBERS),
    "SWAG": (swag, 5 / 3),
    "L-SGD T=1": (lambda s: s.sampled(s.langevin(LSGD, 1.0)), 5 / 3),
    "L-SGD T=0.1": (lambda s: s.sampled(s.langevin(LSGD, 0.1)), 5 / 3),
    "L-SGD T=0.01": (lambda s: s.sampled(s.langevin(LSGD, 0.01)), 5 / 3),
    "cyclical": (cyclical, 5 / 3),
    "SGHMC": (lambda s: underdamped(s, SGHMC), 5 / 3),
    "BAOAB": (lambda s: underdamped(s, BAOAB), 5 / 3),
    "SGNHT": (lambda s: underdamped(s, SGNHT), 5 / 3),
    "partly Bayesian": (lambda s: s.sampled(s.langevin(LSGD), only="head"), 5 / 3),
}
PRIOR_SCALES = (1.0, 3.0, 10.0)
# From a recipe's name to the option that is chosen for it, and the values that are tried.
OWN = dict.fromkeys(list(RECIPES)[4:], ("learning_rate", (0.01, 0.03, 0.1, 0.3, 1.0))) | {
    "MC dropout": ("dropout", (0.02, 0.05, 0.1, 0.2, 0.5))
}
TEMPERATURES = {"L-SGD T=1": 1.0, "L-SGD T=0.1": 0.1, "L-SGD T=0.01": 0.01}


def probabilities(setting: Setting, ensemble: Ensemble, x) -> np.ndarray:
    """Returns the mean probabilities over the samples."""
    outputs = ensemble.predictions(x, batch_size=1000, verbose=0)
    return np.mean([special.softmax(np.asarray(logits, float), axis=-1) for logits in outputs], axis=0)


def chosen(options, data, trials: dict, keep: Callable, say: Callable) -> dict:
    """Returns the options by recipe, those of all recipes by `""`. Runs and keeps the trials that `trials` lacks."""
    settings = {}

    def nll(recipe: str, **tried) -> float:
        name = f"{recipe}: {', '.join(f'{option}={value:g}' for option, value in tried.items())}"
        found = trials.setdefault(name, [])
        for seed in options.search_seeds[len(found) :]:
            key = tried["prior_scale"], seed
            setting = settings.setdefault(key, Setting(options, data, seed))
            vars(setting.options).update(tried)
            try:
                mean = probabilities(setting, RECIPES[recipe][0](setting), data.validation.x)
                found.append(scores.all_scores(mean, data.validation.y)["nll"])
            except FloatingPointError:
                found.append(None)  # it diverged
            keep()
            say(f"{name}, seed {seed}: " + ("diverged" if found[-1] is None else f"NLL {found[-1]:.4f}"))
        return math.inf if None in found else float(np.mean(found))

    scale = min(PRIOR_SCALES, key=lambda scale: nll("single", prior_scale=scale))
    found = {"": {"prior_scale": scale}}

    def choose(recipe: str):
        option, values = OWN[recipe]
        best = min(values, key=lambda value: nll(recipe, **found[""], **{option: value}))
        found[recipe] = {option: best}
        return nll(recipe, **found[""], **found[recipe])

    best = min(TEMPERATURES, key=choose)
    found[""]["temperature"] = TEMPERATURES[best]
    for recipe in (name for name in OWN if name not in TEMPERATURES):
        choose(recipe)
    return found


def measured(setting: Setting, recipe: str, outside: dict) -> dict:
    make, cost = RECIPES[recipe]
    setting.start()  # trained once for all recipes that continue it
    began = time.perf_counter()
    ensemble = make(setting)
    seconds = time.perf_counter() - began + (setting.seconds if recipe != "MC dropout" else 0.0)
    mean = {name: probabilities(setting, ensemble, x) for name, x in {"": setting.data.test.x, **outside}.items()}
    entropies = {name: scores.entropy(p) for name, p in mean.items()}
    found = scores.all_scores(mean[""], setting.data.test.y)
    for name in outside:
        labels = np.repeat([0, 1], [len(entropies[""]), len(entropies[name])])
        found[f"auroc {name}"] = float(roc_auc_score(labels, np.concatenate([entropies[""], entropies[name]])))
    stored = sum(array.nbytes for ring in ensemble.rings for i in range(len(ring)) for array in ring.read(i))
    found |= {"samples": len(ensemble), "epochs": cost * setting.options.epochs, "seconds": seconds, "bytes": stored}
    return {name: float(value) for name, value in found.items()}


def fitting(images: np.ndarray, shape) -> np.ndarray:
    """Converts images to another shape: to grey if it has one channel, cropped or padded around the middle."""
    if shape[-1] == 1 and images.shape[-1] == 3:
        images = (images @ np.array([0.299, 0.587, 0.114], "float32"))[..., None]
    if shape[-1] == 3 and images.shape[-1] == 1:
        images = np.repeat(images, 3, axis=-1)
    for axis in (1, 2):
        excess = images.shape[axis] - shape[axis - 1]
        if excess > 0:
            images = np.take(images, range(excess // 2, excess // 2 + shape[axis - 1]), axis=axis)
        elif excess < 0:
            widths = [(0, 0)] * 4
            widths[axis] = (-excess // 2, -excess - -excess // 2)
            images = np.pad(images, widths)
    return images


def differences(runs: dict) -> dict:
    """Returns each recipe minus the single net and minus the deep ensemble: the mean over seeds, a 95% interval, and p
    with Holm's correction over the recipes."""
    found = {}
    for other in ("single", "deep ensemble of 5"):
        for score in next(iter(runs.get(other, {}).values()), {}):
            family = {}
            for recipe in (name for name in RECIPES if name in runs and name != other):
                seeds = [seed for seed in runs[recipe] if seed in runs[other]]
                if len(seeds) > 1:
                    pair = ([runs[name][seed][score] for seed in seeds] for name in (recipe, other))
                    family[f"{score}: {recipe} - {other}"] = paired_difference(*pair)
            adjusted = holm([each.p_value for each in family.values()])
            for (name, each), p in zip(family.items(), adjusted, strict=True):
                interval = [each.low, each.high] if each.method else None
                found[name] = {"mean": each.mean, "interval": interval, "p": each.p_value, "p_holm": float(p)}
    return found


def table(runs: dict) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns the columns' names, and for each recipe a row of mean ± standard deviation over the seeds."""
    names = list(next(iter(next(iter(runs.values())).values())))
    rows = []
    for recipe in (name for name in RECIPES if name in runs):
        each = [summary([run[name] for run in runs[recipe].values()]) for name in names]
        rows.append((recipe, *(f"{score.mean:.4g} ± {score.std:.2g}" for score in each)))
    return ("recipe", *names), rows


def run(
    settings: dict, path: Path, *, seeds: Sequence[int], recipes: Sequence[str], data_dir=None, say: Callable = print
) -> dict:
    """Trains what the file does not hold yet. Writes the file after each trial, and after each recipe of each seed.

    Args:
        settings: dict with `dataset`, `limit` and `test_limit` (examples; `None`: all), `outside` (two or more other
            data sets), `net` (`"dense"` or `"conv"`), `width`, `epochs` (E, a multiple of 3), `batch_size`,
            `adam_rate`, `samples` and `search_seeds`.
        path: a JSON file.
        seeds: list of ints, without `search_seeds`.
        recipes: list of names in `RECIPES`.
        data_dir: as in `datasets.load`.
        say: is called with a line of text for each trial and run.

    Returns:
        dict, the content of the file: the settings, the data with their SHA-256, the NLL of all trials, the choices;
        for each run accuracy, NLL, Brier score, ECE, the area under the ROC curve with which predictive entropy tells
        the test split from other images, seconds with compilation, and bytes of weights; differences with 95%
        intervals, and p-values with Holm's correction over the recipes; the provenance of the last run, all commits.
    """
    if set(settings["search_seeds"]) & set(seeds) or settings["epochs"] % 3:
        raise ValueError(
            f"`seeds` must leave out {settings['search_seeds']}, the seeds of the trials, and `epochs` be a multiple "
            f"of 3. Received: seeds={list(seeds)}, epochs={settings['epochs']}. Choose others."
        )
    options = SimpleNamespace(**settings)
    data = datasets.load(options.dataset, data_dir=data_dir, limit=options.limit)
    others = [datasets.load(name, data_dir=data_dir) for name in options.outside]
    settings = settings | {"data": {each.label: each.sha256 for each in (data, *others)}}
    results = {"settings": settings, "trials": {}, "runs": {}, "provenance": {}}
    if path.exists():
        results = read_json(path, "the results of this command")
        if results["settings"] != settings:
            raise ValueError(
                f"The file must have results of these settings and data. Received: {path} with others. Name another "
                "file, or move it away."
            )
    images = {each.label: fitting(each.test.x[: options.test_limit], data.input_shape) for each in others}
    test = type(data.test)(*(array[: options.test_limit] for array in data.test))
    data = dataclasses.replace(data, test=test)

    def keep():
        results["provenance"] = provenance()
        results["commits"] = sorted({*results.get("commits", ()), str(results["provenance"]["commit"])})
        results["differences"] = differences(results["runs"])
        with replaced(path) as file:
            json.dump(results, file, indent=1, ensure_ascii=False)

    found = results["chosen"] = chosen(options, data, results["trials"], keep, say)
    for seed in seeds:
        setting = Setting(options, data, seed)
        vars(setting.options).update(found[""])
        for recipe in recipes:
            of_recipe = results["runs"].setdefault(recipe, {})
            if str(seed) not in of_recipe:
                vars(setting.options).update(found.get(recipe, {}))
                of_recipe[str(seed)] = scored = measured(setting, recipe, images)
                keep()
                say(f"{recipe}, seed {seed}: {', '.join(f'{name} {value:.4g}' for name, value in scored.items())}")
    return results
