"""The results of comparisons, as tables and as numbers for `keras_langevin.plots`. No Keras."""

import html
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from keras_langevin.experiments import report
from keras_langevin.experiments.report import words
from keras_langevin.experiments.report.analysis import DepthGroup, depth_groups
from keras_langevin.experiments.report.collecting import SettingResult
from keras_langevin.experiments.report.writing import html_table
from keras_langevin.names import count, unknown

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, repr=False)
class Results:
    """The results of a comparison or a grid: its settings with their numbers (`cells`, from `report.analyse`)."""

    cells: tuple[SettingResult, ...]
    folder: Path

    @classmethod
    def read(cls, folder: str | Path) -> "Results":
        """Reads what is on record in a folder and below it. Raises `ValueError` if nothing is, or a file is corrupt."""
        return cls(tuple(report.analyse(report.collect([folder]))), Path(folder))

    def only(self, **settings: Any) -> "Results":
        """Selects settings by value, e.g. `results.only(model="dense-30")`; p-values stay corrected over all."""
        for name in settings:
            if name not in self.cells[0].settings:
                raise unknown("setting", name, self.cells[0].settings)
        found = [cell for cell in self.cells if all(cell.settings[name] == settings[name] for name in settings)]
        if not found:
            raise ValueError(f"There must be a setting with {settings}. Received: none. There are: {self._titles}.")
        return replace(self, cells=tuple(found))

    @property
    def runs(self) -> "DataFrame":
        """A row for each run, with all settings: `results.csv` of a report."""
        return words.runs_frame(self.cells)

    @property
    def table(self) -> "DataFrame":
        """A row for each optimizer of each setting, as text, e.g. for `results.table.to_latex()`."""
        from pandas import concat

        return concat({cell.title: words.optimizers_table(cell) for cell in self.cells}, names=["setting"]).droplevel(1)

    @property
    def differences_table(self) -> "DataFrame":
        """A row for each difference of an optimizer to its parent, in numbers: `differences.csv` of a report."""
        return words.differences_frame(self.cells)

    def curves(self, name: str) -> dict[str, np.ndarray]:
        """Returns an array `(num_seeds, num_epochs)` by optimizer; `name` is `"train_loss"`, ... (accuracies in %)."""
        return self._single.curves(name)[0]

    def diverged(self, name: str) -> dict[str, list[np.ndarray]]:
        """Returns the curves of the runs that diverged, up to where they did, by optimizer."""
        return self._single.curves(name)[1]

    @property
    def differences(self) -> dict[str, np.ndarray]:
        """The difference in test accuracy on each seed, in percentage points, by name: `L-Adam − Adam`."""
        return {pair.name: pair.difference.values for pair in self._single.pairs}

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95% interval of each mean difference, by name."""
        return {pair.name: pair.interval for pair in self._single.pairs}

    @property
    def differences_by_depth(self) -> dict[str, dict[int, np.ndarray]]:
        """The difference in test accuracy on each seed, in percentage points, by name and depth."""
        return self._by_depth.differences

    @property
    def intervals_by_depth(self) -> dict[str, dict[int, tuple[float, float]]]:
        """The 95% interval of each mean difference, by name and depth."""
        return self._by_depth.intervals

    @property
    def provenance(self) -> list[str]:
        """Where and with which versions the runs were trained: a sentence for each such place."""
        places: dict[str, list[str]] = {}
        for run in (run for cell in self.cells for run in cell.runs):
            found = run.record.get("provenance") or {}
            versions = ", ".join(f"{name} {version}" for name, version in (found.get("versions") or {}).items())
            place = f"on {found.get('device', 'an unknown device')} with {versions or 'unknown versions'}"
            places.setdefault(place, []).append(found.get("finished_at", "day unknown")[:11].rstrip("T"))
        return [
            f"{count(len(days), 'run')}, trained {place}, {' to '.join(sorted({min(days), max(days)}))}."
            for place, days in places.items()
        ]

    @property
    def sentences(self) -> dict[str, list[str]]:
        """What each setting shows, in the sentences that the command prints, by title."""
        number = sum(len(cell.pairs) for cell in self.cells)
        return {cell.title: report.about_setting(cell, number) for cell in self.cells}

    @property
    def _titles(self) -> str:
        return "; ".join(cell.title for cell in self.cells)

    @property
    def _single(self) -> SettingResult:
        first, *others = self.cells
        if others:
            raise ValueError(
                f"Curves and differences are those of one setting. Received: {len(self.cells)}: {self._titles}. "
                f"Choose one, as in `results.only(model={first.comparison.model!r})`."
            )
        return first

    @property
    def _by_depth(self) -> DepthGroup:
        groups = depth_groups(list(self.cells))
        if len(groups) != 1:
            raise ValueError(
                "Differences by depth are those of nets that differ in depth alone. Received: "
                f"{len(groups)} groups of such nets, in {self._titles}. Choose some with `results.only(...)`."
            )
        return groups[0]

    def __repr__(self) -> str:
        how = {"width": 120, "force_jupyter": False, "force_terminal": False, "color_system": None}
        console = Console(file=io.StringIO(), soft_wrap=True, highlight=False, **how)
        report.show(self.cells, console)
        return console.file.getvalue().rstrip("\n")

    def _repr_html_(self) -> str:
        parts = []
        for cell in self.cells:
            said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in self.sentences[cell.title])
            table = html_table(words.optimizers_table(cell))
            parts.append(f"<h4>{html.escape(cell.title)}</h4>{table}<ul>{said}</ul>")
        return "".join(parts)
