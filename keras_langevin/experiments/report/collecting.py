"""Finds results in folders, checks them, and merges them into cells of equal settings."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_langevin.experiments import tuning
from keras_langevin.experiments.config import Comparison, OptimizerSpec
from keras_langevin.experiments.records import CURVES, Run, checked_run, is_name
from keras_langevin.experiments.statistics import Share, Summary, share, summary
from keras_langevin.files import read_json
from keras_langevin.names import shown, unknown

# Entries that differ between optimizers and runs within a cell, so they are no settings of the cell.
_NOT_SETTINGS = ("optimizers", "seeds", "arguments", "trial", "tuned", "data_sha256")

_WORDS = {"null": "by default", "true": "yes", "false": "no"}
_REQUIRED = ("model", "dataset", "optimizers", "epochs", "seeds", "trial", "dataset_note", "backend", "arguments")
# Entries that only this module reads: their type, and how an error calls it.
_TYPES = {"trial": (bool, "true or false"), "dataset_note": (str, "text"), "arguments": (dict, "an object")}
_TYPES |= {"data_sha256": (str, "text")}


@dataclass(frozen=True)
class OptimizerResult:
    arm: OptimizerSpec
    label: str  # as tables show it
    runs: tuple[Run, ...]  # by seed
    num_planned: int  # how many seeds the configurations ask for
    search: tuning.Search | None = None  # what chose its learning rate and sigma

    @property
    def ended(self) -> list[Run]:
        """The runs that have an accuracy: all but those that ended with an error."""
        return [run for run in self.runs if run.status != "failed"]

    @cached_property
    def accuracy(self) -> Summary:
        return summary([100 * run.test_accuracy for run in self.ended])

    @property
    def trained(self) -> Share:
        """The share of runs that finished above chance level, among those that have an accuracy."""
        return share(sum(run.trained for run in self.runs), len(self.ended))

    @property
    def failures(self) -> dict[str, int]:
        """The number of failed runs of each kind. The accuracy of a diverged run counts."""
        counts = Counter("at chance" if run.at_chance else run.status for run in self.runs)
        return {"at chance": counts["at chance"], "diverged": counts["diverged"], "error": counts["failed"]}

    def in_common(self, other: "OptimizerResult") -> list[tuple[Run, Run]]:
        """Returns the pairs of runs on the seeds for which both have an accuracy, by seed."""
        others = {run.seed: run for run in other.ended}
        return [(run, others[run.seed]) for run in self.ended if run.seed in others]


@dataclass(frozen=True)
class SettingResult:
    """Optimizers side by side under one setting, from one folder or several."""

    comparison: Comparison  # one of these settings; its optimizers and seeds are those of one folder only
    settings: dict[str, Any]  # every entry of the configuration but optimizers, seeds and arguments
    arms: tuple[OptimizerResult, ...]
    folders: tuple[str, ...]  # where the runs were read
    title: str = ""  # distinguishes it from the others of the report
    pairs: tuple = ()  # a `PairedResult` for each optimizer that has a seed in common with its parent

    @property
    def runs(self) -> list[Run]:
        return [run for arm in self.arms for run in arm.runs]

    def find(self, wanted: OptimizerSpec) -> OptimizerResult | None:
        """Returns the optimizer, however its name is written, or `None`."""
        return next((each for each in self.arms if spec_key(each.arm) == spec_key(wanted)), None)

    def parent(self, arm: OptimizerSpec) -> OptimizerResult | None:
        """Returns the optimizer without noise that `arm` is compared with, if any: `adam`, else `ladam@0`."""
        silent = [each for each in self.arms if each.arm.optimizer == arm.optimizer and each.arm.layers == 0]
        parents = [each for each in self.arms if each.arm.optimizer == arm.parent]
        return next(iter(parents + (silent if arm.layers != 0 else [])), None) if arm.is_noisy else None

    @property
    def dataset_label(self) -> str:
        """The name that tables and pictures show, e.g. `cifar10 (JPEG copy)`."""
        note = self.settings.get("dataset_note")
        return f"{self.comparison.dataset} ({note})" if note else self.comparison.dataset

    @property
    def family_and_depth(self) -> tuple[str, int | None]:
        """The model's name before its last number, and that number: `("conv-dense", 20)`."""
        match = re.fullmatch(r"(.+)-(\d{1,9})", self.comparison.model, flags=re.ASCII)
        return (match[1], int(match[2])) if match else (self.comparison.model, None)

    def curves(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, list[np.ndarray]]]:
        """Returns one of `CURVES` by optimizer, accuracies in percent: arrays of finished, lists of diverged runs."""
        if name not in CURVES:
            raise unknown("curve", name, CURVES)
        factor = 100 if name.endswith("accuracy") else 1
        finished, diverged = {}, {}
        for arm in self.arms:
            curves = {"finished": [], "diverged": [], "failed": []}
            for run in arm.runs:
                curves[run.status].append(factor * np.array(run.curves[name], float))
            longest = max(map(len, curves["finished"]), default=0)
            if longest:
                finished[arm.label] = np.array([curve for curve in curves["finished"] if len(curve) == longest])
            diverged[arm.label] = curves["diverged"]
        return finished, diverged


