import dataclasses
import io

from rich.console import Console

from keras_langevin.experiments.report import terminal_table
from tests.experiments.records import COMPARISON, failed, of_seeds, record, results_of


def shown(records):
    console = Console(width=140, file=io.StringIO())
    console.print(terminal_table(*results_of(COMPARISON, records)))
    return console.file.getvalue()


def test_the_table_has_mean_spread_and_every_seed():
    text = shown(of_seeds([0.1, 0.9, 0.92], [0.91, 0.92, 0.93]))
    assert "64.00 ± 46.78" in text
    assert "10.0 90.0 92.0" in text
    assert "92.00 ± 1.00" in text
    assert "L-Adam" in text


def test_failures_and_divergence_are_in_the_table():
    text = shown([failed("adam", 0), record("adam", 1, 0.1, status="diverged", epochs=2), record("adam", 2, 0.9)])
    assert "error 10.0* 90.0" in text


def test_an_optimizer_without_a_run_has_a_row():
    (row,) = [line for line in shown([record("adam", 0, 0.9)]).splitlines() if "L-Adam" in line]
    assert row.replace("│", "").split() == ["L-Adam", "-", "-", "-", "-"]


def test_a_long_name_leaves_room_for_the_numbers():
    """With 80 columns it continues on the next line, and no number is truncated."""
    comparison = dataclasses.replace(COMPARISON, optimizers=("adam", "ladam@[1,8,12,13,15,16,24,27,29]"))
    records = [record(arm.spec, seed, 0.9 + seed / 100) for arm in comparison.arms for seed in range(3)]
    console = Console(width=80, file=io.StringIO())
    console.print(terminal_table(*results_of(comparison, records)))
    text = console.file.getvalue()
    assert "…" not in text and text.count("91.00 ± 1.00") == 2
    assert max(map(len, text.splitlines())) == 80
    name = [line.split("│")[1] for line in text.splitlines() if "│" in line]
    assert " ".join(" ".join(name).split()) == "Adam L-Adam on layers 1, 8, 12, 13, 15, 16, 24, 27, 29"
