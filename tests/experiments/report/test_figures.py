import dataclasses

import numpy as np
import pytest

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.report import writing
from keras_langevin.experiments.report.analysis import analyse, depth_groups
from keras_langevin.plots.files import save_figure
from keras_langevin.plots.style import COLOURS
from tests.experiments.records import COMPARISON, cell_of, failed, of_seeds, record, results_of

SOME = [
    *of_seeds([0.1, 0.9, 0.92], [0.91, 0.92]),
    record("ladam", 2, 0.1, status="diverged", epochs=2),
]


def drawn(results, name="train_loss"):
    return writing.curve_figure(results[0], name, writing.colours_of(results))


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(("name", "factor"), [("train_loss", 1), ("validation_accuracy", 100)])
def test_curves_have_a_median_of_what_finished_and_a_cross_where_it_diverged(name, factor):
    (ax,) = drawn(results_of(COMPARISON, SOME), name).axes
    # three seeds and a median, two seeds and a median, a dashed line and its end, the dotted line
    assert len(ax.get_lines()) == 4 + 3 + 2 + 1
    dashed, cross = ax.get_lines()[-3:-1]
    np.testing.assert_allclose(dashed.get_ydata(), factor * np.array(SOME[-1]["curves"][name]))
    assert cross.get_xdata().tolist() == [2] and cross.get_marker() == "x"
    assert ax.get_legend_handles_labels()[1] == ["Adam", "L-Adam"]
    assert ax.get_xlabel() == "epoch" and ax.figure.get_suptitle() == "dense-30 on digits"


def test_a_seed_that_fails_leaves_the_others_their_room():
    """A band over all seeds would fill the panel."""
    (ax,) = drawn(results_of(COMPARISON, of_seeds([0.1, 0.9, 0.92], [0.91, 0.92])), "validation_accuracy").axes
    assert not ax.collections
    assert [line.get_ydata()[-1] for line in ax.get_lines() if line.get_linewidth() == 2] == [90, 91.5]


def test_accuracy_is_in_percent_from_0_to_100_and_loss_is_logarithmic():
    results = results_of(COMPARISON, SOME)
    (loss,), (accuracy,) = (drawn(results, name).axes for name in writing.CURVES)
    assert accuracy.get_ylim() == (0, 100) and accuracy.get_ylabel() == "validation accuracy (%)"
    assert loss.get_yscale() == "log" and loss.get_ylabel() == "train loss (cross-entropy)"


@pytest.mark.parametrize("least", [0.9, 0.01])
def test_a_logarithmic_axis_has_labels_in_plain_numbers_within_a_decade(least):
    losses = [2.0, 1.5, least]
    runs = [record("adam", 0, 0.9) | {"curves": record("adam", 0, 0.9)["curves"] | {"train_loss": losses}}]
    figure = drawn(results_of(Comparison(optimizers=("adam",), epochs=3, seeds=1), runs))
    figure.draw_without_rendering()
    ax = figure.axes[0]
    low, high = ax.get_ylim()
    shown = [label.get_text() for label in ax.get_yticklabels() if low <= label.get_position()[1] <= high]
    plain = [text for text in shown if text.replace(".", "").isdigit()]
    assert (len(plain) >= 3) == (least == 0.9), shown


def test_without_a_drop_of_the_learning_rate_there_is_no_dotted_line():
    comparison = Comparison(optimizers=("adam", "ladam"), epochs=1, seeds=1)
    (ax,) = drawn(results_of(comparison, [record("adam", 0, 0.2, epochs=1)])).axes
    assert len(ax.get_lines()) == 2


def test_nothing_on_record_is_a_figure_all_the_same():
    figure = drawn(results_of(COMPARISON, [record("adam", 0, 0.1, status="diverged", epochs=0), failed("ladam", 0)]))
    figure.canvas.draw()
    assert len(figure.axes) == 1


def test_paired_differences_are_dots_a_mean_an_interval_and_a_zero_line():
    (result,) = results_of(COMPARISON, SOME)
    (pair,) = result.pairs
    (ax,) = writing.differences_figure([result], writing.colours_of([result])).axes
    zero, dots, cross = ax.collections
    assert {x for segment in zero.get_segments() for x, _ in segment} == {0}
    assert dots.get_offsets()[:, 0].tolist() == pair.difference.values[:2].tolist()
    assert cross.get_offsets()[:, 0].tolist() == pair.difference.values[2:].tolist()  # the diverged run's
    interval, mean = ax.get_lines()
    assert list(interval.get_xdata()) == [pair.difference.low, pair.difference.high]
    assert list(mean.get_xdata()) == [pair.difference.mean] and mean.get_marker() == "D"
    assert texts(ax) == ["dense-30 on digits", "L-Adam − Adam, 3 seeds"]
    assert ax.get_xlabel() == "difference in test accuracy (percentage points)"
    low, high = ax.get_ylim()
    assert all(low < text.get_position()[1] < high for text in ax.texts)


