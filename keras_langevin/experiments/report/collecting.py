"""Results on disk: finds them in folders, checks them, and merges them into cells of equal settings."""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from keras_langevin.experiments import tuning
from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.records import Run, checked_run, is_name
from keras_langevin.files import read_json
from keras_langevin.names import shown

# An entry in the configuration of the first records, in which the arms with noise and those without had another ε.
UNEQUAL_EPSILON = "unequal_epsilon"
# What tells optimizers and runs apart within a cell, so it is no setting of the cell.
_NOT_SETTINGS = ("optimizers", "seeds", "arguments", "trial", "tuned", "data_sha256")


@dataclass(frozen=True)
class Cell:
    """Optimizers side by side under one setting, from one folder or several.

    Attributes:
        comparison: a configuration of these settings; its optimizers and seeds are those of one folder only.
        settings: dict, every entry of the configuration but optimizers, seeds and arguments.
        arms: the optimizers, each once.
        runs: the runs on record, each once: by optimizer, then by seed.
        planned: the runs that the configurations ask for, as (key of the optimizer, seed).
        folders: list of str, where the runs were read.
        searches: dict from `arm_key` to the search that chose an optimizer's learning rate and sigma. Defaults to none.
    """

    comparison: Comparison
    settings: dict[str, Any]
    arms: tuple[Arm, ...]
    runs: tuple[Run, ...]
    planned: frozenset[tuple]
    folders: tuple[str, ...]
    searches: dict[tuple, tuning.Search] = field(default_factory=dict)

    def of(self, arm: Arm) -> tuple[Run, ...]:
        """The runs of an optimizer."""
        return tuple(run for run in self.runs if arm_key(run.arm) == arm_key(arm))

    def num_planned(self, arm: Arm) -> int:
        """How many seeds of an optimizer the configurations ask for."""
        return sum(key == arm_key(arm) for key, _ in self.planned)

    def label(self, arm: Arm) -> str:
        """The name that tables and pictures show; with the optimizer as written where two would be called alike."""
        alike = [other for other in self.arms if other.label == arm.label]
        return arm.label if len(alike) == 1 else f"{arm.label} ({arm.spec})"

    def parent(self, arm: Arm) -> Arm | None:
        """The optimizer without noise that `arm` is compared with, where there is one: `adam`, else `ladam@0`."""
        if not arm.is_noisy:
            return None
        parents = [other for other in self.arms if other.optimizer == arm.parent]
        silent = [other for other in self.arms if other.optimizer == arm.optimizer and other.layers == 0 != arm.layers]
        return next(iter(parents + silent), None)

    def is_fair(self, arm: Arm, other: Arm) -> bool:
        """Whether the two have equal ε."""
        differ = UNEQUAL_EPSILON in self.settings and arm.is_noisy != other.is_noisy
        return not (differ and "epsilon" in arm.arguments())

    @property
    def family_and_depth(self) -> tuple[str, int | None]:
        """The model's name before its last number, and that number.

        >>> Cell(Comparison(model="conv-dense-20"), {}, (), (), frozenset(), ()).family_and_depth
        ('conv-dense', 20)
        """
        match = re.fullmatch(r"(.+)-(\d{1,9})", self.comparison.model, flags=re.ASCII)
        return (match[1], int(match[2])) if match else (self.comparison.model, None)

    @property
    def dataset_label(self) -> str:
        """The name that tables and pictures show, e.g. `cifar10 (JPEG copy)`."""
        note = self.settings.get("dataset_note")
        return f"{self.comparison.dataset} ({note})" if note else self.comparison.dataset

    @property
    def order(self) -> tuple:
        """What cells are sorted by: the data, the family, the depth, then all else."""
        family, depth = self.family_and_depth
        return self.dataset_label, family, depth or 0, settings_key(self.settings)


def arm_key(arm: Arm) -> tuple:
    """What is the same for an optimizer however it is written: `ladam@0.30`, `L-Adam@.3`."""
    layers = arm.layers
    return arm.optimizer, type(layers).__name__, str(layers)


def settings_key(settings: dict[str, Any]) -> str:
    """A text that equal settings share, and others do not."""
    return json.dumps(settings, sort_keys=True)


def titles(cells: list[Cell], subjects: list[str] | None = None) -> list[str]:
    """A title for each cell: `model on dataset`, or its subject, and the settings in which the cells differ.

    >>> def cell(**settings):
    ...     comparison = Comparison(**settings)
    ...     return Cell(comparison, {"model": comparison.model, "sigma": comparison.sigma}, (), (), frozenset(), ())
    >>> titles([cell(model="dense-3"), cell(sigma=0.01)])
    ['dense-3 on digits, sigma by default', 'dense-30 on digits, sigma 0.01']
    """
    keys = sorted({key for cell in cells for key in cell.settings} - {"model", "dataset", "dataset_note"})
    differ = [key for key in keys if len({settings_key({key: cell.settings.get(key)}) for cell in cells}) > 1]
    subjects = subjects or [f"{cell.comparison.model} on {cell.dataset_label}" for cell in cells]
    return [
        ", ".join([subject, *(shown_setting(key, cell.settings.get(key)) for key in differ)])
        for cell, subject in zip(cells, subjects, strict=True)
    ]


