"""`keras-langevin compare` and `reproduce`: train optimizers side by side and show what differs."""

import argparse
import textwrap
from collections.abc import Callable

from keras_langevin.cli.terminal import add_shared, new_command, new_console, start_keras
from keras_langevin.experiments import paper
from keras_langevin.experiments.config import DEFAULT_FOLDER, SETTINGS, SWEPT, Sweep, read_config
from keras_langevin.names import count

_PLACEHOLDERS = {int: "N", float: "X", str: "NAME"}
# The names of the engines, and their classes in `engines`.
_ENGINES = {"local": "Local", "processes": "Processes", "ray": "RayCluster", "vmap": "Vmap"}
# The arguments of the engines: the engine, the type, and the help.
_ENGINE_ARGUMENTS = {
    "workers": ("processes", int, "how many (default: one per core)"),
    "address": ("ray", str, "of a running cluster, or auto (default: RAY_ADDRESS, else a new one here)"),
    "cpus_per_run": ("ray", float, "cores per run (default: 1)"),
    "gpus_per_run": ("ray", float, "GPUs per run; 0.25 puts four runs on one GPU (default: 0)"),
    "runs_at_once": ("vmap", int, "the maximum (default: 32)"),
}


def add(commands):
    option = new_command(commands, "compare", compare)
    option("--config", metavar="FILE", help="a TOML file with these settings; options override it")
    for name, setting in SETTINGS.items():
        text = ("* " * setting.is_swept + setting.text).replace("%", "%%")
        if setting.type is bool:
            option(_dashed(name), action="store_true", default=None, help=text)
            continue
        several = {"nargs": "+"} if setting.is_swept or name == "optimizers" else {}
        if setting.default is not None:
            text += f" Defaults to {' '.join(setting.default) if name == 'optimizers' else setting.default}."
        option(_dashed(name), type=setting.type, metavar=_PLACEHOLDERS[setting.type], help=text, **several)
    _add_training(option, "MODEL-DATASET-...")
    lines = {"initial_indent": "  ", "subsequent_indent": 28 * " "}
    presets = [textwrap.fill(f"{name:<26}{each.title}", 78, **lines) for name, each in paper.PRESETS.items()]
    option = new_command(commands, "reproduce", reproduce, "\n".join(["names:", *presets]))
    option("preset", metavar="NAME", help="one of the names below")
    scales = "; ".join(f"{name}: {words}" for name, words in paper.SCALES.items())
    option("--scale", choices=paper.SCALES, default="smoke", help=f"{scales} (default: smoke)")
    option("--seeds", type=int, metavar="N", help=f"{SETTINGS['seeds'].text} Defaults to those of the preset.")
    _add_training(option, "NAME-SCALE")


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _add_training(option: Callable, folder: str):
    """Adds the options for where and how to train, and where the results go (by default into `folder`)."""
    text = "save the state of a run at the end of an epoch, at most every S seconds; 0: every epoch (default: 10)"
    option("--checkpoint-seconds", type=float, default=10.0, metavar="S", help=text)
    text = "keep all images on the accelerator; the results are the same (default: if there is one)"
    option("--data-on-device", action=argparse.BooleanOptionalAction, help=text)
    text = "one run at a time in this process; several in processes that share the cores; tasks of a Ray cluster; "
    text += "many runs at once, for small nets on a GPU, on JAX only (default: local). The results are the same"
    option("--engine", choices=_ENGINES, default="local", help=text)
    for name, (engine, kind, text) in _ENGINE_ARGUMENTS.items():
        option(_dashed(name), type=kind, metavar=_PLACEHOLDERS[kind], help=f"{engine}: {text}")
    option("--tensorboard", action="store_true", help="write logs for TensorBoard during training")
    option("--save-weights", action="store_true", help="write the trained weights of each run")
    option("--out", help=f"folder for the results (default: {DEFAULT_FOLDER}/{folder})")
    add_shared(option, "--backend", "--data-dir", "--data-file")


def compare(options: argparse.Namespace) -> int:
    """Train optimizers side by side and show what differs.

    Trains optimizers side by side with the same initial weights, batches and augmentation for each seed, shows a table
    and a summary in words, and writes a report. Run the same command again to resume after an interruption. Options
    marked with * take several values; each combination of values is a separate comparison.
    """
    # the grid is ordered by the settings of the file first, then those of the command line
    given = {name: getattr(options, name) for name in SETTINGS if getattr(options, name) is not None}
    given |= {name: value[0] for name, value in given.items() if name in SWEPT and len(value) == 1}
    return _train((read_config(options.config) if options.config else {}) | given, options)


