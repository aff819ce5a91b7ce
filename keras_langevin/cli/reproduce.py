"""`keras-langevin reproduce`: the figures and tables of the paper, each by one command."""

import argparse

from keras_langevin.cli.terminal import UsageError, new_console
from keras_langevin.cli.training import add_training, train_and_report
from keras_langevin.experiments import paper
from keras_langevin.experiments.store import DEFAULT_FOLDER


def add(commands):
    """Adds the sub-command."""
    names = "; ".join(f"{name}: {preset.title}" for name, preset in paper.PRESETS.items())
    scales = "; ".join(f"{name}: {words}" for name, words in paper.SCALES.items())
    parser = commands.add_parser(
        "reproduce",
        help="train what a figure or table of the paper shows",
        description="Trains the optimizers of a figure or table of the paper (arXiv:2212.14718) side by side, with "
        "tuned learning rates, several seeds and intervals, and writes a report. The same command resumes where it was "
        f"interrupted. {names}.",
    )
    parser.add_argument("preset", metavar="NAME", help=", ".join(paper.PRESETS))
    parser.add_argument("--scale", choices=paper.SCALES, default="smoke", help=f"{scales} (default: smoke)")
    parser.add_argument(
        "--seeds", type=int, help="how many: 0, 1, ...; those that are not on record are added (default: the preset's)"
    )
    add_training(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the sub-command and returns its exit status."""
    try:
        preset = paper.preset(options.preset)
        settings = preset.at(options.scale)
    except ValueError as error:
        raise UsageError(error) from error
    reasons = preset.reasons
    if options.seeds is not None:
        settings["seeds"] = options.seeds
        reasons = reasons | {"seeds": f"{options.seeds}, as asked for"}
    options.out = options.out or f"{DEFAULT_FOLDER}/{options.preset}-{options.scale}"
    title = f"{preset.title} ({preset.mirrors}; scale {options.scale})"
    new_console().print(_about(preset, reasons), soft_wrap=True, highlight=False, markup=False)
    return train_and_report(settings, options, title)


def _about(preset: paper.Preset, reasons: dict[str, str]) -> str:
    lines = [f"{preset.title} ({preset.mirrors}).", f"In the paper: {preset.paper}"]
    lines += [f"Here, {name.replace('_', ' ')}: {why}." for name, why in reasons.items()]
    return "\n".join(lines)
