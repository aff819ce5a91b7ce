"""The table that a terminal shows."""

from rich.markup import escape
from rich.table import Table

from keras_langevin.experiments.report.analysis import ArmResult, CellResult
from keras_langevin.experiments.report.numbers import plus_minus
from keras_langevin.experiments.report.tables import seed_cell
from keras_langevin.experiments.statistics import mean_and_std


def table(result: CellResult) -> Table:
    """Test accuracy (mean ± standard deviation over seeds, and every seed's value), train loss and seconds."""
    epochs = result.cell.comparison.epochs
    grid = Table(title=f"{escape(result.title)}, {epochs} epochs", pad_edge=False)
    grid.add_column("optimizer", overflow="fold", min_width=9)  # a long name takes several lines
    grid.add_column("test %", justify="right", no_wrap=True)
    grid.add_column("each seed %", justify="right", overflow="fold")
    grid.add_column("train loss", justify="right", overflow="fold")
    grid.add_column("seconds", justify="right", no_wrap=True)
    for arm in result.arms:
        grid.add_row(
            escape(arm.label),
            plus_minus(arm.accuracy.mean, arm.accuracy.std),
            " ".join(map(seed_cell, arm.runs)) or "-",
            _mean(arm, "train_loss", ".3g"),
            _mean(arm, "seconds", ".1f", spread=False),
        )
    return grid


def _mean(arm: ArmResult, name: str, form: str, *, spread: bool = True) -> str:
    values = [run.record.get(name) for run in arm.runs if run.status != "failed"]
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    mean, std = mean_and_std(values)
    return plus_minus(mean, std if spread else float("nan"), form)
