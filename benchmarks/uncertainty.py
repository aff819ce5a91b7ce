"""Which average pays: ensembles and samplers beside a single net, at stated budgets.

    KERAS_BACKEND=jax python benchmarks/uncertainty.py --dataset mnist --limit 1000 --data-dir FOLDER

A single net is trained for E epochs (`--epochs`). The budget of every recipe is stated in E: MC dropout E, a deep
ensemble of five 5E, all others 5E/3, a third of that: E for the single net that they go on from, and 2E/3 of their own.
For each recipe and seed: accuracy, NLL, ECE, Brier score, and the area under the ROC curve by which predictive entropy
tells the test split from other images; seconds, and bytes of weights. Priors, learning rates and temperatures are
options, the same for all recipes, to be chosen with `--split validation` and a seed that is not reported.

Writes `--out` after each recipe of each seed, and resumes there.
"""

import argparse
import json
import math
import time
from pathlib import Path

import keras
import numpy as np
from scipy import special
from sklearn.metrics import roc_auc_score

from keras_langevin import (
    BAOAB,
    LSGD,
    SGHMC,
    SGNHT,
    CyclicalLangevin,
    GaussianPrior,
    PosteriorSamples,
    datasets,
    posterior_sigma,
)
from keras_langevin.experiments.machine import provenance
from keras_langevin.experiments.statistics import paired_difference
from keras_langevin.files import replaced
from keras_langevin.sampling import SWAG, Ensemble, scores

RESULTS = Path(__file__).parent / "results"
SCORES = ("accuracy", "nll", "brier", "ece")
PREDICT = {"batch_size": 1000, "verbose": 0}
MEMBERS = 5


