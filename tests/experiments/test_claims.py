"""Verdicts on made-up results."""

import dataclasses

import pytest

from keras_langevin import cli
from keras_langevin.experiments import paper
from keras_langevin.experiments.claims import CLAIMS, RULE, Claim, Expects, Verdict, judge, text
from keras_langevin.experiments.config import OptimizerSpec
from keras_langevin.experiments.store import Store
from tests.experiments.records import COMPARISON, created, record

BASE = [0.50, 0.52, 0.48, 0.51, 0.49]


@pytest.fixture
def results(tmp_path):
    """`results(model, ladam=[...])` stores records of that model, with Adam's for comparison."""

    def put(model, preset="figure-1", learning_rate=None, **accuracies):
        optimizers = ("adam", *accuracies)
        settings = {"dataset": "mnist", "learning_rate": learning_rate, "seeds": len(BASE)}
        comparison = dataclasses.replace(COMPARISON, model=model, optimizers=optimizers, **settings)
        store = created(Store(tmp_path / preset / f"{model}-{learning_rate}", comparison))
        for spec, values in {"adam": BASE, **accuracies}.items():
            for seed, value in enumerate(values):
                store.write(OptimizerSpec(spec), seed, record(spec, seed, value))
        return tmp_path

    return put


def above(*points):
    """Returns accuracies that are these points above Adam's."""
    return [base + point / 100 for base, point in zip(BASE, points, strict=False)]


def verdict(folder, expects, models=("dense-30",), against="", optimizers=("ladam",)):
    (judgement,) = judge(folder, [Claim("A claim.", "here", ("figure-1",), expects, optimizers, models, against)])
    return judgement.verdict


@pytest.mark.parametrize(
    ("points", "better", "same", "no_worse"),
    [
        ((2, 3, 2, 3, 2), Verdict.HOLDS, Verdict.NOT, Verdict.HOLDS),
        ((-2, 3, -2, 3, -2), Verdict.NOT_SHOWN, Verdict.NOT_SHOWN, Verdict.NOT_SHOWN),
        ((0.1, -0.1, 0.2, -0.2, 0), Verdict.NOT_SHOWN, Verdict.HOLDS, Verdict.HOLDS),
        ((-3, -2, -3, -2, -3), Verdict.NOT, Verdict.NOT, Verdict.NOT),
        ((-1.5, -0.8, -1.1, -1.3, -0.7), Verdict.NOT, Verdict.NOT, Verdict.NOT),  # below zero, across the margin
        ((-0.3, -0.2, -0.4, -0.3, -0.2), Verdict.NOT, Verdict.HOLDS, Verdict.HOLDS),  # below zero, within the margin
        ((-1.5, 1.1, -0.8, 0.5, -0.7), Verdict.NOT_SHOWN, Verdict.NOT_SHOWN, Verdict.NOT_SHOWN),
        ((2, 3, 2, 3), Verdict.NOT_SHOWN, Verdict.NOT_SHOWN, Verdict.NOT_SHOWN),  # four seeds are too few
    ],
)
def test_an_interval_decides(results, points, better, same, no_worse):
    folder = results("dense-30", ladam=above(*points))
    assert verdict(folder, Expects.BETTER) is better
    assert verdict(folder, Expects.SAME) is same
    assert verdict(folder, Expects.NO_WORSE) is no_worse


def test_one_of_many_differences_has_to_stand_out_among_them(results):
    """Alone p is 0.035. Among five differences, four of which show nothing, Benjamini and Hochberg's p is 0.17."""
    nothing = above(0.1, -0.1, 0.2, -0.2, 0.0)
    folder = results("dense-30", ladam=above(1, 3, 2, 1, 0.3), **{f"ladam@{n}": nothing for n in (1, 2, 3, 4)})
    claims = [
        Claim("A claim.", "here", ("figure-1",), Expects.BETTER, (spec,), ("dense-30",))
        for spec in ("ladam", "ladam@1", "ladam@2", "ladam@3", "ladam@4")
    ]
    assert judge(folder, claims[:1])[0].verdict is Verdict.HOLDS
    assert judge(folder, claims)[0].verdict is Verdict.NOT_SHOWN


