"""Pictures of results. No Keras."""

from pathlib import Path

import numpy as np

from keras_langevin.experiments.config import Comparison
from keras_langevin.files import replaced

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = ("#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442")


def curves_with_band(ax, curves, *, label: str, colour: str):
    """Draws the mean over seeds as a line, each seed as a thin line, and the range of the seeds as a band.

    Args:
        ax: matplotlib Axes.
        curves: array of shape `(num_seeds, num_epochs)`.
        label: str, for the legend.
        colour: str.

    Returns:
        The Axes.
    """
    curves = np.asarray(curves, float)
    epochs = np.arange(1, curves.shape[1] + 1)
    ax.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.12, linewidth=0)
    ax.plot(epochs, curves.T, color=colour, alpha=0.35, linewidth=0.8)
    ax.plot(epochs, curves.mean(axis=0), color=colour, linewidth=2, label=label)
    return ax


def comparison_figure(comparison: Comparison, records: list[dict], path: Path):
    """Writes a PNG: train loss and validation accuracy by epoch, a line and a band over seeds for each optimizer.

    Args:
        comparison: the configuration.
        records: list of records as `Store.records` gives them; runs that failed or diverged are left out and named.
        path: where the PNG goes.
    """
    figure = _figure(10, 4.2)
    loss, accuracy = figure.subplots(1, 2)
    seeds, left_out = set(), 0
    for arm, colour in zip(comparison.arms, _cycle(COLOURS), strict=False):
        runs = [record for record in records if record["optimizer"] == arm.spec]
        whole = [run for run in runs if run["status"] == "finished"]
        left_out += len(runs) - len(whole)
        seeds |= {run["seed"] for run in whole}
        if whole:
            curves = [run["curves"] for run in whole]
            curves_with_band(loss, [c["train_loss"] for c in curves], label=arm.label, colour=colour)
            percent = 100 * np.array([c["validation_accuracy"] for c in curves])
            curves_with_band(accuracy, percent, label=arm.label, colour=colour)
    for ax, name in ((loss, "train loss (cross-entropy)"), (accuracy, "validation accuracy (%)")):
        ax.axvline(comparison.drop_epoch + 0.5, color="0.6", linestyle=":", linewidth=1)
        ax.set_xlabel("epoch")
        ax.set_ylabel(name)
        ax.spines[["top", "right"]].set_visible(False)
    loss.set_yscale("log")
    accuracy.set_ylim(0, 100)
    if seeds:
        figure.legend(*accuracy.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=4)
    note = f"line: mean of {len(seeds)} seeds; band: their range; dotted: learning rate / 10 and σ = 0 from there"
    if left_out:
        note += f"; {left_out} failed or diverged runs not drawn"
    figure.suptitle(f"{comparison.model} on {comparison.dataset_label}\n{note}", fontsize=9.5)
    _save(figure, path)


def samples_figure(images, labels, class_names, *, title: str, path: Path):
    """Writes a PNG: samples of up to 100 classes, the first ones of each class, under their class's name.

    Args:
        images: uint8 array of shape `(num_examples, height, width, channels)`, or floats in [0, 1].
        labels: int array of shape `(num_examples,)`, class numbers.
        class_names: sequence of str.
        title: str.
        path: where the PNG goes.
    """
    classes = [number for number in range(len(class_names)) if np.any(labels == number)][:100]
    columns = min(10, len(classes))
    rounds = max(1, 60 // len(classes))  # how often each class is shown
    chosen = [np.flatnonzero(labels == number)[:rounds] for number in classes]
    # round by round, each in lines of `columns`
    order = [indices[turn] for turn in range(rounds) for indices in chosen if turn < len(indices)]
    rows = -(-len(order) // columns)
    figure = _figure(1.05 * columns, 1.2 * rows + 0.6)
    white = 1 if np.issubdtype(images.dtype, np.floating) else 255
    for position, ax in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        ax.set_axis_off()
        if position < len(order):
            image = images[order[position]]
            grey = {"cmap": "gray", "vmin": 0, "vmax": white} if image.shape[-1] == 1 else {}
            ax.imshow(image[..., 0] if grey else image, interpolation="nearest", **grey)
            ax.set_title(class_names[labels[order[position]]], fontsize=8, pad=2)
    figure.suptitle(title, fontsize=9.5)
    _save(figure, path)


def _figure(width: float, height: float):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure, path: Path):
    with replaced(Path(path), "wb") as file:
        figure.savefig(file, format="png", dpi=130)


def _cycle(colours):
    while True:
        yield from colours