class Setting:
    """Options, data and one seed: what a recipe trains on.

    Attributes:
        single: the weights of the single net, trained once.
        seconds: what that took.
    """

    def __init__(self, options, data, seed: int):
        self.options, self.data, self.seed = options, data, seed
        self.size = len(data.train.x)
        self.steps = math.ceil(self.size / options.batch_size)
        self.own = max(2 * options.epochs // 3, 1)
        self.single, self.seconds = None, 0.0

    def build(self, seed: int, dropout: float = 0.0) -> keras.Model:
        """A small convolutional net, logits out; a kernel's prior has `prior_scale` times He's standard deviation."""
        options, number = self.options, iter(range(100 * seed, 100 * seed + 100))

        def layer(cls, inputs: int, *arguments, **more):
            prior = GaussianPrior(options.prior_scale * math.sqrt(2 / inputs), self.size)
            kernel = keras.initializers.HeNormal(seed=next(number))
            bias = GaussianPrior(1.0, self.size)
            return cls(*arguments, **more, kernel_initializer=kernel, kernel_regularizer=prior, bias_regularizer=bias)

        shape, width = self.data.train.x.shape[1:], options.width
        layers = [keras.Input(shape)]
        inputs, side = shape[-1], shape[0]
        for filters in (width, 2 * width):
            layers.append(layer(keras.layers.Conv2D, 9 * inputs, filters, 3, padding="same", activation="relu"))
            layers.append(keras.layers.MaxPooling2D())
            inputs, side = filters, side // 2
        layers.append(keras.layers.Flatten())
        layers.append(layer(keras.layers.Dense, inputs * side**2, 4 * width, activation="relu", name="hidden"))
        layers += [keras.layers.Dropout(dropout)] * bool(dropout)
        layers.append(layer(keras.layers.Dense, 4 * width, self.data.num_classes, name="head"))
        return keras.Sequential(layers)

    def train(self, model, optimizer, epochs: int, *callbacks):
        model.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        fit = {"batch_size": self.options.batch_size, "verbose": 0}
        model.fit(*self.data.train, epochs=epochs, callbacks=list(callbacks), **fit)
        return model

    def trained(self, seed: int, **build) -> keras.Model:
        """For E epochs by Adam, the last third at a tenth of its rate."""
        keras.utils.set_random_seed(seed)
        drop = 2 * self.options.epochs * self.steps // 3
        rate = self.options.adam_rate
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay([drop], [rate, rate / 10])
        return self.train(self.build(seed, **build), keras.optimizers.Adam(schedule), self.options.epochs)

    def start(self) -> keras.Model:
        """The single net, from its weights."""
        if self.single is None:
            began = time.perf_counter()
            self.single = self.trained(self.seed).get_weights()
            self.seconds = time.perf_counter() - began
        model = self.build(self.seed)
        model.set_weights(self.single)
        return model

    def sampled(self, optimizer, only=None) -> Ensemble:
        """Samples of the last half of 2E/3 epochs that go on from the single net; of one layer, `only`."""
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
    """Predictions of a net whose dropout stays on."""

    class Dropped(Ensemble):
        def predictions(self, x, batch_size=None, verbose=0):
            for _ in range(setting.options.samples):
                batches = [x[i : i + batch_size] for i in range(0, len(x), batch_size)]
                calls = [self._ensemble_model(batch, training=True) for batch in batches]
                yield np.concatenate([keras.ops.convert_to_numpy(keras.ops.stop_gradient(call)) for call in calls])

    of_one = Ensemble.of([setting.trained(setting.seed, dropout=setting.options.dropout)])
    return Dropped(of_one._ensemble_model, of_one.rings)


def underdamped(setting: Setting, cls) -> Ensemble:
    return setting.sampled(setting.langevin(cls, learning_rate=0.1 * setting.options.learning_rate, friction=0.1))


def swag(setting: Setting) -> Ensemble:
    model = setting.start()
    found = SWAG(0, max(setting.steps // 2, 1), num_samples=setting.options.samples, seed=setting.seed)
    setting.train(model, keras.optimizers.SGD(setting.options.learning_rate, momentum=0.9), setting.own, found)
    return found


def cyclical(setting: Setting) -> Ensemble:
    cycles = CyclicalLangevin(cycles=2)
    model, updates = setting.start(), setting.own * setting.steps
    samples = PosteriorSamples(0, max(updates // 2 // setting.options.samples, 1), setting.options.samples, when=cycles)
    optimizer = setting.langevin(LSGD, learning_rate=3 * setting.options.learning_rate)
    setting.train(model, optimizer, setting.own, cycles, samples)
    return samples


# name -> how it is trained, and its cost in E
RECIPES = {
    "single": (lambda s: Ensemble.of([s.start()]), 1),
    "MC dropout": (dropped_out, 1),
    "deep ensemble of 5": (
        lambda s: Ensemble.of([s.start(), *(s.trained(s.seed + 1000 * i) for i in range(1, MEMBERS))]),
        MEMBERS,
    ),
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


def measured(setting: Setting, recipe: str, outside: dict) -> dict:
    make, cost = RECIPES[recipe]
    setting.start()  # trained once for all recipes that go on from it
    began = time.perf_counter()
    ensemble = make(setting)
    seconds = time.perf_counter() - began + (setting.seconds if recipe != "MC dropout" else 0.0)
    examples = getattr(setting.data, setting.options.split)
    mean = {}
    for name, x in {"": examples.x, **outside}.items():
        probabilities = (special.softmax(np.asarray(p, float), axis=-1) for p in ensemble.predictions(x, **PREDICT))
        mean[name] = np.mean(list(probabilities), axis=0)
    entropies = {name: scores.entropy(p) for name, p in mean.items()}
    found = scores.all_scores(mean[""], examples.y)
    for name in outside:
        labels = np.repeat([0, 1], [len(entropies[""]), len(entropies[name])])
        found[f"auroc {name}"] = float(roc_auc_score(labels, np.concatenate([entropies[""], entropies[name]])))
    stored = sum(array.nbytes for ring in ensemble.rings for i in range(len(ring)) for array in ring.read(i))
    return found | {"samples": len(ensemble), "epochs": cost, "seconds": seconds, "bytes": stored}


def fitting(images: np.ndarray, shape) -> np.ndarray:
    """Images in another shape: grey where it has one channel, cut or padded in the middle."""
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
    """Each recipe minus the single net and minus the deep ensemble: the mean over seeds, with a 95% interval."""
    found = {}
    for recipe in RECIPES:
        for other in ("single", "deep ensemble of 5"):
            seeds = [seed for seed in runs.get(recipe, {}) if seed in runs.get(other, {})]
            if recipe != other and len(seeds) > 1:
                for score in runs[recipe][seeds[0]]:
                    pair = [[runs[name][seed][score] for seed in seeds] for name in (recipe, other)]
                    each = paired_difference(*pair)
                    interval = [each.low, each.high] if each.method else None
                    found[f"{score}: {recipe} - {other}"] = {"mean": each.mean, "interval": interval}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--limit", type=int, help="training examples (default: all)")
    parser.add_argument("--outside", nargs="+", default=["cifar10", "digits"])
    parser.add_argument("--data-dir", help="of tensorflow-datasets")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="default: 0 1 2 3 4")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=30, help="E")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--adam-rate", type=float, default=2e-3)
    parser.add_argument("--learning-rate", type=float, default=0.03, help="of samplers; SGHMC's is a tenth of it")
    parser.add_argument("--prior-scale", type=float, default=3.0)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--temperature", type=float, default=0.1, help="of all samplers but L-SGD")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--split", choices=("test", "validation"), default="test", help="validation: for choosing")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    name = f"uncertainty-{options.dataset}{f'-{options.limit}' if options.limit else ''}.json"
    path = options.out or RESULTS / name
    left_out = ("data_dir", "seeds", "recipes", "out")
    settings = {name: value for name, value in vars(options).items() if name not in left_out}
    results = {"settings": settings, "runs": {}}
    if path.exists():
        results = json.loads(path.read_text("utf-8"))
        if results["settings"] != settings:
            raise SystemExit(f"{path} has results of other settings: give another --out, or move it away.")
    data = datasets.load(options.dataset, data_dir=options.data_dir, limit=options.limit)
    shape = data.train.x.shape[1:]
    outside = {name: fitting(datasets.load(name, data_dir=options.data_dir).test.x, shape) for name in options.outside}
    for seed in options.seeds:
        setting = Setting(options, data, seed)
        for recipe in options.recipes:
            of_recipe = results["runs"].setdefault(recipe, {})
            if str(seed) not in of_recipe:
                of_recipe[str(seed)] = found = measured(setting, recipe, outside)
                results |= {"provenance": provenance(), "differences": differences(results["runs"])}
                with replaced(path) as file:
                    json.dump(results, file, indent=1)
                shown = (f"{score} {value:.4g}" for score, value in found.items())
                print(seed, f"{recipe:20s}", *shown, flush=True)
    for name, found in results["differences"].items():
        interval = "({:+.4g} to {:+.4g})".format(*found["interval"]) if found["interval"] else ""
        print(f"{name:50s} {found['mean']:+.4g} {interval}")


if __name__ == "__main__":
    main()
