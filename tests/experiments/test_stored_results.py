"""The results stored in the project, and the page about them."""

import csv
import re
from pathlib import Path

import pytest

from keras_langevin.experiments import claims, paper, report
from keras_langevin.experiments.report.words import signed

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path for path in (ROOT / "results").iterdir() if path.is_dir())
# A preset that is still in training has no report, and no claim uses it.
IN_PROGRESS = [path for path in FOLDERS if not (path / "report.md").exists()]
NAMES = ("L-Adam", "L-RMSprop (ε outside)", "L-RMSprop", "L-Adadelta")
EACH = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


@EACH
def test_they_are_of_a_preset_with_their_provenance(folder):
    """They have the preset's settings at one of its scales, at least its seeds, every run, and provenance."""
    cells = report.collect([folder])
    sweeps = {scale: paper.sweep(folder.name, scale).comparisons for scale in ("cpu", "full")}

    def settings(comparison):
        return tuple(getattr(comparison, name) for name in ("model", "dataset", "limit", "epochs", "tuning_trials"))

    found, whole = {settings(cell.comparison) for cell in cells}, folder not in IN_PROGRESS
    planned = {scale: {settings(comparison) for comparison in each} for scale, each in sweeps.items()}
    seeds = [
        sweeps[scale][0].seeds for scale in sweeps if found == planned[scale] or (found < planned[scale] and not whole)
    ]
    assert seeds, "they belong to no scale of the preset"
    for cell in cells:
        assert cell.comparison.seeds >= min(seeds)
        assert not whole or len(cell.runs) == sum(arm.num_planned for arm in cell.arms)
        for run in cell.runs:
            assert run.status != "failed"
            made = run.record["provenance"]
            assert {"device", "versions", "backend", "finished_at"} <= set(made)
            assert made["commit"] and "dirty" not in made["commit"]
        assert cell.comparison.dataset != "cifar10" or cell.settings["dataset_note"], "is it the official release?"


@EACH
def test_a_sweep_can_be_resumed(folder):
    """`reproduce` finds the folders of a sweep by their names."""
    cells = report.collect([folder])
    if len(cells) > 1:
        found = {name: cells[0].settings[name] for name in ("dataset_note", "backend")}
        planned = {comparison.folder_name(**found) for comparison in paper.sweep(folder.name, "cpu").comparisons}
        assert planned == {path.parent.name for path in folder.glob("*/config.json")}


@EACH
def test_they_are_small_and_have_a_report(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    # pages, SVG and PDF files are made here by `report`, and git ignores them
    kept = [path for path in files if path.suffix not in (".svg", ".pdf") and path.name != "report.html"]
    assert sum(path.stat().st_size for path in kept) < 3e6
    reports = {"report.md", "results.csv", "differences.csv"} & {path.name for path in files}
    assert len(reports) == (0 if folder in IN_PROGRESS else 3)
    assert not [path.name for path in files if path.name.endswith((".epochs.csv", ".npz", ".h5"))]


def test_no_claim_is_made_of_what_is_still_being_trained():
    presets = {preset for claim in claims.CLAIMS for preset in claim.presets}
    assert not presets & {path.name for path in IN_PROGRESS}


def test_the_page_says_what_the_results_say(monkeypatch):
    monkeypatch.chdir(ROOT)
    page = Path("RESULTS.md").read_text("utf-8")
    (table,) = re.findall(r"<!-- claims -->\n(.*?)\n<!-- end -->", page, flags=re.DOTALL)
    assert table == claims.text(claims.judge("results")), "run keras-langevin claims results --page RESULTS.md"
    for command in (
        "figure-1 --scale cpu --out results/figure-1",
        "table-1 --scale cpu --out results/table-1",
    ):
        assert f"`keras-langevin reproduce {command}`" in table


def test_the_table_of_the_readme_is_that_of_equal_epsilon():
    with open(ROOT / "results" / "equal-epsilon" / "differences.csv", newline="", encoding="utf-8") as file:
        rows = {(line["model"], line["optimizer"]): line for line in csv.DictReader(file)}
    lines = []
    for depth in (3, 20, 30, 40):
        found = [rows[f"dense-{depth}", name] for name in NAMES]
        assert {line["num_seeds"] for line in found} == {"10"}
        shown = [[signed(float(line[name] or "nan")) for name in ("mean", "low", "high")] for line in found]
        cells = (mean if low == "-" else f"{mean} [{low}, {high}]" for mean, low, high in shown)
        lines.append(f"| {depth} | " + " | ".join(cells) + " |")
    (table,) = re.findall(
        r"<!-- gain -->\n.*\n.*\n((?:.*\n)*)<!-- end of gain -->", (ROOT / "README.md").read_text("utf-8")
    )
    assert table.splitlines() == lines
