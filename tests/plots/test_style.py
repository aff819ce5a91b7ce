import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_langevin import plots
from keras_langevin.plots import style

# Each plot with minimal arguments, and the name of its dict argument, if it has one.
PLOTS = {
    plots.curves: (({"a": [[1.0, 2.0]]},), "curves"),
    plots.paired_differences: (({"a": [1.0, 2.0]},), "differences"),
    plots.gain_against_depth: (({"a": {3: [1.0], 30: [2.0]}},), "differences"),
    plots.noise_histogram: (({"a": [1.0, 2.0]},), "noise"),
    plots.calibration: (({"a": [[0.9, 0.1]]}, [0]), "probabilities"),
    plots.predictive_band: (([0.0, 1.0], [0.0, 1.0], [0.1, 0.1]), None),
    plots.sigma_search: (([1e-3, 1e-2], [2.0, 3.0]), None),
}
ALL = pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)


def test_every_plot_is_here():
    assert {plot.__name__ for plot in PLOTS} == set(plots.__all__)


@ALL
def test_a_plot_draws_into_the_axes_it_is_given(plot):
    ax = Figure().subplots()
    arguments, _ = PLOTS[plot]
    assert plot(*arguments, ax=ax) is ax
    assert ax.has_data()


@ALL
def test_a_plot_makes_a_figure_of_its_own_and_leaves_the_last_one_alone(plot):
    from matplotlib import pyplot

    _, before = pyplot.subplots()
    arguments, _ = PLOTS[plot]
    ax = plot(*arguments)
    assert ax.figure is not before.figure and not before.has_data()
    assert ax.figure.number in pyplot.get_fignums()  # so a notebook shows it


@ALL
def test_axes_have_labels_and_no_box(plot):
    arguments, _ = PLOTS[plot]
    ax = plot(*arguments, ax=Figure().subplots())
    assert ax.get_xlabel()
    assert not ax.spines["top"].get_visible() and not ax.spines["right"].get_visible()


@pytest.mark.parametrize("wrong", [[1.0, 2.0], {}, {3: [1.0]}, None], ids=["list", "empty", "number", "None"])
@pytest.mark.parametrize("plot", [plot for plot, (_, name) in PLOTS.items() if name], ids=lambda plot: plot.__name__)
def test_what_is_no_dict_of_labels_is_refused_before_a_figure_is_made(plot, wrong):
    from matplotlib import pyplot

    arguments, name = PLOTS[plot]
    with pytest.raises(ValueError, match=rf"`{name}` must be a dict from labels.*Received.*Give for example"):
        plot(wrong, *arguments[1:])
    assert not pyplot.get_fignums()


@pytest.mark.parametrize("plot", [plots.curves, plots.paired_differences, plots.gain_against_depth, plots.calibration])
def test_styles_are_those_given_and_none_may_be_missing(plot):
    arguments, _ = PLOTS[plot]
    ax = plot(*arguments, styles={"a": ("#123456", "--"), "b": ("#000000", "-")}, ax=Figure().subplots())
    assert "#123456" in {line.get_color() for line in ax.get_lines()}
    with pytest.raises(ValueError, match="must have a colour and a line style for each of a"):
        plot(*arguments, styles={"b": ("#000000", "-")})


def test_more_labels_than_colours_differ_in_the_line():
    found = style.styles(map(str, range(20)))
    assert len(set(found.values())) == 20
    assert len(style.styles(map(str, range(99)))) == 99


def test_an_optimizer_has_one_colour_in_every_plot():
    few, many = style.styles(["L-Adam"]), style.styles(["Adam", "L-SGD", "L-Adam", "SGD", "30%-Layer L-Adam"])
    assert few["L-Adam"] == many["L-Adam"] == style.styles(["L-Adam − Adam"])["L-Adam − Adam"]
    assert len(set(many.values())) == 5
    parts = [f"{percent}%-Layer L-Adam" for percent in (10, 30, 50)]
    curves, gains = style.styles(["Adam", *parts]), style.styles([f"{part} − Adam" for part in parts])
    assert [curves[part] for part in parts] == [gains[f"{part} − Adam"] for part in parts]


def test_styles_do_not_depend_on_the_order():
    labels = ["σ = 0.1", "L-Adam", "σ = 0.01", "30%-Layer L-Adam", "L-Adam − Adam", "L-Adam − SGD"]
    found = style.styles(labels)
    assert list(found) == labels and style.styles(labels[::-1]) == found and len(set(found.values())) == len(labels)


def test_labels_are_shown_as_they_are():
    ax = plots.curves({"_a": [[1.0]], "$b$": [[1.0]]}, ax=Figure().subplots())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [" _a", r"\$b\$"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1.0], [1.0, 2.0]], "must be an array of numbers"),
        (["a"], "must be an array of numbers"),
        (1.0, r"Received: shape \(\)"),
        (np.zeros((0, 3)), r"Received: shape \(0, 3\)"),
        ([1.0, 2.0], r"of shape \(num_seeds, num_epochs\), not empty. Received: shape \(2,\)"),
    ],
)
def test_an_array_of_another_shape_is_refused(value, message):
    with pytest.raises(ValueError, match=rf"`curves\['a'\]`.*{message}"):
        plots.curves({"a": value}, ax=Figure().subplots())