def shown_setting(name: str, value: Any) -> str:
    """A setting in words.

    >>> shown_setting("batch_size", 32), shown_setting("sigma", None), shown_setting("standardize", True)
    ('batch size 32', 'sigma by default', 'standardize: yes')
    """
    name = name.replace("_", " ")
    if value is None:
        return f"{name} by default"
    if isinstance(value, bool):
        return f"{name}: {'yes' if value else 'no'}"
    return f"{name} {value if isinstance(value, str | int | float) else json.dumps(value)}"


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
        comparison, settings, arguments, data, is_trial = _read_config(folder / "config.json")
        if not is_trial:
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


def _read_config(path: Path) -> tuple[Comparison, dict, dict, str, bool]:
    """The configuration, its settings, what the optimizers are called with, the SHA-256 of the data, and whether it is
    a trial of a search."""
    config = read_json(path, "the configuration of a comparison")
    known = {field.name for field in fields(Comparison)}
    try:
        if not isinstance(config, dict):
            raise ValueError(f"It must be a JSON object. Received: {type(config).__name__}")
        missing = [name for name in ("model", "dataset", "optimizers", "epochs", "seeds") if name not in config]
        if missing:
            raise ValueError(f"It must have {', '.join(missing)}. Received: {', '.join(list(config)[:20])}")
        arguments, data = config.get("arguments", {}), config.get("data_sha256", "")
        config |= {"trial": False, "dataset_note": "", "backend": None} | config  # in the order of the file
        for name, value, kind, expected in (
            ("optimizers", config["optimizers"], list, "a list of names"),
            ("arguments", arguments, dict, "an object"),
            ("data_sha256", data, str, "text"),
            ("trial", config["trial"], bool, "true or false"),
            ("dataset_note", config["dataset_note"], str, "text"),
        ):
            if not isinstance(value, kind):
                raise ValueError(f"`{name}` must be {expected}. Received: {shown(value)}")
        found = [config[name] for name in ("dataset_note", "backend") if config[name] not in ("", None)]
        for name in (config["model"], config["dataset"], *config["optimizers"], *found):
            if not is_name(name):
                raise ValueError(f"Names must be printable text. Received: {shown(name)}")
        comparison = Comparison(**{name: value for name, value in config.items() if name in known})
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
    return comparison, settings, arguments, data, config["trial"]


def _merged(group: list) -> Cell:
    arms, runs, planned, called_with, searches = {}, {}, set(), {}, {}
    known = {data: folder for folder, *_, data in group if data}  # older results do not say
    if len(known) > 1:
        raise ValueError(
            "Results under equal settings must be of the same data. Received data of one name with different SHA-256: "
            f"{', '.join(map(str, known.values()))}. Report them apart."
        )
    for folder, comparison, _, arguments, _ in group:
        path = folder / tuning.FILE
        own_searches = tuning.read(path) if comparison.tuning_trials and path.exists() else {}
        arguments = arguments | {spec: search.chosen.arguments for spec, search in own_searches.items()}
        searches |= {arm_key(Arm(spec)): search for spec, search in own_searches.items()}
        own = {arm_key(arm): arm for arm in comparison.arms}
        planned |= {(key, seed) for key in own for seed in range(comparison.seeds)}
        for key, arm in own.items():
            arms.setdefault(key, arm)
            if arm.spec in arguments:  # else it is not said
                given, where = arguments[arm.spec], folder / "config.json"
                before, at = called_with.setdefault(key, (given, where))
                if before != given:
                    raise ValueError(
                        f"Under equal settings {arm.spec} must have equal arguments. Received: {before} in {at}, "
                        f"{given} in {where}. Report them apart."
                    )
        for run in _read_runs(folder):
            if arm_key(run.arm) not in own:
                raise ValueError(
                    f"{run.path} must be of an optimizer that {folder / 'config.json'} names: "
                    f"{', '.join(comparison.optimizers)}. Received: {run.arm.spec!r}. Move it away."
                )
            key = (arm_key(run.arm), run.seed)
            runs[key] = _one_of(runs[key], run) if key in runs else run
    places = {key: place for place, key in enumerate(arms)}
    ordered = tuple(runs[key] for key in sorted(runs, key=lambda key: (places[key[0]], key[1])))
    for run in ordered:
        if run.num_classes != ordered[0].num_classes:
            raise ValueError(
                f"Runs under equal settings must have equally many classes. Received: {ordered[0].num_classes} in "
                f"{ordered[0].path}, {run.num_classes} in {run.path}. Report them apart."
            )
    folders = tuple(str(folder) for folder, *_ in group)
    return Cell(group[0][1], group[0][2], tuple(arms.values()), ordered, frozenset(planned), folders, searches)


def _read_runs(folder: Path) -> list[Run]:
    """The runs of one folder. Hidden files are those of `replaced`, where a process was killed."""
    paths = sorted(path for path in (folder / "runs").glob("*.json") if not path.name.startswith("."))
    return [checked_run(read_json(path, "the record of a run"), path) for path in paths]


def _one_of(first: Run, second: Run) -> Run:
    if "failed" in (first.status, second.status):
        return first if second.status == "failed" else second
    if first.numbers != second.numbers:
        differ = [name for name, value in first.numbers.items() if second.numbers[name] != value]
        raise ValueError(
            f"A run that is found twice must have the same numbers. Received: {first.path} and {second.path}, both "
            f"{first.arm.spec}, seed {first.seed}, differ in {', '.join(differ)}. Report them apart, or remove one."
        )
    return first
