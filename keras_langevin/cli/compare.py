"""`keras-langevin compare`: train optimizers side by side and show what differs."""

import argparse
from dataclasses import fields, replace
from pathlib import Path

from rich.console import Console

from keras_langevin.cli.backend import BACKENDS, start_keras
from keras_langevin.cli.parsing import UsageError, add_data_dir, add_data_file
from keras_langevin.cli.showing import show
from keras_langevin.experiments.config import Comparison

DEFAULT_FOLDER = "keras-langevin-results"


def add(commands):
    """Adds the sub-command."""
    defaults = Comparison()
    parser = commands.add_parser(
        "compare",
        help="train optimizers side by side and show what differs",
        description="Trains optimizers side by side, with equal initial weights, batches and augmentation for each "
        "seed, shows a table and the same in words, and writes a report. The same command goes on where it was "
        "interrupted.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", default=defaults.model, help="family and depth")
    parser.add_argument(
        "--dataset",
        default=defaults.dataset,
        metavar="NAME",
        help="digits (embedded); mnist, fashion_mnist, cifar10, cifar100, or any image-classification set of "
        "tensorflow-datasets with a train and a test split",
    )
    parser.add_argument(
        "--optimizers",
        nargs="+",
        default=list(defaults.optimizers),
        metavar="NAME[@LAYERS]",
        help="adam, ladam, ladam@0.3 (the first 30%% of the layers), ladam@3 (the first three), ladam@REGEX",
    )
    parser.add_argument("--epochs", type=int, help="60 on digits, 12 elsewhere, unless given")
    parser.add_argument("--batch-size", type=int, help="32 on digits, 512 elsewhere, unless given")
    parser.add_argument("--learning-rate", type=float, help="each optimizer's own (Adam: 1e-3), unless given")
    parser.add_argument("--sigma", type=float, help="1e-3 (Adadelta: 0.05), unless given")
    parser.add_argument("--seeds", type=int, default=defaults.seeds, help="how many: 0, 1, ...")
    parser.add_argument("--limit", type=int, metavar="N", help="train on N examples, drawn by class; all unless given")
    parser.add_argument(
        "--augment",
        metavar="HOW",
        help="none; crop-flip (pad 2 pixels, random crop and flip); crop-flip-4 (pad 4); crop-flip on cifar10 and "
        "cifar100, none elsewhere, unless given",
    )
    parser.add_argument(
        "--standardize", action="store_true", help="bring each channel to mean 0 and variance 1 over the training split"
    )
    parser.add_argument("--out", help=f"folder for the results; {DEFAULT_FOLDER}/MODEL-DATASET-... unless given")
    parser.add_argument("--backend", choices=BACKENDS, help="KERAS_BACKEND, else Keras's own choice, unless given")
    add_data_dir(parser)
    add_data_file(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the sub-command and returns its exit status."""
    names = {field.name for field in fields(Comparison)} - {"backend"}
    settings = {name: value for name, value in vars(options).items() if name in names}
    try:
        Comparison(**settings)  # errors that need no Keras come at once
        backend = start_keras(options.backend)
        from keras_langevin.experiments import runner
        from keras_langevin.experiments.store import Store

        comparison = Comparison(**settings, backend=backend)
        data = runner.prepare(comparison, data_dir=options.data_dir, data_file=options.data_file)
        comparison = replace(comparison, dataset_note=data.note)
        store = Store(options.out or Path(DEFAULT_FOLDER) / comparison.folder_name, comparison)
    except ValueError as error:
        raise UsageError(error) from error

    from keras_langevin.experiments.progress import RunsProgress

    console = Console()
    console.print(_header(comparison, store), soft_wrap=True, highlight=False, markup=False)
    try:
        with RunsProgress(comparison, store, console) as progress:
            runner.run(
                comparison,
                data,
                store,
                on_start=progress.start,
                on_epoch=progress.epoch,
                on_end=progress.end,
            )
    except KeyboardInterrupt:
        message = f"Interrupted. Finished runs are in {store.folder}; the same command goes on from there."
        console.print(message, soft_wrap=True, highlight=False)
        return 130
    return _report(comparison, store, console)


def _header(comparison: Comparison, store) -> str:
    recipe = [f"{comparison.limit:,} training examples"] if comparison.limit else []
    recipe += [f"augmentation {comparison.augment}"] if comparison.padding is not None else []
    recipe += ["channels standardized"] if comparison.standardize else []
    return (
        f"{comparison.model} on {comparison.dataset_label}: {len(comparison.arms)} optimizers × {comparison.seeds} "
        f"seeds × {comparison.epochs} epochs, {comparison.backend} backend{''.join(f', {part}' for part in recipe)}; "
        f"results in {store.folder}"
    )


def _report(comparison: Comparison, store, console: Console) -> int:
    from keras_langevin.experiments import report

    try:
        results = report.analyse(report.collect([store.folder], recursive=False))
        written = report.write(results, store.folder, title=_title(comparison))
    except ValueError as error:
        raise UsageError(error) from error
    show(results, [*(store.folder / name for name in ("config.json", "runs", "curves.csv")), *written], console)
    return 1 if any(record["status"] == "failed" for record in store.records()) else 0


def _title(comparison: Comparison) -> str:
    return f"{comparison.model} on {comparison.dataset_label}: {', '.join(arm.label for arm in comparison.arms)}"