def spec_key(arm: OptimizerSpec) -> tuple:
    """Returns a key that is the same for an optimizer however it is written: `ladam@0.30`, `L-Adam@.3`."""
    return arm.optimizer, type(arm.layers).__name__, str(arm.layers)


def settings_key(settings: dict[str, Any]) -> str:
    """Returns a text that is the same only for equal settings."""
    return json.dumps(settings, sort_keys=True)


def titles(cells: list[SettingResult], subjects: list[str] | None = None) -> list[str]:
    """Returns a title for each cell: `model on dataset`, or its subject, and the settings in which cells differ."""
    keys = sorted({key for cell in cells for key in cell.settings} - {"model", "dataset", "dataset_note"})
    differ = [key for key in keys if len({settings_key({key: cell.settings.get(key)}) for cell in cells}) > 1]
    subjects = subjects or [f"{cell.comparison.model} on {cell.dataset_label}" for cell in cells]
    return [
        ", ".join([subject, *(shown_setting(key, cell.settings.get(key)) for key in differ)])
        for cell, subject in zip(cells, subjects, strict=True)
    ]


def shown_setting(name: str, value: Any) -> str:
    """Returns a setting in words: `batch size 32`, `sigma by default`, `standardize yes`."""
    text = json.dumps(value)
    return f"{name.replace('_', ' ')} {value if isinstance(value, str) else _WORDS.get(text, text)}"


class _Folder(NamedTuple):
    path: Path
    comparison: Comparison
    settings: dict[str, Any]
    arguments: dict[str, Any]  # the arguments of the optimizers, by name as written
    searches: dict[str, tuning.Search]
    data_sha256: str  # empty if it is not known


def collect(folders: Iterable[str | Path], *, recursive: bool = True) -> list[SettingResult]:
    """Reads all results in the folders, and below them if `recursive`. Sorts by data, family, depth and the rest.

    Comparisons that differ only in optimizers and seeds are merged. A run found twice counts once, and a failed run
    gives way to the same run that did not fail. Trials of a search are left out. Raises `ValueError` if a folder has no
    results, a file is corrupt, or a run is found with different numbers.
    """
    found = {}
    for folder in folders:
        for each in _result_folders(Path(folder), recursive):
            found.setdefault(each.resolve(), each)
    groups: dict[str, list[_Folder]] = {}
    for folder in filter(None, map(_read_folder, found.values())):
        groups.setdefault(settings_key(folder.settings), []).append(folder)
    if not groups:
        raise ValueError(
            "There must be results of a comparison. Received folders with the trials of a search alone: "
            f"{', '.join(map(str, found.values()))}. Name the folder above them."
        )

    def order(cell: SettingResult) -> tuple:
        family, depth = cell.family_and_depth
        return cell.dataset_label, family, depth or 0, settings_key(cell.settings)

    return sorted(map(_merged, groups.values()), key=order)


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


