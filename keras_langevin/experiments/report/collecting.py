"""Finds the results of comparisons in folders, checks them, and merges them into cells."""

import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path

from keras_langevin.experiments import tuning
from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.report.cells import Cell, arm_key, settings_key
from keras_langevin.experiments.report.runs import Run, checked_run, is_name
from keras_langevin.files import read_json
from keras_langevin.names import shown

# What tells optimizers and runs apart within a cell, so it is no setting of the cell.
_NOT_SETTINGS = ("optimizers", "seeds", "arguments", "trial", "tuned", "data_sha256")


def collect(folders: Iterable[str | Path], *, recursive: bool = True) -> list[Cell]:
    """All results in and below the folders, merged.

    Comparisons that differ in nothing but optimizers and seeds are one cell. A run that is found twice is there once;
    one that failed gives way to the same run that did not. A folder that is named twice, or lies in another, counts
    once.

    Args:
        folders: folders of comparisons (`config.json` and `runs/*.json`, as `Store` writes them), or folders that have
            such folders below them, at any depth; the trials of a search are left out.
        recursive: bool, whether what lies below is looked for. Defaults to `True`.

    Returns:
        list of cells, sorted by data, family, depth and the other settings.

    Raises:
        ValueError: a folder has no results; a file is corrupt or something else; the same run is found with different
            numbers. The error names the files.
    """
    found = {}
    for folder in folders:
        for each in _result_folders(Path(folder), recursive):
            found.setdefault(each.resolve(), each)
    groups: dict[str, list] = {}
    for folder in found.values():
        comparison, settings, arguments, data = _read_config(folder / "config.json")
        if not comparison.trial:
            groups.setdefault(settings_key(settings), []).append((folder, comparison, settings, arguments, data))
    if not groups:
        raise ValueError(
            "There must be results of a comparison. Received folders with the trials of a search alone: "
            f"{', '.join(map(str, found.values()))}. Name the folder above them."
        )
    return sorted((_merged(group) for group in groups.values()), key=lambda cell: cell.order)


def _result_folders(folder: Path, recursive: bool) -> list[Path]:
    if not os.path.isdir(folder):
        raise ValueError(f"Name a folder with results. Received: {folder}, which is not a folder. Check the name.")

    def fail(error: OSError):
        raise ValueError(f"{error.filename} must be a folder that can be read. Received: {error.strerror}. Fix that.")

    found = []
    for place, below, files in os.walk(folder, onerror=fail):
        if "config.json" in files and "runs" in below:
            found.append(Path(place))
            below.remove("runs")
        below[:] = sorted(name for name in below if recursive and not name.startswith("."))
    if not found:
        raise ValueError(
            f"There must be results of a comparison in {folder} or below it: config.json and the folder runs. "
            "Received: a folder without them. Name the folder that `keras-langevin compare` wrote."
        )
    return found


def _read_config(path: Path) -> tuple[Comparison, dict, dict, str]:
    config = read_json(path, "the configuration of a comparison")
    known = {field.name for field in fields(Comparison)}
    try:
        if not isinstance(config, dict):
            raise ValueError(f"It must be a JSON object. Received: {type(config).__name__}")
        missing = [name for name in ("model", "dataset", "optimizers", "epochs", "seeds") if name not in config]
        if missing:
            raise ValueError(f"It must have {', '.join(missing)}. Received: {', '.join(list(config)[:20])}")
        if not isinstance(config["optimizers"], list):
            raise ValueError(f"`optimizers` must be a list of names. Received: {shown(config['optimizers'])}")
        for name in (config["model"], config["dataset"], config.get("dataset_note") or "-", *config["optimizers"]):
            if not is_name(name):
                raise ValueError(f"Names must be printable text. Received: {shown(name)}")
        comparison = Comparison(**{name: value for name, value in config.items() if name in known})
        arguments = config.get("arguments", {})
        if not isinstance(arguments, dict):
            raise ValueError(f"`arguments` must be an object. Received: {shown(arguments)}")
        data = config.get("data_sha256", "")
        if not isinstance(data, str):
            raise ValueError(f"`data_sha256` must be text. Received: {shown(data)}")
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a configuration of a comparison. Values must be of the types that `compare` writes. "
            f"Received: {error}. Leave its folder out."
        ) from error
    except ValueError as error:
        why = str(error).rstrip(".")
        raise ValueError(f"{path} is not a configuration of a comparison. {why}. Leave its folder out.") from error
    # entries that this version does not know are settings, too; those that an older one lacked have their defaults
    settings = {name: value for name, value in {**config, **asdict(comparison)}.items() if name not in _NOT_SETTINGS}
    return comparison, settings, arguments, data