def test_one_seed_has_no_interval_in_the_figure():
    (result,) = results_of(COMPARISON, of_seeds([0.5], [0.6]))
    (ax,) = writing.differences_figure([result], writing.colours_of([result])).axes
    (mean,) = ax.get_lines()
    assert mean.get_xdata()[0] == pytest.approx(10)


def at_depths(*depths):
    records = of_seeds([0.5] * 3, [0.6, 0.7, 0.5])
    return analyse([cell_of(dataclasses.replace(COMPARISON, model=f"dense-{depth}"), records) for depth in depths])


def test_gain_against_depth_has_a_point_and_an_interval_for_each_depth():
    results = at_depths(3, 20, 30)
    (group,) = depth_groups(results)
    (ax,) = writing.depth_figure(group, writing.colours_of(results)).axes
    zero, gain = ax.get_lines()
    assert set(zero.get_ydata()) == {0}
    assert gain.get_xdata().tolist() == [3, 20, 30] and ax.get_xticks().tolist() == [3, 20, 30]
    np.testing.assert_allclose(gain.get_ydata(), [10, 10, 10])
    (bars,) = ax.collections
    difference = results[0].pairs[0].difference
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[difference.low, difference.high]] * 3
    assert ax.get_legend_handles_labels()[1] == ["L-Adam − Adam"]
    assert "depth" in ax.get_xlabel() and "percentage points" in ax.get_ylabel()


def test_several_optimizers_stand_side_by_side_at_a_depth():
    three = Comparison(optimizers=("adam", "ladam", "ladam@0.3"), epochs=3, seeds=3)
    records = of_seeds([0.5] * 3, [0.6] * 3) + [record("ladam@0.3", seed, 0.7) for seed in range(3)]
    results = analyse([cell_of(dataclasses.replace(three, model=f"dense-{d}"), records) for d in (3, 30)])
    (group,) = depth_groups(results)
    _, first, second = writing.depth_figure(group, writing.colours_of(results)).axes[0].get_lines()
    assert (first.get_xdata() < second.get_xdata()).all()
    np.testing.assert_allclose((first.get_xdata() + second.get_xdata()) / 2, [3, 30])


def test_an_optimizer_has_one_colour_in_all_figures():
    colours = writing.colours_of(at_depths(3, 30))
    assert colours == {"Adam": (COLOURS[0], "-")} | dict.fromkeys(["L-Adam", "L-Adam − Adam"], (COLOURS[1], "-"))


def test_more_optimizers_than_colours_differ_in_the_line():
    specs = tuple(f"ladam@{number}" for number in range(20))
    assert len(set(writing.colours_of(results_of(Comparison(optimizers=specs, epochs=3), [])).values())) == 20


@pytest.mark.parametrize("name", ["$\\frac{", "_hidden", "a$b$c", "<script>", "名前"])
def test_any_name_is_drawn_as_it_is(name, tmp_path):
    comparison = Comparison(model=f"{name}-3", dataset=name, optimizers=("adam", f"ladam@{name}"), epochs=3, seeds=1)
    (result,) = results_of(comparison, [record("adam", 0, 0.5), record(f"ladam@{name}", 0, 0.6)])
    styles = writing.colours_of([result])
    figure = writing.curve_figure(result, "train_loss", styles)
    save_figure(figure, tmp_path / "curves.png")
    legend = [text.get_text().strip() for text in figure.legends[0].get_texts()]
    assert legend == ["Adam", f"L-Adam on {name}".replace("$", "\\$")]
    save_figure(writing.differences_figure([result], styles), tmp_path / "differences.svg")


def test_many_and_long_names_leave_room_for_the_empty():
    specs = ("adam", *(f"ladam@{'long_name_' * 9}{number}" for number in range(8)))
    comparison = Comparison(optimizers=specs, dataset="x" * 150, epochs=3, seeds=1)
    records = [record(spec, 0, 0.5) for spec in specs]
    results = analyse([cell_of(dataclasses.replace(comparison, model=f"dense-{d}"), records) for d in (3, 30)])
    (group,) = depth_groups(results)
    styles = writing.colours_of(results)
    for figure in (writing.depth_figure(group, styles), writing.curve_figure(results[0], "train_loss", styles)):
        figure.canvas.draw()
        box = figure.axes[0].get_window_extent()
        assert box.width > 0.6 * figure.bbox.width and box.height > 150
        legend = figure.legends[0].get_window_extent()
        assert legend.x0 >= 0 and legend.x1 <= figure.bbox.width and legend.y0 >= 0
