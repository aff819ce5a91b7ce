"""Groups of cells that differ in depth alone."""

from dataclasses import dataclass

from keras_langevin.experiments.report.analysis import CellResult, PairedResult
from keras_langevin.experiments.report.cells import settings_key, titles


@dataclass(frozen=True)
class DepthGroup:
    """Nets of one family, data and settings, of two depths or more.

    Attributes:
        title: str, what tells it from the other groups of the report.
        series: dict from the name of a difference, `L-Adam − Adam`, to a dict from depth to the difference.
        labels: dict from the name of a difference to the optimizer's label.
    """

    title: str
    series: dict[str, dict[int, PairedResult]]
    labels: dict[str, str]


def depth_groups(results: list[CellResult]) -> list[DepthGroup]:
    """The groups of a report: the depth is the number at the end of the model's name, as in `dense-30`.

    Args:
        results: what `analyse` returned.
    """
    groups: dict[tuple, list[CellResult]] = {}
    for result in results:
        family, depth = result.cell.family_and_depth
        if depth is not None:
            settings = {name: value for name, value in result.cell.settings.items() if name != "model"}
            groups.setdefault((family, settings_key(settings)), []).append(result)
    deep = [group for group in groups.values() if len(group) > 1]
    first = [group[0].cell for group in deep]
    subjects = [f"{cell.family_and_depth[0]} on {cell.comparison.dataset_label}" for cell in first]
    found = []
    for title, group in zip(titles(first, subjects), deep, strict=True):
        series, labels = {}, {}
        for result in group:
            for pair in result.pairs:
                series.setdefault(pair.name, {})[result.cell.family_and_depth[1]] = pair
                labels[pair.name] = pair.label
        if any(len(points) > 1 for points in series.values()):
            found.append(DepthGroup(title, series, labels))
    return found
