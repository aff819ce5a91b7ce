"""`keras-langevin compare`: train optimizers side by side and show what differs."""

import argparse

from keras_langevin.cli.parsing import UsageError
from keras_langevin.cli.training import add_training, train_and_report
from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.sweep import SETTINGS, read_config


def add(commands):
    """Adds the sub-command."""
    defaults = Comparison()
    parser = commands.add_parser(
        "compare",
        help="train optimizers side by side and show what differs",
        description="Trains optimizers side by side, with equal initial weights, batches and augmentation for each "
        "seed, shows a table and the same in words, and writes a report. The same command resumes where it was "
        "interrupted. Options marked with * take several values: each combination of them is a comparison of its own.",
    )
    several = {"nargs": "+", "default": None}
    parser.add_argument("--config", metavar="FILE", help="a TOML file with these settings; options go before it")
    parser.add_argument(
        "--model", **several, help=f"* family and depth, or with --depth family alone (default: {defaults.model})"
    )
    parser.add_argument("--depth", type=int, **several, help="* depths of the model's family")
    parser.add_argument(
        "--dataset",
        **several,
        metavar="NAME",
        help="* digits (embedded); mnist, fashion_mnist, cifar10, cifar100, or any image-classification set of "
        f"tensorflow-datasets with a train and a test split (default: {defaults.dataset})",
    )
    parser.add_argument(
        "--optimizers",
        nargs="+",
        metavar="NAME[@LAYERS]",
        help="adam, ladam, ladam@0.3 (the first 30%% of the layers), ladam@3 (the first three), ladam@-3 (the last "
        "three), ladam@REGEX, ladam@0 (no noise: what adam is); lrmsprop (epsilon inside the root, as in Keras), "
        "lrmsprop-eps-outside (outside, as in the paper); sgd-momentum beside sghmc (default: "
        f"{' '.join(defaults.optimizers)})",
    )
    parser.add_argument("--epochs", type=int, **several, help="* (default: 60 on digits, 12 elsewhere)")
    parser.add_argument("--batch-size", type=int, **several, help="* (default: 32 on digits, 512 elsewhere)")
    parser.add_argument("--learning-rate", type=float, **several, help="* (default: each optimizer's own; Adam: 1e-3)")
    parser.add_argument("--sigma", type=float, **several, help="* (default: 1e-3; Adadelta: 0.05)")
    parser.add_argument(
        "--epsilon", type=float, **several, help="* of every optimizer, with noise and without (default: 1e-6)"
    )
    parser.add_argument("--seeds", type=int, help=f"how many: 0, 1, ...; more are added (default: {defaults.seeds})")
    parser.add_argument(
        "--validation-fraction",
        type=float,
        metavar="F",
        help=f"share of the training examples (default: {defaults.validation_fraction})",
    )
    parser.add_argument(
        "--limit", type=int, **several, metavar="N", help="* train on N examples, drawn by class (default: all)"
    )
    parser.add_argument(
        "--augment",
        **several,
        metavar="HOW",
        help="* none; crop-flip (pad 2 pixels, random crop and flip); crop-flip-4 (pad 4) (default: crop-flip on "
        "cifar10 and cifar100, none elsewhere)",
    )
    parser.add_argument(
        "--standardize",
        action="store_true",
        default=None,
        help="bring each channel to mean 0 and variance 1 over the training split",
    )
    parser.add_argument(
        "--precision",
        **several,
        metavar="POLICY",
        help="* Keras's dtype policy: float32, mixed_bfloat16, mixed_float16, bfloat16, float64 (default: float32)",
    )
    parser.add_argument(
        "--jit",
        **several,
        metavar="WHEN",
        help="* on or off: whether a step is compiled as one, on PyTorch by torch.compile, which needs a C++ compiler "
        "(default: auto, which on PyTorch is off)",
    )
    parser.add_argument(
        "--tuning-trials",
        type=int,
        **several,
        metavar="N",
        help="* before the runs, search learning rate and sigma on the validation split: N trials for every optimizer, "
        "parents too, a factor of ten about the values above (default: 0, none)",
    )
    parser.add_argument(
        "--tuning-seeds", type=int, metavar="N", help="how many seeds a trial has, none of those reported (default: 1)"
    )
    add_training(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the sub-command and returns its exit status."""
    try:
        settings = _settings(options)
    except ValueError as error:
        raise UsageError(error) from error
    return train_and_report(settings, options)


def _settings(options: argparse.Namespace) -> dict:
    """What is given, in the order of the grid: the file's settings, then those of the command line."""
    given = {name: getattr(options, name) for name in SETTINGS if getattr(options, name, None) is not None}
    for name, value in given.items():
        if isinstance(value, list) and len(value) == 1 and name != "optimizers":
            given[name] = value[0]
    return (read_config(options.config) if options.config else {}) | given
