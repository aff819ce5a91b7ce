"""The cells of a report: what was trained under equal settings."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.report.runs import Run
from keras_langevin.experiments.tuning import Search

# An entry in the configuration of the first records, in which the arms with noise and those without had another ε.
UNEQUAL_EPSILON = "unequal_epsilon"


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
    searches: dict[tuple, Search] = field(default_factory=dict)

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

        Example:

        >>> Cell(Comparison(model="conv-dense-20"), {}, (), (), frozenset(), ()).family_and_depth
        ('conv-dense', 20)
        """
        match = re.fullmatch(r"(.+)-(\d{1,9})", self.comparison.model, flags=re.ASCII)
        return (match[1], int(match[2])) if match else (self.comparison.model, None)

    @property
    def order(self) -> tuple:
        """What cells are sorted by: the data, the family, the depth, then all else."""
        family, depth = self.family_and_depth
        return self.comparison.dataset_label, family, depth or 0, settings_key(self.settings)


def arm_key(arm: Arm) -> tuple:
    """What is the same for an optimizer however it is written: `ladam@0.30`, `L-Adam@.3`."""
    layers = arm.layers
    return arm.optimizer, type(layers).__name__, str(layers)


def settings_key(settings: dict[str, Any]) -> str:
    """A text that equal settings share, and others do not."""
    return json.dumps(settings, sort_keys=True)


def titles(cells: list[Cell], subjects: list[str] | None = None) -> list[str]:
    """A title for each cell: the model, the data, and the settings in which the cells of the report differ.

    Args:
        cells: the cells.
        subjects: list of str, what stands in place of `model on dataset`. Defaults to `None`.

    Example:

    >>> def cell(**settings):
    ...     comparison = Comparison(**settings)
    ...     return Cell(comparison, {"model": comparison.model, "sigma": comparison.sigma}, (), (), frozenset(), ())
    >>> titles([cell(model="dense-3"), cell(sigma=0.01)])
    ['dense-3 on digits, sigma by default', 'dense-30 on digits, sigma 0.01']
    """
    keys = sorted({key for cell in cells for key in cell.settings} - {"model", "dataset", "dataset_note"})
    differ = [key for key in keys if len({settings_key({key: cell.settings.get(key)}) for cell in cells}) > 1]
    subjects = subjects or [f"{cell.comparison.model} on {cell.comparison.dataset_label}" for cell in cells]
    return [
        ", ".join([subject, *(shown_setting(key, cell.settings.get(key)) for key in differ)])
        for cell, subject in zip(cells, subjects, strict=True)
    ]


def shown_setting(name: str, value: Any) -> str:
    """A setting in words.

    Example:

    >>> shown_setting("batch_size", 32), shown_setting("sigma", None), shown_setting("standardize", True)
    ('batch size 32', 'sigma by default', 'standardize: yes')
    """
    name = name.replace("_", " ")
    if value is None:
        return f"{name} by default"
    if isinstance(value, bool):
        return f"{name}: {'yes' if value else 'no'}"
    return f"{name} {value if isinstance(value, str | int | float) else json.dumps(value)}"