def test_a_gain_grows_where_it_is_larger_seed_by_seed(results):
    results("dense-3", ladam=above(1, 1, 2, 1, 1))
    folder = results("dense-30", ladam=above(3, 4, 5, 4, 3))
    assert verdict(folder, Expects.GROWS, ("dense-3", "dense-30")) is Verdict.HOLDS
    assert verdict(folder, Expects.GROWS, ("dense-30", "dense-3")) is Verdict.NOT
    assert verdict(folder, Expects.GROWS, ("dense-3", "dense-40")) is Verdict.OPEN


def test_a_claim_about_several_holds_partly(results):
    results("dense-3", ladam=above(0, 0.1, -0.1, 0, 0))
    folder = results("dense-30", ladam=above(3, 4, 5, 4, 3))
    assert verdict(folder, Expects.BETTER, ("dense-3", "dense-30")) is Verdict.PARTLY


def test_every_setting_of_a_model_counts_and_is_named(results):
    results("dense-30", ladam=above(3, 4, 5, 4, 3))
    folder = results("dense-30", learning_rate=3e-4, ladam=above(-3, -4, -5, -4, -3))
    (judgement,) = judge(folder, [Claim("A claim.", "here", ("figure-1",), Expects.BETTER, ("ladam",), ("dense-30",))])
    assert judgement.verdict is Verdict.PARTLY
    names = sorted(finding.name for finding in judgement.findings)
    assert [name.partition("mnist")[2] for name in names] == [", learning rate 0.0003", ", learning rate by default"]


def test_two_optimizers_with_noise_are_compared_with_one_another(results):
    folder = results("dense-30", ladam=above(3, 4, 5, 4, 3), **{"ladam@0.3": above(5, 6, 8, 6, 5)})
    claim = Claim("A claim.", "here", ("figure-1",), Expects.BETTER, ("ladam@0.3",), ("dense-30",), "ladam")
    (judgement,) = judge(folder, [claim])
    assert judgement.verdict is Verdict.HOLDS
    (finding,) = judgement.findings
    assert finding.difference.values.tolist() == pytest.approx([2, 2, 3, 2, 2])
    assert str(finding).startswith("30%-Layer L-Adam − L-Adam, dense-30 on mnist: +2.20 [")


def test_an_optimizer_is_compared_with_another_in_another_net(results):
    """The two nets may belong to two presets, whose equal settings are merged."""
    results("dense-30", preset="alive", ladam=above(3, 4, 5, 4, 3))
    folder = results("gain-1.2-dense-30", ladam=above(8, 9, 9, 8, 8))
    both = ("figure-1", "alive")
    better = Claim("A.", "here", both, Expects.BETTER, ("ladam",), ("gain-1.2-dense-30",), "adam", "dense-30")
    own = Claim("B.", "here", both, Expects.BETTER, ("ladam",), ("gain-1.2-dense-30",), beside="dense-30")
    nowhere = Claim("C.", "here", both, Expects.BETTER, ("ladam",), ("gain-1.2-dense-30",), beside="dense-40")
    half_there = Claim("D.", "here", ("figure-1", "table-1"), Expects.BETTER, ("ladam",), ("gain-1.2-dense-30",))
    first, second, third, fourth = judge(folder, [better, own, nowhere, half_there])
    (finding,) = first.findings
    assert finding.difference.values.tolist() == pytest.approx([8, 9, 9, 8, 8])
    assert str(finding).startswith("L-Adam, gain-1.2-dense-30 on mnist − Adam, dense-30 on mnist: +8.40 [")
    assert [command.split()[2] for command in first.commands] == ["figure-1", "alive"]
    assert second.findings[0].difference.values.tolist() == pytest.approx([5, 5, 4, 4, 5])
    assert (first.verdict, second.verdict) == (Verdict.HOLDS, Verdict.HOLDS)
    assert (third.verdict, fourth.verdict) == (Verdict.OPEN, Verdict.OPEN)


