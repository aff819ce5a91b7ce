"""The command `keras-langevin`: parse, dispatch, print."""

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from keras_langevin.experiments.config import Comparison
from keras_langevin.version import __version__

BACKENDS = ("tensorflow", "jax", "torch")
DEFAULT_FOLDER = "keras-langevin-results"


class UsageError(Exception):
    """What the user has to mend, in one line."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: list of str, `None` for the process's own.

    Returns:
        int, the exit status: 0, or 1 where a run failed, 2 where the input was wrong, 130 where it was interrupted.
    """
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except UsageError as error:
        print(f"keras-langevin: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    """As argparse's, but a wrong option is answered with one line."""

    def error(self, message):
        raise UsageError(f"{message}. See: {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="keras-langevin", description="Langevin optimizers for Keras 3.")
    parser.add_argument("--version", action="version", version=f"keras-langevin {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_compare(commands)
    return parser


def _add_compare(commands):
    defaults = Comparison()
    compare = commands.add_parser(
        "compare",
        help="train optimizers side by side and show what differs",
        description="Trains optimizers side by side, with equal initial weights and batches for each seed, and shows "
        "a table, the same in words, and a picture. The same command goes on where it was interrupted.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    compare.add_argument("--model", default=defaults.model, help="family and depth")
    compare.add_argument("--dataset", default=defaults.dataset, help="digits (embedded); mnist, cifar10, ... by tfds")
    compare.add_argument(
        "--optimizers",
        nargs="+",
        default=list(defaults.optimizers),
        metavar="NAME[@LAYERS]",
        help="adam, ladam, ladam@0.3 (the first 30%% of the layers), ladam@3 (the first three), ladam@REGEX",
    )
    compare.add_argument("--epochs", type=int, help="60 on digits, 12 elsewhere, unless given")
    compare.add_argument("--batch-size", type=int, help="32 on digits, 512 elsewhere, unless given")
    compare.add_argument("--learning-rate", type=float, help="each optimizer's own (Adam: 1e-3), unless given")
    compare.add_argument("--sigma", type=float, help="1e-3 (Adadelta: 0.05), unless given")
    compare.add_argument("--seeds", type=int, default=defaults.seeds, help="how many: 0, 1, ...")
    compare.add_argument("--out", help=f"folder for the results; {DEFAULT_FOLDER}/MODEL-DATASET-... unless given")
    compare.add_argument("--backend", choices=BACKENDS, help="KERAS_BACKEND, else Keras's own choice, unless given")
    compare.add_argument("--data-dir", help="where tensorflow-datasets keeps its data")
    compare.set_defaults(run=_compare)


def _compare(options) -> int:
    fields = ("model", "dataset", "optimizers", "epochs", "batch_size", "learning_rate", "sigma", "seeds")
    settings = {name: getattr(options, name) for name in fields}
    try:
        Comparison(**settings)  # errors that need no Keras come at once
        backend = _start_keras(options.backend)
        from keras_langevin.experiments import runner
        from keras_langevin.experiments.store import Store

        comparison = Comparison(**settings, backend=backend)
        data = runner.prepare(comparison, options.data_dir)
        store = Store(options.out or Path(DEFAULT_FOLDER) / comparison.folder_name, comparison)
    except ValueError as error:
        raise UsageError(error) from error

    from keras_langevin.experiments.progress import RunsProgress

    console = Console()
    console.print(
        f"{comparison.model} on {comparison.dataset}: {len(comparison.arms)} optimizers × {comparison.seeds} seeds × "
        f"{comparison.epochs} epochs, {backend} backend; results in {store.folder}",
        soft_wrap=True,
        highlight=False,
    )
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
    return _show(comparison, store, console)


def _show(comparison: Comparison, store, console: Console) -> int:
    from keras_langevin.experiments import plots, report

    records = store.records()
    picture = store.folder / "curves.png"
    plots.comparison_figure(comparison, records, picture)
    console.print(report.table(comparison, records))
    for sentence in report.words(comparison, records):
        console.print(f"- {sentence}", soft_wrap=True, highlight=False, markup=False)
    for name in ("config.json", "runs", "curves.csv", "curves.png"):
        console.print(f"  {store.folder / name}", soft_wrap=True, highlight=False)
    return 1 if any(record["status"] == "failed" for record in records) else 0


def _start_keras(backend: str | None) -> str:
    """Imports Keras on that backend and says which it is."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if backend is not None and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    try:
        import keras
    except ImportError as error:
        extra = backend or os.environ.get("KERAS_BACKEND", "tensorflow")
        raise ValueError(
            f"The {extra} backend cannot be imported ({error}). Install it, or choose another with --backend."
        ) from error
    running = keras.backend.backend()
    if backend not in (None, running):
        raise ValueError(
            f"Keras is running on the {running} backend already, and cannot change to {backend} in the same process. "
            f"Set KERAS_BACKEND={backend} before Keras is imported."
        )
    return running