def _merged(group: list) -> Cell:
    arms, runs, planned, called_with, searches = {}, {}, set(), {}, {}
    _check_data(group)
    for folder, comparison, _, arguments, _ in group:
        own_searches = _searches(folder, comparison)
        arguments = arguments | {spec: search.chosen.arguments for spec, search in own_searches.items()}
        searches |= {arm_key(Arm(spec)): search for spec, search in own_searches.items()}
        for arm in comparison.arms:
            arms.setdefault(arm_key(arm), arm)
            planned |= {(arm_key(arm), seed) for seed in range(comparison.seeds)}
            _check_arguments(called_with, arm, arguments.get(arm.spec), folder / "config.json")
        own = {arm_key(arm) for arm in comparison.arms}
        for run in _read_runs(folder):
            if arm_key(run.arm) not in own:
                raise ValueError(
                    f"{run.path} must be of an optimizer that {folder / 'config.json'} names: "
                    f"{', '.join(comparison.optimizers)}. Received: {run.arm.spec!r}. Move it away."
                )
            key = (arm_key(run.arm), run.seed)
            runs[key] = _one_of(runs[key], run) if key in runs else run
    places = {key: place for place, key in enumerate(arms)}
    order = sorted(runs, key=lambda key: (places[key[0]], key[1]))
    _check_classes([runs[key] for key in order])
    return Cell(
        group[0][1],
        group[0][2],
        tuple(arms.values()),
        tuple(runs[key] for key in order),
        frozenset(planned),
        tuple(str(folder) for folder, *_ in group),
        searches,
    )


def _searches(folder: Path, comparison: Comparison) -> dict[str, tuning.Search]:
    """What was tuned there, by optimizer; none where nothing was, or the search has not ended."""
    path = folder / tuning.FILE
    return tuning.read(path) if comparison.tuning_trials and path.exists() else {}


def _read_runs(folder: Path) -> list[Run]:
    """The runs of one folder. Hidden files are those of `replaced`, where a process was killed."""
    paths = sorted(path for path in (folder / "runs").glob("*.json") if not path.name.startswith("."))
    return [checked_run(read_json(path, "the record of a run"), path) for path in paths]


def _one_of(first: Run, second: Run) -> Run:
    if second.status == "failed":
        return first
    if first.status == "failed":
        return second
    if first.numbers != second.numbers:
        differ = [name for name, value in first.numbers.items() if second.numbers[name] != value]
        raise ValueError(
            f"A run that is found twice must have the same numbers. Received: {first.path} and {second.path}, both "
            f"{first.arm.spec}, seed {first.seed}, differ in {', '.join(differ)}. Report them apart, or remove one."
        )
    return first


def _check_data(group: list):
    known = {data: folder for folder, *_, data in group if data}  # older results do not say
    if len(known) > 1:
        raise ValueError(
            "Results under equal settings must be of the same data. Received data of one name with different SHA-256: "
            f"{', '.join(map(str, known.values()))}. Report them apart."
        )


def _check_arguments(called_with: dict, arm: Arm, arguments: dict | None, path: Path):
    if arguments is None:  # not said
        return
    before, where = called_with.setdefault(arm_key(arm), (arguments, path))
    if before != arguments:
        raise ValueError(
            f"Under equal settings {arm.spec} must have equal arguments. Received: {before} in {where}, "
            f"{arguments} in {path}. Report them apart."
        )


def _check_classes(runs: list[Run]):
    for run in runs:
        if run.num_classes != runs[0].num_classes:
            raise ValueError(
                f"Runs under equal settings must have equally many classes. Received: {runs[0].num_classes} in "
                f"{runs[0].path}, {run.num_classes} in {run.path}. Report them apart."
            )
