"""Makes the figures and tables of docs/why-noise-helps.md from the records. It trains nothing.

    python benchmarks/why_noise_helps.py

Reads the folders of the presets in `results/` and benchmarks/results/first_updates.json, draws docs/first-updates.png,
docs/noise-for-k-updates.png and docs/initial-kernels.png, and writes the tables between the comments that name them.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
from tables import filled, markdown  # in this folder

from keras_langevin.experiments import report
from keras_langevin.experiments.optimizer_specs import OptimizerSpec
from keras_langevin.plots.files import new_figure, save_figure

ROOT = Path(__file__).parents[1]
PAGE, TRACE = ROOT / "docs" / "why-noise-helps.md", ROOT / "benchmarks" / "results" / "first_updates.json"
UPDATES = (5, 10, 20, 35, 70, 140)
# preset, model, optimizer, and the label of net and optimizer
NETS = [
    ("first-updates-adam", "dense-20", "adam", "dense-20, Adam"),
    ("first-updates-adam", "dense-30", "adam", "dense-30, Adam"),
    ("first-updates-adam", "dense-40", "adam", "dense-40, Adam"),
    ("first-updates-rmsprop", "dense-20", "rmsprop-eps-outside", "dense-20, RMSprop (ε outside)"),
    ("first-updates-rmsprop", "dense-30", "rmsprop-eps-outside", "dense-30, RMSprop (ε outside)"),
    ("first-updates-rmsprop", "dense-40", "rmsprop-eps-outside", "dense-40, RMSprop (ε outside)"),
    ("first-updates-adadelta", "dense-20", "adadelta", "dense-20, Adadelta"),
    ("first-updates-adadelta", "dense-30", "adadelta", "dense-30, Adadelta"),
    ("first-updates-adadelta", "dense-40", "adadelta", "dense-40, Adadelta"),
    ("first-updates-highway", "highway-80", "adam", "highway-80, Adam"),
    ("first-updates-conv-dense", "conv-dense-30", "adam", "conv-dense-30, Adam"),
]
KERNELS = {
    "dense-40": "Glorot's, as they are",
    **{f"gain-{factor}-dense-40": f"× {factor}" for factor in (1.05, 1.1, 1.2, 1.3, 1.4, 1.5)},
    **{f"grown-{factor}-dense-40": f"with isotropic noise, norm × {factor}" for factor in (1.05, 1.1, 1.2)},
    "he-dense-40": "He's",
    "lsuv-dense-40": "LSUV",
}
NOISE = {"adam": "no noise", "first-35-ladam": "first 35", "ladam": "two thirds", "always-ladam": "all"}
MEASURES = {
    "kernels": "kernels",
    "activations": "activations",
    "gradients": "gradients of the kernels",
    "noise": "noise of an update, σ√(γP)",
}
# preset, model, optimizer, how many of the first updates have noise (`None`: two thirds of all), and the label
WEIGHTS = [
    ("kernels-adam", "dense-40", "ladam", 5, "dense-40, Adam, first 5"),
    ("kernels-adam", "dense-40", "ladam", 35, "dense-40, Adam, first 35"),
    ("kernels-adam", "dense-40", "ladam", None, "dense-40, Adam, two thirds"),
    ("kernels-adadelta", "dense-30", "ladadelta", 20, "dense-30, Adadelta, first 20"),
    ("kernels-adadelta", "dense-30", "ladadelta", None, "dense-30, Adadelta, two thirds"),
    ("kernels-rmsprop", "dense-30", "lrmsprop", None, "dense-30, RMSprop (ε inside), two thirds"),
    ("kernels-highway", "highway-80", "ladam", 35, "highway-80, Adam, first 35"),
]
CHANCE = 11.35  # percent of MNIST's test images that are a one, the most frequent digit


class Records:
    """The test accuracies on record, in percent, by preset, model, optimizer and seed."""

    def __init__(self, folder: Path = ROOT / "results"):
        self.folder, self.read = folder, {}

    def of(self, preset: str, model: str, optimizer: str) -> np.ndarray:
        """Returns one accuracy per seed, in the order of the seeds; empty if none is on record."""
        if preset not in self.read:
            place = self.folder / preset
            self.read[preset] = report.collect([place]) if place.is_dir() else []
        found = (each.find(OptimizerSpec(optimizer)) for each in self.read[preset] if each.settings["model"] == model)
        result = next(found, None)
        return np.array([100 * run.test_accuracy for run in result.ended] if result else [])

    def of_updates(self, preset: str, model: str, optimizer: str) -> dict[str, np.ndarray]:
        """Returns `of` by the number of updates with noise."""
        specs = {"0": optimizer, **{str(k): f"first-{k}-l{optimizer}" for k in UPDATES}}
        specs |= {"2/3": f"l{optimizer}", "all": f"always-l{optimizer}"}
        return {name: self.of(preset, model, spec) for name, spec in specs.items()}

    def of_weights(self, preset: str, model: str, optimizer: str, updates: int | None) -> dict[str, np.ndarray]:
        """Returns `of` by which weights have noise."""
        number = f"{updates}-" if updates else ""
        specs = {"none": optimizer[1:], "all": f"first-{number}{optimizer}" if updates else optimizer}
        specs |= {kind: f"{kind}-{number}{optimizer}" for kind in ("kernels", "biases")}
        return {name: self.of(preset, model, spec) for name, spec in specs.items()}


def shown(accuracies: np.ndarray) -> str:
    """Returns the median over seeds, and how many seeds trained if not all did."""
    if not len(accuracies):
        return "-"
    trained = int((accuracies >= 20).sum())
    return f"{np.median(accuracies):.1f}" + (f" ({trained} of {len(accuracies)})" if trained < len(accuracies) else "")


def first_updates(records: Records) -> str:
    rows = []
    for *net, label in NETS:
        found = records.of_updates(*net)
        if all(len(each) for each in found.values()):
            rows.append([label, *map(shown, found.values())])
    header = ["updates with noise", "none", *map(str, UPDATES), "two thirds", "all"]
    return markdown(header, rows)


def weights(records: Records) -> str:
    rows = [[label, *map(shown, records.of_weights(*which).values())] for *which, label in WEIGHTS]
    return markdown(["updates with noise", "no noise", "on all weights", "on kernels", "on biases"], rows)


def initial_kernels(records: Records) -> str:
    rows = [[label, shown(records.of("initial-kernels", model, "adam"))] for model, label in KERNELS.items()]
    return markdown(["initial kernels of dense-40, no noise", "test accuracy, %"], rows)


def alive(records: Records) -> str:
    models = [model for model in KERNELS if len(records.of("alive", model, "adam"))]
    rows = [[KERNELS[model], *(shown(records.of("alive", model, spec)) for spec in NOISE)] for model in models]
    return markdown(["initial kernels of dense-40", *NOISE.values()], rows)


TABLES = {"first updates": first_updates, "weights": weights, "initial kernels": initial_kernels, "alive": alive}


def page(text: str) -> str:
    """Returns the page with its tables made from the records."""
    records = Records()
    return filled(text, {name: partial(table, records) for name, table in TABLES.items()}, PAGE)


def draw_dots(ax, groups: dict[str, np.ndarray], *, horizontal: bool = False):
    """Draws a dot for each seed and a line for the median of each group."""
    for place, values in enumerate(groups.values()):
        spread = place + np.linspace(-0.25, 0.25, len(values))
        at = (values, spread) if horizontal else (spread, values)
        ax.scatter(*at, s=10, color="#0072B2", alpha=0.6, linewidths=0)
        if len(values):
            lines = ax.vlines if horizontal else ax.hlines
            lines(np.median(values), place - 0.35, place + 0.35, color="#D55E00", linewidth=2)
    ax.spines[["top", "right"]].set_visible(False)
    (ax.axvline if horizontal else ax.axhline)(CHANCE, color="0.6", linewidth=0.8, linestyle=":")


def draw_first_updates(records: Records, out: Path):
    found = [(label, records.of_updates(*net)) for *net, label in NETS]
    found = [(label, groups) for label, groups in found if all(len(each) for each in groups.values())]
    rows = -(-len(found) // 3)
    figure = new_figure(8.4, 2.9 * rows)
    axes = figure.subplots(rows, 3, sharey=True, squeeze=False)
    for ax in axes.ravel()[len(found) :]:
        ax.set_axis_off()
    for ax, (label, groups) in zip(axes.ravel(), found, strict=False):
        draw_dots(ax, groups)
        ax.set_xticks(range(len(groups)), list(groups), fontsize=8)
        ax.set_title(label, fontsize=10)
        ax.set_xlabel("updates with noise", fontsize=9)
    for ax in axes[:, 0]:
        ax.set_ylabel("test accuracy (%)", fontsize=9)
    save_figure(figure, out)


def draw_initial_kernels(records: Records, out: Path):
    groups = {label: records.of("initial-kernels", model, "adam") for model, label in KERNELS.items()}
    figure = new_figure(7, 4.2)
    ax = figure.subplots()
    draw_dots(ax, groups, horizontal=True)
    ax.set_yticks(range(len(groups)), list(groups))
    ax.invert_yaxis()
    ax.set_xlabel("test accuracy (%) of dense-40 with Adam, no noise")
    save_figure(figure, out)


def draw_trace(out: Path):
    from matplotlib import colormaps

    results = json.loads(TRACE.read_text("utf-8"))
    figure = new_figure(3.4 * len(results["arms"]), 2.1 * len(MEASURES))
    grid = figure.subplots(len(MEASURES), len(results["arms"]), sharex=True, sharey="row")
    shades = colormaps["viridis"]
    for column, (name, seeds) in enumerate(results["arms"].items()):
        for row, (measured, label) in enumerate(MEASURES.items()):
            ax = grid[row, column]
            values = np.median([seeds[seed][measured] for seed in seeds], axis=0)  # updates × layers
            layers = [0, 9, 19, 29, values.shape[1] - 1]
            for layer in layers:
                drawn = np.where(values[:, layer] > 0, values[:, layer], np.nan)
                colour = shades(0.9 * layer / layers[-1])
                ax.plot(results["updates"], drawn, color=colour, label=f"layer {layer + 1}")
            ax.set(xscale="symlog", yscale="log")
            ax.grid(alpha=0.3)
            if not np.any(values > 0):
                ax.text(0.5, 0.5, "no noise", transform=ax.transAxes, ha="center", color="0.4")
            if not column:
                ax.set_ylabel(label)
        grid[0, column].set_title(name)
        grid[-1, column].set_xlabel("updates")
    for ax in grid[list(MEASURES).index("gradients")]:
        ax.axhline(1e-6, color="0.4", linewidth=0.8, linestyle=":")
        ax.text(100, 1.3e-6, "ε", color="0.4")
    for row, ticks in ((0, (0.05, 0.1, 0.2)), (3, (0.006, 0.01, 0.015))):
        grid[row, 0].set_yticks(ticks, map(str, ticks))
        grid[row, 0].yaxis.set_minor_formatter("")
    grid[0, 0].legend(frameon=False, fontsize="small", ncols=2)
    save_figure(figure, out)


def main():
    records = Records()
    draw_trace(ROOT / "docs" / "first-updates.png")
    draw_first_updates(records, ROOT / "docs" / "noise-for-k-updates.png")
    draw_initial_kernels(records, ROOT / "docs" / "initial-kernels.png")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
