"""A dense net on MNIST: samples of its posterior beside the single net that they came from.

    KERAS_BACKEND=jax python benchmarks/posterior_mnist.py --data-dir FOLDER

For each seed: a net is trained by Adam to the maximum of the posterior (the same prior), then L-SGD goes on from it. On
the test split, and on CIFAR-10 in grey, which is nothing that the net knows:

    single      the net that Adam trained
    scaled      the same with its logits divided by the temperature that is best on the validation split
                (C. Guo et al., ICML 2017): what one number can do for calibration
    posterior   all samples, at temperature 1 and at a lower one ("cold")
    last of ... the last sample alone: what the noise does without the averaging

Writes `results/posterior_mnist-BACKEND.json` as it goes, a record for each seed, and goes on with the seeds that are
not there. What was chosen was chosen on the validation split, with a seed that is not reported (`--split validation`).
"""

import argparse
import itertools
import json
import math
import time
from pathlib import Path

import keras
import numpy as np
from scipy import optimize, special
from sklearn.metrics import roc_auc_score

from keras_langevin import LSGD, GaussianPrior, PosteriorSamples, datasets, posterior_sigma
from keras_langevin.experiments.machine import provenance
from keras_langevin.experiments.statistics import paired_difference, summary
from keras_langevin.files import replaced
from keras_langevin.sampling import scores

RESULTS = Path(__file__).parent / "results"
SCORES = ("accuracy", "nll", "brier", "ece", "out_entropy", "out_auroc")


def build(width: int, depth: int, prior_scale: float, data_size: int, seed: int) -> keras.Model:
    """Hidden layers of ReLU units, logits out; a kernel's prior has `prior_scale` times He's standard deviation
    √(2 / inputs), a bias's N(0, 1)."""
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    sizes = [28 * 28] + [width] * depth + [10]
    for number, (inputs, units) in enumerate(itertools.pairwise(sizes)):
        layer = keras.layers.Dense(
            units,
            "relu" if number < depth else None,
            kernel_initializer=keras.initializers.HeNormal(seed=100 * seed + number),
            kernel_regularizer=GaussianPrior(prior_scale * math.sqrt(2 / inputs), data_size),
            bias_regularizer=GaussianPrior(1.0, data_size),
        )
        model.add(layer)
    return model


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def scaled(logits, validation_logits, labels):
    """Probabilities at the temperature that is best on the validation split, and that temperature."""

    def nll(log_temperature):
        probabilities = special.softmax(validation_logits / np.exp(log_temperature), axis=-1)
        return scores.negative_log_likelihood(probabilities, labels)

    temperature = float(np.exp(optimize.minimize_scalar(nll, bounds=(-3, 3), method="bounded").x))
    return special.softmax(logits / temperature, axis=-1), temperature


def record(inside, labels, outside) -> dict:
    """Scores of probabilities on the test split, and how far entropy tells it from the other images."""
    inner, outer = scores.entropy(inside), scores.entropy(outside)
    found = scores.all_scores(inside, labels)
    found |= {"entropy": float(inner.mean()), "out_entropy": float(outer.mean())}
    return found | {"out_auroc": auroc(inner, outer)}


def auroc(inside, outside) -> float:
    """The probability that a number of the other images is larger than one of the test split's."""
    labels = np.repeat([0, 1], [len(inside), len(outside)])
    return float(roc_auc_score(labels, np.concatenate([inside, outside])))


def posterior_name(temperature: float) -> str:
    return f"posterior T={temperature:g}"


def run(options, data, outside, seed: int, split: str) -> dict:
    """One seed: the scores of each method on `split`."""
    keras.utils.set_random_seed(seed)
    data_size = len(data.train.x)
    examples = getattr(data, split)
    model = build(options.width, options.depth, options.prior_scale, data_size, seed)
    began = time.perf_counter()
    per_epoch = math.ceil(data_size / options.batch_size)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [2 * options.epochs * per_epoch // 3], [options.adam_rate, options.adam_rate / 10]
    )
    model.compile(keras.optimizers.Adam(schedule), loss=loss())
    fit = {"batch_size": options.batch_size, "verbose": 0}
    model.fit(*data.train, epochs=options.epochs, **fit)
    predict = {"batch_size": 2000, "verbose": 0}
    logits = [model.predict(x, **predict) for x in (examples.x, outside, data.validation.x)]
    inside_and_outside = [special.softmax(values.astype(float), axis=-1) for values in logits[:2]]
    results = {"single": record(inside_and_outside[0], examples.y, inside_and_outside[1])}
    both = np.concatenate(logits[:2])
    probabilities, scaling = scaled(both, logits[2], data.validation.y)
    results["scaled"] = record(probabilities[: len(examples.y)], examples.y, probabilities[len(examples.y) :])
    adam_seconds = time.perf_counter() - began

    trained = model.get_weights()
    for temperature in options.temperatures:
        model.set_weights(trained)
        sigma = posterior_sigma(data_size, temperature)
        model.compile(LSGD(options.learning_rate, sigma=sigma, seed=seed), loss=loss())
        thinning = options.sample_epochs * per_epoch // options.samples
        samples = PosteriorSamples(options.burn_in_epochs * per_epoch, thinning, options.samples)
        model.fit(*data.train, epochs=options.burn_in_epochs + options.sample_epochs, callbacks=[samples], **fit)
        inside, outside_ = (
            special.softmax(np.array(list(samples.predictions(x, **predict)), float), axis=-1)
            for x in (examples.x, outside)
        )
        name = posterior_name(temperature)
        results[name] = record(inside.mean(axis=0), examples.y, outside_.mean(axis=0)) | {"num_samples": len(samples)}
        information = [scores.entropy(p.mean(axis=0)) - scores.entropy(p).mean(axis=0) for p in (inside, outside_)]
        results[name] |= {"mutual_information": float(information[0].mean())}
        results[name] |= {
            "out_mutual_information": float(information[1].mean()),
            "out_auroc_information": auroc(*information),
        }
        results[f"last of {name}"] = record(inside[-1], examples.y, outside_[-1])
    return {
        "seed": seed,
        "split": split,
        "temperature_of_scaled": scaling,
        "adam_seconds": adam_seconds,
        "seconds": time.perf_counter() - began,
        "results": results,
    }