def test_the_seeds_that_trained_are_named_where_some_did_not(results):
    folder = results("dense-30", ladam=above(3, 4, 5, 4, 3), **{"ladam@0.3": [0.5, 0.1, 0.1, 0.6, 0.1]})
    claim = Claim("A claim.", "here", ("figure-1",), Expects.BETTER, ("ladam",), ("dense-30",))
    against = dataclasses.replace(claim, against="ladam@0.3")
    all_trained, some_trained = judge(folder, [claim, against])
    assert str(all_trained.findings[0]).endswith("5 seeds")
    assert str(some_trained.findings[0]).endswith("5 seeds (trained: 5 against 2)")


def test_the_table_has_each_claim_with_its_command(results):
    folder = results("dense-30", ladam=above(2, 3, 2, 3, 2))
    page = text(judge(folder))
    rule, _, *rows = page.splitlines()
    assert rule == RULE
    rows = rows[2:]
    assert len(rows) == len(CLAIMS)
    for row, claim in zip(rows, CLAIMS, strict=True):
        assert row.startswith(f"| {claim.text} ({claim.source}) |")
        for preset in claim.presets:
            assert f"`keras-langevin reproduce {preset} --scale cpu --out {folder / preset}`" in row
    assert "L-Adam − Adam, dense-30 on mnist: +2.40 [+1.72, +3.08], 5 seeds" in rows[1]
    assert all("not measured" in row for row in rows[3:])


def test_every_claim_is_about_what_its_preset_trains():
    for claim in CLAIMS:
        comparisons = [
            c for preset in claim.presets for scale in ("cpu", "full") for c in paper.sweep(preset, scale).comparisons
        ]
        assert {*claim.models, *([claim.beside] if claim.beside else [])} <= {c.model for c in comparisons}
        arms = {spec for c in comparisons for spec in c.optimizers}
        assert {*claim.optimizers, *([claim.against] if claim.against else [])} <= arms
        assert claim.dataset in {c.dataset for c in comparisons}


def test_the_command_shows_and_writes_the_table(results, tmp_path, capsys):
    folder = results("dense-30", ladam=above(2, 3, 2, 3, 2))
    page = tmp_path / "RESULTS.md"
    table = text(judge(folder))
    for before, after in (
        (None, ("", "")),
        ("# Title\n<!-- claims -->\nold\n<!-- end -->\nmore\n", ("# Title\n", "more\n")),
    ):
        if before:
            page.write_text(before, "utf-8")
        assert cli.main(["claims", str(folder), "--page", str(page)]) == 0
        shown = capsys.readouterr().out
        shown, _, rule = shown.partition("A difference supports a claim")
        rule = " ".join(rule.split())
        assert "holds partly" in rule and "Fewer than 5 seeds conclude nothing." in rule
        assert "holds partly" not in shown and "not measured" in shown and "+2.40" in shown
        assert page.read_text("utf-8") == f"{after[0]}<!-- claims -->\n{table}\n<!-- end -->\n{after[1]}"
    page.write_text("# Title\n", "utf-8")
    assert cli.main(["claims", str(folder), "--page", str(page)]) == 2
    assert "Add them where the table should go" in capsys.readouterr().err
    assert page.read_text("utf-8") == "# Title\n"


def test_a_folder_without_presets_is_one_line(tmp_path, capsys):
    for folder, what in (("nowhere", "which is not a folder"), (tmp_path, "without the folder of a preset")):
        assert cli.main(["claims", str(folder)]) == 2
        assert f"{what}. Train one with" in capsys.readouterr().err
