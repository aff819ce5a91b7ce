"""Every preset is a comparison that can be trained, at every scale."""

import keras
import pytest

from keras_langevin import cli, models, optimizers
from keras_langevin.experiments import paper
from keras_langevin.optimizers.describe import describe
from tests.quick import JIT
from tests.real_data import FOLDER, needs_cifar10, needs_mnist

SHAPES = {"mnist": ((28, 28, 1), 10), "cifar10": ((32, 32, 3), 10), "cifar100": ((32, 32, 3), 100)}
EACH = [pytest.param(name, scale, id=f"{name}-{scale}") for name in paper.PRESETS for scale in paper.SCALES]


@pytest.mark.parametrize(("name", "scale"), EACH)
def test_a_preset_is_a_comparison(name, scale):
    """`Comparison` accepts its settings, and every optimizer is compared with its parent."""
    for comparison in paper.sweep(name, scale).comparisons:
        names = {arm.optimizer for arm in comparison.arms}
        assert {arm.parent for arm in comparison.arms} <= names
        assert comparison.seeds >= (1 if scale == "smoke" else 5)
        assert comparison.dataset in SHAPES
        family, _ = models.registry.parse(comparison.model)
        assert family in models.registry.FAMILIES


def test_figure_3_has_the_first_parts_and_the_last():
    (comparison,) = paper.sweep("figure-3", "cpu").comparisons
    model = models.build(comparison.model, *SHAPES["mnist"])
    noisy = {}
    for arm in comparison.arms:
        rows = describe(model, optimizers.get(arm.optimizer, **comparison.arguments(arm)))
        noisy[arm.label] = [number for number, row in enumerate(rows) if row.noisy]
    assert {label: len(numbers) for label, numbers in noisy.items()} == {
        "Adam": 0, "10%-Layer L-Adam": 3, "30%-Layer L-Adam": 9, "50%-Layer L-Adam": 16, "90%-Layer L-Adam": 28,
        "L-Adam": 31, "L-Adam on the last 9": 9,
    }  # fmt: skip
    assert noisy["30%-Layer L-Adam"] == list(range(9))
    assert noisy["L-Adam on the last 9"] == list(range(22, 31))


def test_what_is_unknown_is_an_error_with_a_suggestion():
    with pytest.raises(ValueError, match="Did you mean 'figure-1'"):
        paper.preset("figure1")
    with pytest.raises(ValueError, match="Unknown scale 'huge'"):
        paper.preset("figure-1").at("huge")


@pytest.fixture
def tiny(monkeypatch):
    """A preset that trains in a moment."""
    settings = {"model": "dense-1", "dataset": "digits", "optimizers": ["sgd", "lsgd"], "jit": JIT}
    small = {"epochs": 1, "batch_size": 64, "seeds": 2, "limit": 200}
    preset = paper.Preset(
        "A moment", "no figure", "Nothing.", settings, small, small, small, {"seeds": "two are enough"}
    )
    monkeypatch.setitem(paper.PRESETS, "tiny", preset)


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.ci
def test_reproduce_says_what_it_shows_trains_and_goes_on(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["reproduce", "tiny", "--scale", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "A moment (no figure)." in shown
    assert "In the paper: Nothing." in shown
    assert "Here, seeds: two are enough." in shown
    out = tmp_path / "keras-langevin-results" / "tiny-cpu"
    assert "<h1>A moment (no figure; scale cpu)</h1>" in (out / "report.html").read_text("utf-8")
    assert cli.main(["reproduce", "tiny", "--scale", "cpu"]) == 0
    assert "4 runs finished already; 0 left." in capsys.readouterr().out
    assert cli.main(["reproduce", "tiny", "--scale", "cpu", "--seeds", "3"]) == 0
    shown = capsys.readouterr().out
    assert "4 runs finished already; 2 left." in shown and "Here, seeds: 3, as asked for." in shown
    assert cli.main(["reproduce", "tiny", "--seeds", "0"]) == 2
    assert "seeds" in capsys.readouterr().err


def test_at_scale_smoke_the_reasons_are_those_of_that_scale(tiny):
    found = paper.preset("tiny").reasons("smoke")
    assert "seeds" not in found and "to see that it runs" in found["epochs"]


def test_a_preset_that_is_not_there_is_one_line(capsys):
    assert cli.main(["reproduce", "figure-4"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Did you mean 'figure-3'" in error


# One of each kind runs at every change: equal arms with both RMSprops, a figure, the controls, other initial kernels,
# the two tables. Notebook 04 in fast mode, which CI executes, trains highway nets and convolutions at this scale.
AT_EVERY_CHANGE = {"equal-epsilon", "figure-1", "controls", "initial-kernels", "table-1", "table-2"}


@pytest.mark.slow
@needs_mnist
@needs_cifar10
@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="it does not depend on the backend, and PyTorch compiles nothing"
)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.ci] * (name in AT_EVERY_CHANGE)) for name in paper.PRESETS]
)
def test_smoke(name, tmp_path, capsys):
    command = ["reproduce", name, "--data-dir", str(FOLDER), "--out", str(tmp_path)]
    assert cli.main(command) == 0
    assert (tmp_path / "report.html").exists()
