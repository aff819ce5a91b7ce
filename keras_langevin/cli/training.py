"""`keras-langevin compare` and `reproduce`: train optimizers side by side and show what differs."""

import argparse

from keras_langevin.cli.terminal import add_backend, add_data_dir, add_data_file, new_console, show, start_keras
from keras_langevin.experiments import paper
from keras_langevin.experiments.config import SETTINGS, SWEPT, Sweep, read_config

DEFAULT_FOLDER = "keras-langevin-results"
# By the name for --engine: its class in `engines`, and its options: argument, type, placeholder, help.
_ENGINES = {
    "local": ("Local", ()),
    "processes": ("Processes", (("workers", int, "N", "how many (default: one on each core)"),)),
    "ray": (
        "RayCluster",
        (
            ("address", str, None, "of a running cluster, or auto (default: RAY_ADDRESS, else one is started here)"),
            ("cpus_per_run", float, "X", "cores for a run (default: 1)"),
            ("gpus_per_run", float, "X", "0.25 puts four runs on a GPU (default: 0)"),
        ),
    ),
    "vmap": ("Vmap", (("runs_at_once", int, "N", "at most so many (default: 32)"),)),
}
_PLACEHOLDERS = {int: "N", float: "X", str: "NAME", bool: None}


def add(commands):
    """Adds the sub-commands."""
    parser = commands.add_parser(
        "compare",
        help="train optimizers side by side and show what differs",
        description="Trains optimizers side by side, with equal initial weights, batches and augmentation for each "
        "seed, shows a table and the same in words, and writes a report. The same command resumes where it was "
        "interrupted. Options marked with * take several values: each combination of them is a comparison of its own.",
    )
    parser.add_argument("--config", metavar="FILE", help="a TOML file with these settings; options go before it")
    for name, setting in SETTINGS.items():
        text = ("* " * setting.is_swept + setting.text).replace("%", "%%")
        if setting.default is not None and setting.type is not bool:
            text += f" Defaults to {' '.join(setting.default) if name == 'optimizers' else setting.default}."
        how = {"type": setting.type, "metavar": _PLACEHOLDERS[setting.type]}
        if setting.is_swept or name == "optimizers":
            how["nargs"] = "+"
        how = {"action": "store_true", "default": None} if setting.type is bool else how
        parser.add_argument(_option(name), **how, help=text)
    _add_training(parser)
    parser.set_defaults(run=compare)
    names = "; ".join(f"{name}: {preset.title}" for name, preset in paper.PRESETS.items())
    parser = commands.add_parser(
        "reproduce",
        help="train what a figure or table of the paper shows",
        description="Trains the optimizers of a figure or table of the paper (arXiv:2212.14718) side by side, with "
        "tuned learning rates, several seeds and intervals, and writes a report. The same command resumes where it was "
        f"interrupted. {names}.",
    )
    parser.add_argument("preset", metavar="NAME", help=", ".join(paper.PRESETS))
    scales = "; ".join(f"{name}: {words}" for name, words in paper.SCALES.items())
    parser.add_argument("--scale", choices=paper.SCALES, default="smoke", help=f"{scales} (default: smoke)")
    parser.add_argument(
        "--seeds", type=int, help="how many: 0, 1, ...; those that are not on record are added (default: the preset's)"
    )
    _add_training(parser)
    parser.set_defaults(run=reproduce)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _add_training(parser: argparse.ArgumentParser):
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
        help="keep all images on the accelerator and send it indices alone; the numbers are the same (default: where "
        "there is an accelerator)",
    )
    parser.add_argument(
        "--engine",
        choices=_ENGINES,
        default="local",
        help="where runs are trained: one after another in this process; several at a time in processes that share the "
        "cores; as tasks of a Ray cluster; many runs at once, for small nets on a GPU, with JAX (default: "
        "local). The results are the same, of vmap to rounding",
    )
    for engine, (_, arguments) in _ENGINES.items():
        for name, kind, placeholder, text in arguments:
            parser.add_argument(_option(name), type=kind, metavar=placeholder, help=f"{engine}: {text}")
    parser.add_argument("--tensorboard", action="store_true", help="write logs that TensorBoard opens, as runs go on")
    parser.add_argument("--save-weights", action="store_true", help="write the trained weights of each run")
    parser.add_argument("--out", help=f"folder for the results (default: {DEFAULT_FOLDER}/MODEL-DATASET-...)")
    add_backend(parser)
    add_data_dir(parser)
    add_data_file(parser)


