"""A comparison in one call, from Python or from the command line."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
from rich.console import Console

from keras_langevin.experiments import engines, report, runner, tuning
from keras_langevin.experiments.config import DEFAULT_FOLDER, Sweep, config_text
from keras_langevin.experiments.progress import RunsProgress
from keras_langevin.experiments.results import Results
from keras_langevin.experiments.store import Store
from keras_langevin.files import check_name, replaced, writing_to


def compare(
    out: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    data_file: str | Path | None = None,
    engine: engines.Engine | None = None,
    verbose: bool = True,
    **settings: Any,
) -> Results:
    """Trains optimizers side by side, as `keras-langevin compare` does, and returns the results.

    Finished runs are kept in `out`. The same call or command resumes from there and trains no run twice.

    Args:
        out: folder of the results. Defaults to `keras-langevin-results/MODEL-DATASET-...`, as for the command.
        data_dir, data_file: as in `datasets.load`. Default to `None`.
        engine: how to train, such as `engines.Processes(workers=2)`. Defaults to `engines.Local()`, this process.
        verbose: bool, whether a line is printed as each run ends. Defaults to `True`.
        **settings: those of `Comparison`, such as `model` and `optimizers`; a list of values makes a grid.

    Raises:
        ValueError: a setting is wrong (before anything is trained), or the folder holds other results.
        StorageError: the folder cannot be written; what it holds stays.

    Example:

    >>> import tempfile
    >>> settings = {"model": "dense-1", "optimizers": ["adam", "ladam"], "epochs": 1, "seeds": 1, "jit": "off"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = compare(folder, **settings, verbose=False)
    >>> list(results.curves("train_loss")), list(results.differences)
    (['Adam', 'L-Adam'], ['L-Adam − Adam'])
    """
    sweep = Sweep(settings)
    jobs, out = prepared(sweep, out, data_dir=data_dir, data_file=data_file)
    write_config(out, sweep, jobs)
    # not rich's display for notebooks, which needs a widget
    console = Console(force_jupyter=False, quiet=not verbose)
    train(jobs, engines.Local() if engine is None else engine, console)
    return Results(tuple(analysed(jobs)), out)


def prepared(sweep: Sweep, out: str | Path | None = None, **where) -> tuple[list[runner.Job], Path]:
    """Returns the comparisons of a sweep, ready to train, and their folder. `where`: arguments of `datasets.load`."""
    ready, loaded, backend = [], {}, keras.backend.backend()
    for comparison in sweep.comparisons:
        same = (comparison.dataset, comparison.validation_fraction, comparison.limit)
        data = loaded[same] = runner.prepare(comparison, loaded.get(same), **where)
        ready.append((comparison, data, {"dataset_note": data.note, "backend": backend}))
    single = len(ready) == 1
    default = ready[0][0].folder_name(**ready[0][2]) if single else sweep.folder_name(backend=backend)
    out = check_name(Path(out or Path(DEFAULT_FOLDER) / default))
    folders = [out if single else out / comparison.folder_name(**found) for comparison, _, found in ready]
    return [
        runner.Job(comparison, data, Store(folder, comparison, data.sha256, **found))
        for (comparison, data, found), folder in zip(ready, folders, strict=True)
    ], out


def write_config(out: Path, sweep: Sweep, jobs: list[runner.Job]):
    """Writes the settings for `keras-langevin compare --config`, with all seeds if more are on record."""
    settings = sweep.completed | {"seeds": max(job.store.comparison.seeds for job in jobs)}
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        with replaced(out / "experiment.toml") as file:
            file.write("# keras-langevin compare --config FILE trains these comparisons.\n" + config_text(settings))


def train(
    jobs: list[runner.Job], engine, console: Console, *, watchers: Sequence[Callable] = (), **how
) -> list[runner.Job]:
    """Trains what is not on record, after a search if asked for. Returns the jobs with what the search chose."""

    def train_all(jobs: list[runner.Job]):
        progress = RunsProgress(jobs, console)
        with progress.bar:
            runner.run(jobs, engine, watchers=[progress, *(new_watcher(jobs) for new_watcher in watchers)], **how)

    def search(trials: list[runner.Job], stage: tuning.Stage):
        runs = len({task.run_key for job in trials for task in job.tasks()})
        text = f"{stage}: {len(trials)} trials, {runs} runs, with their own seeds."
        console.print(f"{text} The test split is not used.", soft_wrap=True, highlight=False)
        train_all(trials)

    jobs = tuning.settled(jobs, search)
    train_all(jobs)
    return jobs


def analysed(jobs: list[runner.Job]) -> list:
    return report.analyse(report.collect([job.store.folder for job in jobs], recursive=False))
