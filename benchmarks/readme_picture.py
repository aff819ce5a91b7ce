"""Draws the README's picture, docs/gain-by-depth.png, from the records in results/equal-epsilon.

python benchmarks/readme_picture.py
"""

from pathlib import Path

from keras_langevin import plots
from keras_langevin.experiments import report
from keras_langevin.plots.files import new_figure, save_figure

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "gain-by-depth.png"
OPTIMIZERS = ("Adam", "L-Adam")
DEPTHS = (3, 40)


def draw(out: Path):
    """Draws validation accuracy with and without noise, for a shallow and a deep net."""
    results = {each.settings["model"]: each for each in report.collect([ROOT / "results" / "equal-epsilon"])}
    figure = new_figure(8.4, 3.1)
    for ax, depth in zip(figure.subplots(1, len(DEPTHS), sharey=True), DEPTHS, strict=True):
        result = results[f"dense-{depth}"]
        finished, _ = result.curves("validation_accuracy")
        plots.curves({label: finished[label] for label in OPTIMIZERS}, legend=False, ax=ax)
        ax.axvline(result.comparison.drop_epoch + 0.5, color="0.6", linestyle=":", linewidth=1)
        ax.set(ylim=(0, 100), title=f"{depth} hidden layers")
    figure.axes[0].set_ylabel("validation accuracy (%)")
    figure.axes[0].legend(frameon=False, loc="center")
    save_figure(figure, out)


if __name__ == "__main__":
    draw(PICTURE)
    print(PICTURE)