def reproduce(options: argparse.Namespace) -> int:
    """Reproduce a figure or table of the paper.

    Trains the optimizers of a figure or table of the paper (arXiv:2212.14718) side by side, with tuned learning rates,
    several seeds and intervals, and writes a report. Run the same command again to resume after an interruption.
    """
    preset = paper.preset(options.preset)
    settings, reasons = preset.at(options.scale), preset.reasons(options.scale)
    if options.seeds is not None:
        settings["seeds"] = options.seeds
        reasons = reasons | {"seeds": f"{options.seeds}, as asked for"}
    options.out = options.out or f"{DEFAULT_FOLDER}/{options.preset}-{options.scale}"
    lines = [f"{preset.title} ({preset.mirrors}).", f"In the paper: {preset.paper}"]
    lines += [f"Here, {name.replace('_', ' ')}: {why}." for name, why in reasons.items()]
    console = new_console()
    console.print("\n".join(lines), markup=False, soft_wrap=not console.is_terminal)
    return _train(settings, options, f"{preset.title} ({preset.mirrors}; scale {options.scale})")


def _train(settings: dict, options: argparse.Namespace, title: str = "") -> int:
    """Trains what is not on record, writes and shows a report, and returns the exit status."""
    sweep = Sweep(settings)  # before Keras is imported, so that most errors come at once
    backend, engine = start_keras(options.backend), _engine(options)
    from keras_langevin.experiments import comparing, progress, report, tuning

    jobs, out = comparing.prepared(sweep, options.out, data_dir=options.data_dir, data_file=options.data_file)
    watchers = [progress.TensorBoardLogs] if options.tensorboard else []
    for new_watcher in watchers:
        new_watcher(jobs)  # raises now if a package is missing
    comparing.write_config(out, sweep, jobs)
    names = zip(*((job.comparison.model, job.data.label) for job in jobs), strict=True)
    subject = " on ".join(", ".join(dict.fromkeys(each)) for each in names)
    console = new_console()
    console.print(f"{subject}: {_plan(sweep)}, {backend} backend; results in {out}", markup=False)
    on_record = max(job.store.comparison.seeds for job in jobs)
    if on_record > jobs[0].comparison.seeds:
        console.print(f"{count(on_record, 'seed')} are on record; the report shows all of them.")
    how = {name: getattr(options, name) for name in ("save_weights", "checkpoint_seconds", "data_on_device")}
    try:
        jobs = comparing.train(jobs, engine, console, watchers=watchers, **how)
    except KeyboardInterrupt:
        console.print(f"Interrupted. Finished runs are in {out}; the same command resumes from there.", markup=False)
        return 130
    results = comparing.analysed(jobs)
    title = title or f"{subject}: {', '.join(arm.label for arm in jobs[0].comparison.arms)}"
    written = [out / "experiment.toml"]
    for job in jobs:
        files = (job.store.folder / name for name in ("config.json", tuning.FILE, "runs", "curves.csv"))
        written += [file for file in files if file.exists()]
    report.show(results, console, [*written, *report.write(results, out, title=title)])
    return int(any(record["status"] == "failed" for job in jobs for record in job.store.records()))


def _engine(options: argparse.Namespace):
    given = {name: getattr(options, name) for name in _ENGINE_ARGUMENTS if getattr(options, name) is not None}
    for name in given:
        if _ENGINE_ARGUMENTS[name][0] != options.engine:
            raise ValueError(
                f"{_dashed(name)} goes with --engine {_ENGINE_ARGUMENTS[name][0]}. Received: --engine "
                f"{options.engine}. Change the engine or leave out the option."
            )
    from keras_langevin.experiments import engines

    return getattr(engines, _ENGINES[options.engine])(**given)


def _plan(sweep: Sweep) -> str:
    """Describes what will be trained: how much, the lists of a grid, and the settings that are not the default."""
    first = sweep.comparisons[0]
    words = [f"{len(sweep.comparisons)} comparisons"] if sweep.axes else []
    words += [f"{count(len(first.arms), 'optimizer')} × {count(first.seeds, 'seed')}"]
    lists = {name: f"{name.replace('_', ' ')} {', '.join(map(str, values))}" for name, values in sweep.axes.items()}
    return ", ".join(words + list(({"epochs": f"epochs {first.epochs}"} | first.unusual | lists).values()))