def grey(images: np.ndarray) -> np.ndarray:
    """CIFAR-10's images as MNIST has them: 28 × 28, one channel, by ITU-R BT.601's weights."""
    return (images[:, 2:30, 2:30] @ np.array([0.299, 0.587, 0.114], "float32"))[..., None]


def mean_and_std(values) -> tuple[float, float]:
    found = summary(list(values))
    return found.mean, found.std


def differences(runs: list[dict]) -> dict:
    """Posteriors minus other methods: the mean over seeds with a 95% interval."""
    found = {}
    for name in (name for name in runs[0]["results"] if name.startswith("posterior")):
        for other, score in itertools.product(("single", "scaled", f"last of {name}"), SCORES):
            found[f"{score}: {name} - {other}"] = difference(runs, (name, score), (other, score))
        # by mutual information, which a single net has none of, against the single net's entropy
        found[f"out_auroc by information: {name} - single"] = difference(
            runs, (name, "out_auroc_information"), ("single", "out_auroc")
        )
    return found


def difference(runs: list[dict], one: tuple[str, str], other: tuple[str, str]) -> dict:
    """Of (method, score) one and the other."""
    values = [[run["results"][method][score] for run in runs] for method, score in (one, other)]
    found = paired_difference(*values)
    interval = [found.low, found.high] if found.method else None
    return {"mean": found.mean, "interval": interval, "p_value": found.p_value}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="of tensorflow-datasets, with mnist and cifar10")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="default: 0 1 2 3 4")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--prior-scale", type=float, default=3.0)
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=20, help="of Adam; the last third at a tenth of its rate")
    parser.add_argument("--adam-rate", type=float, default=2e-3)
    parser.add_argument("--learning-rate", type=float, default=0.03, help="of L-SGD")
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1.0, 0.1])
    parser.add_argument("--burn-in-epochs", type=int, default=10)
    parser.add_argument("--sample-epochs", type=int, default=40)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--split", choices=("test", "validation"), default="test", help="validation: for choosing")
    parser.add_argument("--out", type=Path, default=RESULTS / f"posterior_mnist-{keras.backend.backend()}.json")
    options = parser.parse_args()
    settings = {name: value for name, value in vars(options).items() if name not in ("data_dir", "seeds", "out")}
    results = {"settings": settings, "runs": []}
    if options.out.exists():
        results = json.loads(options.out.read_text("utf-8"))
        if results["settings"] != settings:
            raise SystemExit(f"{options.out} has results of other settings: give another --out, or move it away.")
    done = {run["seed"] for run in results["runs"]}
    data = datasets.load("mnist", data_dir=options.data_dir)
    other = datasets.load("cifar10", data_dir=options.data_dir)
    results["outside"] = f"test images of cifar10{f' ({other.note})' if other.note else ''}, grey, 28 × 28"
    outside = grey(other.test.x)
    for seed in options.seeds:
        if seed not in done:
            results["runs"].append(run(options, data, outside, seed, options.split) | {"provenance": provenance()})
        runs = results["runs"]
        results["provenance"] = runs[-1]["provenance"]
        results["means"] = {
            method: {score: mean_and_std(run["results"][method][score] for run in runs) for score in SCORES}
            for method in runs[0]["results"]
        }
        results["differences"] = differences(runs)
        with replaced(options.out) as file:
            json.dump(results, file, indent=1)
        for method, found in runs[-1]["results"].items():
            print(seed, f"{method:25s}", *(f"{score} {found[score]:.4f}" for score in SCORES), flush=True)
    for name, found in results["differences"].items():
        interval = "({:+.5f} to {:+.5f})".format(*found["interval"]) if found["interval"] else ""
        print(f"{name:50s} {found['mean']:+.5f} {interval}")


if __name__ == "__main__":
    main()
