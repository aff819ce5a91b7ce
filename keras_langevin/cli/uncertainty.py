"""`keras-langevin uncertainty`: compares ensembles and samplers with a single net."""

import argparse
from pathlib import Path

from keras_langevin.cli.terminal import add_shared, new_command, new_console, print_table, start_keras
from keras_langevin.experiments.config import DEFAULT_FOLDER
from keras_langevin.experiments.paper import SCALES

_ALWAYS = {"test_limit": None, "batch_size": 50, "adam_rate": 2e-3, "samples": 20, "search_seeds": [100, 101]}
_SMOKE = {"limit": 200, "test_limit": 100, "epochs": 3, "width": 2, "samples": 3}
_OF_MNIST = {"dataset": "mnist", "outside": ["cifar10", "digits"], "net": "dense", "width": 16}
_OF_CIFAR = {"dataset": "cifar10", "outside": ["mnist", "digits"], "net": "conv"}
_CPU_CIFAR = {"limit": 5000, "test_limit": 5000, "epochs": 15, "width": 8}
# The settings of each study, by scale. The layers of a dense net have four times `width` units.
STUDIES = {
    "mnist-1000": {scale: _OF_MNIST | {"limit": 1000, "epochs": 60} for scale in SCALES},
    "mnist": {scale: _OF_MNIST | {"limit": None, "epochs": 12, "batch_size": 100} for scale in SCALES},
    "cifar10": {"cpu": _OF_CIFAR | _CPU_CIFAR, "full": _OF_CIFAR | {"limit": None, "epochs": 60, "width": 32}},
}
for _study in STUDIES.values():
    _study["smoke"] = _study["cpu"] | _SMOKE


def add(commands):
    option = new_command(commands, "uncertainty", uncertainty)
    option("study", choices=STUDIES, help="the data: 1,000 images of MNIST, all of them, or CIFAR-10")
    option("--scale", choices=SCALES, default="smoke", help="at cpu, CIFAR-10 has 5,000 images (default: smoke)")
    option("--seeds", type=int, metavar="N", help="how many, 0 to N - 1 (default: 5; 2 at smoke)")
    option("--recipes", nargs="+", metavar="NAME", help="names in the table (default: all)")
    option("--out", help=f"a JSON file for the results (default: {DEFAULT_FOLDER}/uncertainty-STUDY-SCALE.json)")
    add_shared(option, "--backend", "--data-dir")


def uncertainty(options: argparse.Namespace):
    """Compare ensembles and samplers with a single net.

    Trains a single net, MC dropout, a deep ensemble of five, SWAG and Langevin samplers with stated budgets, and shows
    accuracy, NLL, calibration, and how well each tells other images from the test split. Tuning uses the validation
    split and the same number of trials for each. Run the same command again to resume after an interruption.
    """
    settings = _ALWAYS | STUDIES[options.study][options.scale]
    path = Path(options.out or f"{DEFAULT_FOLDER}/uncertainty-{options.study}-{options.scale}.json")
    backend = start_keras(options.backend)
    from keras_langevin.experiments import uncertainty as study
    from keras_langevin.names import unknown
    from keras_langevin.values import check_int

    number = options.seeds if options.seeds is not None else (2 if options.scale == "smoke" else 5)
    check_int("seeds", number, 1)
    for name in options.recipes or ():
        if name not in study.RECIPES:
            raise unknown("recipe", name, study.RECIPES)
    path.parent.mkdir(parents=True, exist_ok=True)
    console = new_console()
    console.print(f"{options.study} at scale {options.scale}, {backend} backend; results in {path}", markup=False)
    recipes = options.recipes or list(study.RECIPES)
    say = lambda line: console.print(line, markup=False)  # noqa: E731
    results = study.run(settings, path, seeds=range(number), recipes=recipes, data_dir=options.data_dir, say=say)
    title = f"{', '.join(results['settings']['data'])}: mean ± standard deviation over seeds"
    columns, rows = study.table(results["runs"])
    print_table(console, title, columns, rows)
    for name, each in results["differences"].items():
        if each["interval"] and name.startswith(("nll", "auroc")):
            low, high = each["interval"]
            line = f"{name}: {each['mean']:+.4g} ({low:+.4g} to {high:+.4g}), p with Holm {each['p_holm']:.2g}"
            console.print(line, markup=False)
