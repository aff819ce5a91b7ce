"""What the commands that train share: where and how, the plan, the runs, the report."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from keras_langevin.cli.backend import BACKENDS, start_keras
from keras_langevin.cli.terminal import UsageError, add_data_dir, add_data_file, new_console, show
from keras_langevin.experiments import tuning
from keras_langevin.experiments.config import Sweep
from keras_langevin.experiments.store import DEFAULT_FOLDER
from keras_langevin.files import StorageError


def add_training(parser: argparse.ArgumentParser):
    """The options that say where and how runs are trained, and where the results go."""
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=10.0,
        metavar="S",
        help="how often, at most, the state of a run is kept at the end of an epoch; 0: each epoch (default: 10)",
    )
    parser.add_argument(
        "--data-on-device",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep all images on the accelerator and send it indices alone; the numbers are the same (default: where "
        "there is an accelerator)",
    )
    add_engine(parser)
    parser.add_argument("--tensorboard", action="store_true", help="write logs that TensorBoard opens, as runs go on")
    parser.add_argument("--save-weights", action="store_true", help="write the trained weights of each run")
    parser.add_argument("--out", help=f"folder for the results (default: {DEFAULT_FOLDER}/MODEL-DATASET-...)")
    parser.add_argument("--backend", choices=BACKENDS, help="(default: KERAS_BACKEND, else Keras's own choice)")
    add_data_dir(parser)
    add_data_file(parser)


def train_and_report(settings: dict, options: argparse.Namespace, title: str | None = None) -> int:
    """Trains what is not on record, writes a report and shows it.

    Args:
        settings: dict, as `Sweep` takes them.
        options: of `add_training`.
        title: str, what stands above the report. Defaults to the models, the data and the optimizers.

    Returns:
        int, the exit status.

    Raises:
        UsageError: what the user has to fix.
    """
    try:
        Sweep(settings)  # errors that need no Keras come at once
        backend = start_keras(options.backend)
        engine = chosen_engine(options)
        from keras_langevin.experiments import comparing

        where = {"data_dir": options.data_dir, "data_file": options.data_file}
        jobs, out = comparing.prepared(Sweep(settings), options.out, **where)
        _watchers(jobs, options)  # a package that is missing is an error now
        comparing.write_config(out, settings, jobs)
        trials = tuning.trials(jobs)
    except (ValueError, StorageError) as error:
        raise UsageError(error) from error

    console = new_console()
    _show_plan(jobs, out, console, backend)
    try:
        if trials:
            console.print(_search(trials), soft_wrap=True, highlight=False, markup=False)
            _train(trials, engine, options, console)
        jobs = tuning.settled(jobs)
        _train(jobs, engine, options, console)
    except (ValueError, StorageError) as error:
        raise UsageError(error) from error
    except KeyboardInterrupt:
        message = f"Interrupted. Finished runs are in {out}; the same command resumes from there."
        console.print(message, soft_wrap=True, highlight=False)
        return 130
    return _report(jobs, out, console, title)


def _train(jobs: list, engine, options: argparse.Namespace, console: Console):
    from keras_langevin.experiments import comparing

    comparing.train(
        jobs,
        engine,
        console,
        watchers=_watchers(jobs, options),
        save_weights=options.save_weights,
        checkpoint_seconds=options.checkpoint_seconds,
        data_on_device=options.data_on_device,
    )


def _watchers(jobs: list, options: argparse.Namespace) -> list:
    if not options.tensorboard:
        return []
    from keras_langevin.experiments.progress import TensorBoardLogs

    return [TensorBoardLogs(jobs)]


def _show_plan(jobs: list, out: Path, console: Console, backend: str):
    """What is to be trained, before it starts."""
    if len(jobs) == 1:
        console.print(_header(jobs[0], backend), soft_wrap=True, highlight=False, markup=False)
        return
    grid = Table(title=f"{len(jobs)} comparisons, results in {out}")
    for column in ("model", "dataset", "learning rate", "sigma", "epsilon", "batch", "epochs", "seeds", "optimizers"):
        grid.add_column(column, overflow="fold")
    for comparison, data, *_ in jobs:
        rates = (comparison.learning_rate, comparison.sigma, comparison.epsilon)
        rates = ("own" if value is None else f"{value:g}" for value in rates)
        numbers = map(str, (comparison.batch_size, comparison.epochs, comparison.seeds))
        grid.add_row(comparison.model, data.label, *rates, *numbers, " ".join(comparison.optimizers))
    console.print(grid)


def _search(trials: list) -> str:
    runs = len({task.run_key for job in trials for task in job.tasks()})
    return (
        f"First learning rates and sigma are searched on the validation split: {len(trials)} trials, {runs} runs, with "
        "seeds of their own. The test split is left alone."
    )


def _header(job, backend: str) -> str:
    comparison = job.comparison
    recipe = [f"{comparison.limit:,} training examples"] if comparison.limit else []
    recipe += [f"augmentation {comparison.augment}"] if comparison.padding is not None else []
    recipe += ["channels standardized"] if comparison.standardize else []
    recipe += [comparison.precision] if comparison.precision != "float32" else []
    recipe += [f"jit {comparison.jit}"] if comparison.jit != "auto" else []
    return (
        f"{comparison.model} on {job.data.label}: {len(comparison.arms)} optimizers × {comparison.seeds} "
        f"seeds × {comparison.epochs} epochs, {backend} backend{''.join(f', {part}' for part in recipe)}; "
        f"results in {job.store.folder}"
    )


def _report(jobs: list, out: Path, console: Console, title: str | None) -> int:
    from keras_langevin.experiments import comparing, report

    try:
        results = comparing.analysed(jobs)
        written = report.write(results, out, title=title or _title(jobs))
    except ValueError as error:
        raise UsageError(error) from error
    names = ("config.json", tuning.FILE, "runs", "curves.csv")
    kept = [path for job in jobs for name in names if (path := job.store.folder / name).exists()]
    show(results, [out / "experiment.toml", *kept, *written], console)
    return 1 if any(record["status"] == "failed" for job in jobs for record in job.store.records()) else 0


def _title(jobs: list) -> str:
    models, data = (
        dict.fromkeys(names) for names in ([j.comparison.model for j in jobs], [j.data.label for j in jobs])
    )
    return f"{', '.join(models)} on {', '.join(data)}: {', '.join(arm.label for arm in jobs[0].comparison.arms)}"


ENGINES = ("local", "processes", "ray", "vmap")
# option, and the engine that it goes with
_OWN = {"workers": "processes", "address": "ray", "cpus_per_run": "ray", "gpus_per_run": "ray", "runs_at_once": "vmap"}


def add_engine(parser: argparse.ArgumentParser):
    """The option `--engine`, and those of the engines."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="where runs are trained: one after another in this process; several at a time in processes that share the "
        "cores; as tasks of a Ray cluster; many runs at once, for small nets on a GPU, with JAX (default: "
        "local). The results are the same, of vmap to rounding",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes: how many (default: one on each core)")
    parser.add_argument(
        "--address", help="ray: of a running cluster, or auto (default: RAY_ADDRESS, else one is started here)"
    )
    parser.add_argument("--cpus-per-run", type=float, metavar="X", help="ray: cores for a run (default: 1)")
    parser.add_argument(
        "--gpus-per-run", type=float, metavar="X", help="ray: 0.25 puts four runs on a GPU (default: 0)"
    )
    parser.add_argument("--runs-at-once", type=int, metavar="N", help="vmap: at most so many (default: 32)")


def chosen_engine(options: argparse.Namespace):
    """The engine of the options. Imports Keras.

    Raises:
        ValueError: an option of another engine, or a value out of its range.
    """
    given = {name: getattr(options, name) for name in _OWN if getattr(options, name) is not None}
    for name in given:
        if _OWN[name] != options.engine:
            raise ValueError(
                f"--{name.replace('_', '-')} goes with --engine {_OWN[name]}. Received: --engine {options.engine}. "
                "Change the one or leave out the other."
            )
    from keras_langevin.experiments import engines

    found = {"local": engines.Local, "processes": engines.Processes, "ray": engines.RayCluster, "vmap": engines.Vmap}
    return found[options.engine](**given)
