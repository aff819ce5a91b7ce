"""`keras-langevin compare`: train optimizers side by side and show what differs."""

import argparse

from keras_langevin.cli.terminal import UsageError
from keras_langevin.cli.training import add_training, train_and_report
from keras_langevin.experiments.config import PRECISIONS, SETTINGS, SWEPT, Comparison, read_config

# Setting, type, placeholder and help; those in `SWEPT` take several values.
_DEFAULTS = Comparison()
_OPTIONS = (
    ("model", str, None, f"family and depth, or with --depth family alone (default: {_DEFAULTS.model})"),
    ("depth", int, None, "depths of the model's family"),
    (
        "dataset",
        str,
        "NAME",
        "digits (embedded); mnist, fashion_mnist, cifar10, cifar100, or any image-classification set of "
        f"tensorflow-datasets with a train and a test split (default: {_DEFAULTS.dataset})",
    ),
    (
        "optimizers",
        str,
        "NAME[@LAYERS]",
        "adam, ladam, ladam@0.3 (the first 30%% of the layers), ladam@3 (the first three), ladam@-3 (the last "
        "three), ladam@REGEX, ladam@0 (no noise: what adam is); lrmsprop (epsilon inside the root, as in Keras), "
        "lrmsprop-eps-outside (outside, as in the paper); sgd-momentum beside sghmc (default: "
        f"{' '.join(_DEFAULTS.optimizers)})",
    ),
    ("epochs", int, None, "(default: 60 on digits, 12 elsewhere)"),
    ("batch_size", int, None, "(default: 32 on digits, 512 elsewhere)"),
    ("learning_rate", float, None, "(default: each optimizer's own; Adam: 1e-3)"),
    ("sigma", float, None, "(default: 1e-3; Adadelta: 0.05)"),
    ("epsilon", float, None, "of every optimizer, with noise and without (default: 1e-6)"),
    ("seeds", int, None, f"how many: 0, 1, ...; more are added (default: {_DEFAULTS.seeds})"),
    ("validation_fraction", float, "F", f"share of the training examples (default: {_DEFAULTS.validation_fraction})"),
    ("limit", int, "N", "train on N examples, drawn by class (default: all)"),
    (
        "augment",
        str,
        "HOW",
        "none; crop-flip (pad 2 pixels, random crop and flip); crop-flip-4 (pad 4) (default: crop-flip on cifar10 and "
        "cifar100, none elsewhere)",
    ),
    ("standardize", bool, None, "bring each channel to mean 0 and variance 1 over the training split"),
    ("precision", str, "POLICY", f"Keras's dtype policy: {', '.join(PRECISIONS)} (default: {_DEFAULTS.precision})"),
    (
        "jit",
        str,
        "WHEN",
        "on or off: whether a step is compiled as one, on PyTorch by torch.compile, which needs a C++ compiler "
        "(default: auto, which on PyTorch is off)",
    ),
    (
        "tuning_trials",
        int,
        "N",
        "before the runs, search learning rate and sigma on the validation split: N trials for every optimizer, "
        "parents too, a factor of ten about the values above (default: 0, none)",
    ),
    ("tuning_seeds", int, "N", "how many seeds a trial has, none of those reported (default: 1)"),
)


def add(commands):
    """Adds the sub-command."""
    parser = commands.add_parser(
        "compare",
        help="train optimizers side by side and show what differs",
        description="Trains optimizers side by side, with equal initial weights, batches and augmentation for each "
        "seed, shows a table and the same in words, and writes a report. The same command resumes where it was "
        "interrupted. Options marked with * take several values: each combination of them is a comparison of its own.",
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file with these settings; options go before it")
    for name, kind, metavar, text in _OPTIONS:
        option, several = f"--{name.replace('_', '-')}", name in (*SWEPT, "optimizers")
        if kind is bool:
            parser.add_argument(option, action="store_true", default=None, help=text)
        else:
            text = f"* {text}" if name in SWEPT else text
            parser.add_argument(option, type=kind, metavar=metavar, nargs="+" if several else None, help=text)
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