def compare(options: argparse.Namespace) -> int:
    """Runs `compare`. The grid has the order of the file's settings, then of those of the command line."""
    given = {name: getattr(options, name) for name in SETTINGS if getattr(options, name) is not None}
    for name, value in given.items():
        if name in SWEPT and len(value) == 1:
            given[name] = value[0]
    return _train((read_config(options.config) if options.config else {}) | given, options)


def reproduce(options: argparse.Namespace) -> int:
    """Runs `reproduce`."""
    preset = paper.preset(options.preset)
    settings, reasons = preset.at(options.scale), preset.reasons
    if options.seeds is not None:
        settings["seeds"] = options.seeds
        reasons = reasons | {"seeds": f"{options.seeds}, as asked for"}
    options.out = options.out or f"{DEFAULT_FOLDER}/{options.preset}-{options.scale}"
    lines = [f"{preset.title} ({preset.mirrors}).", f"In the paper: {preset.paper}"]
    lines += [f"Here, {name.replace('_', ' ')}: {why}." for name, why in reasons.items()]
    new_console().print("\n".join(lines), markup=False)
    return _train(settings, options, f"{preset.title} ({preset.mirrors}; scale {options.scale})")


def _train(settings: dict, options: argparse.Namespace, title: str | None = None) -> int:
    """Trains what is not on record, writes a report and shows it; returns the exit status."""
    sweep = Sweep(settings)  # before Keras: most errors need none, and come at once
    backend, engine = start_keras(options.backend), _engine(options)
    from keras_langevin.experiments import comparing, progress, report, tuning

    jobs, out = comparing.prepared(sweep, options.out, data_dir=options.data_dir, data_file=options.data_file)
    watchers = [progress.TensorBoardLogs] if options.tensorboard else []
    for new_watcher in watchers:
        new_watcher(jobs)  # a package that is missing is an error now
    comparing.write_config(out, settings, jobs)
    models, data = (", ".join(dict.fromkeys(names)) for names in zip(*map(_subject, jobs), strict=True))
    console = new_console()
    console.print(f"{models} on {data}{_plan(sweep)}, {backend} backend; results in {out}", markup=False)
    how = {name: getattr(options, name) for name in ("save_weights", "checkpoint_seconds", "data_on_device")}
    try:
        jobs = comparing.train(jobs, engine, console, watchers=watchers, **how)
    except KeyboardInterrupt:
        console.print(f"Interrupted. Finished runs are in {out}; the same command resumes from there.")
        return 130
    results = comparing.analysed(jobs)
    optimizers = ", ".join(arm.label for arm in jobs[0].comparison.arms)
    written = report.write(results, out, title=title or f"{models} on {data}: {optimizers}")
    names = ("config.json", tuning.FILE, "runs", "curves.csv")
    kept = [path for job in jobs for name in names if (path := job.store.folder / name).exists()]
    show(results, [out / "experiment.toml", *kept, *written], console)
    return int(any(record["status"] == "failed" for job in jobs for record in job.store.records()))


def _engine(options: argparse.Namespace):
    """The engine of the options. Imports Keras."""
    given = {}
    for engine, (_, arguments) in _ENGINES.items():
        given |= {name: engine for name, *_ in arguments if getattr(options, name) is not None}
    for name, engine in given.items():
        if engine != options.engine:
            raise ValueError(
                f"{_option(name)} goes with --engine {engine}. Received: --engine {options.engine}. "
                "Change the one or leave out the other."
            )
    from keras_langevin.experiments import engines

    return getattr(engines, _ENGINES[options.engine][0])(**{name: getattr(options, name) for name in given})


def _subject(job) -> tuple[str, str]:
    return job.comparison.model, job.data.label


def _plan(sweep: Sweep) -> str:
    """What is to be trained, in words: the lists of a grid, and what is not as by default."""
    first, axes = sweep.comparisons[0], sweep.axes
    words = [f"{name.replace('_', ' ')} {', '.join(map(str, values))}" for name, values in axes.items()]
    words += [f"{len(sweep.comparisons)} comparisons"] if axes else []
    recipe = {"epochs": f"epochs {first.epochs}"} | first.unusual
    words += [
        f"{len(first.arms)} optimizers × {first.seeds} seeds",
        *(recipe[name] for name in recipe if name not in axes),
    ]
    return f": {', '.join(words)}"