def _read_folder(folder: Path) -> _Folder | None:
    """Reads and checks the configuration of a folder. Returns `None` for a trial of a search."""
    path = folder / "config.json"
    config = read_json(path, "the configuration of a comparison")
    try:
        if not isinstance(config, dict):
            raise ValueError(f"It must be a JSON object. Received: {type(config).__name__}")
        missing = [name for name in _REQUIRED if name not in config]
        if missing:
            raise ValueError(f"It must have {', '.join(missing)}. Received: {', '.join(list(config)[:20])}")
        config.setdefault("data_sha256", "")
        for name, (kind, expected) in _TYPES.items():
            if not isinstance(config[name], kind):
                raise ValueError(f"`{name}` must be {expected}. Received: {shown(config[name])}")
        found = [config[name] for name in ("dataset_note", "backend") if config[name] not in ("", None)]
        for name in (config["model"], config["dataset"], *config["optimizers"], *found):
            if not is_name(name):
                raise ValueError(f"Names must be printable text. Received: {shown(name)}")
        known = {field.name for field in fields(Comparison)}
        comparison = Comparison(**{name: value for name, value in config.items() if name in known})
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a configuration of a comparison. {str(error).rstrip('.')}. Leave its folder out."
        ) from error
    if config["trial"]:
        return None
    # entries that this version does not know are settings, too
    settings = {name: value for name, value in (config | asdict(comparison)).items() if name not in _NOT_SETTINGS}
    place = folder / tuning.FILE
    searches = tuning.read(place) if comparison.tuning_trials and place.exists() else {}
    arguments = config["arguments"] | {spec: search.chosen.arguments for spec, search in searches.items()}
    return _Folder(folder, comparison, settings, arguments, searches, config["data_sha256"])


def _merged(group: list[_Folder]) -> SettingResult:
    _check_equal("data", [(folder.data_sha256, folder.path) for folder in group if folder.data_sha256])
    arms: dict[tuple, list] = {}  # an optimizer, and the folders that have it
    for folder in group:
        for arm in folder.comparison.arms:
            arms.setdefault(spec_key(arm), []).append((arm, folder))
    runs: dict[tuple, dict[int, Run]] = {key: {} for key in arms}
    for folder in group:
        for run in _read_runs(folder):
            own = runs[spec_key(run.arm)]
            own[run.seed] = _one_of(own[run.seed], run) if run.seed in own else run
    _check_equal("numbers of classes", [(run.num_classes, run.path) for own in runs.values() for run in own.values()])
    found = []
    for key, places in arms.items():
        first, _ = places[0]
        said = [(f.arguments[arm.spec], f.path / "config.json") for arm, f in places if arm.spec in f.arguments]
        _check_equal(f"arguments of {first.spec}", said)
        own = tuple(run for _, run in sorted(runs[key].items()))
        search = next((f.searches[arm.spec] for arm, f in places if arm.spec in f.searches), None)
        alike = sum(other[0][0].label == first.label for other in arms.values()) > 1
        label = f"{first.label} ({first.spec})" if alike else first.label
        found.append(OptimizerResult(first, label, own, max(f.comparison.seeds for _, f in places), search))
    folders = tuple(str(folder.path) for folder in group)
    return SettingResult(group[0].comparison, group[0].settings, tuple(found), folders)


def _check_equal(what: str, found: list[tuple[Any, Path]]):
    for value, path in found[1:]:
        if value != found[0][0]:
            raise ValueError(
                f"Results under equal settings must have equal {what}. Received: {found[0][0]} in {found[0][1]}, "
                f"{value} in {path}. Report them apart."
            )


def _read_runs(folder: _Folder) -> Iterable[Run]:
    own = [spec_key(arm) for arm in folder.comparison.arms]
    for path in sorted((folder.path / "runs").glob("[!.]*.json")):  # a killed process leaves hidden ones
        run = checked_run(read_json(path, "the record of a run"), path)
        if spec_key(run.arm) not in own:
            raise ValueError(
                f"{path} must be of an optimizer that {folder.path / 'config.json'} names: "
                f"{', '.join(folder.comparison.optimizers)}. Received: {run.arm.spec!r}. Move it away."
            )
        yield run


def _one_of(first: Run, second: Run) -> Run:
    if "failed" in (first.status, second.status):
        return first if second.status == "failed" else second
    differ = [name for name, value in first.numbers.items() if second.numbers[name] != value]
    if differ:
        raise ValueError(
            f"A run that is found twice must have the same numbers. Received: {first.path} and {second.path}, both "
            f"{first.arm.spec}, seed {first.seed}, differ in {', '.join(differ)}. Report them apart, or remove one."
        )
    return first
