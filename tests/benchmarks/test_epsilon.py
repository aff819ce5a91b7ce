"""The page about ε has the table of the stored measurement, and its ratios."""

import json

import epsilon
import numpy as np

from tests.benchmarks.test_tables import ROOT

PAGE = (ROOT / "docs" / "epsilon.md").read_text("utf-8")
RUNS = json.loads(epsilon.RESULTS.read_text("utf-8"))["runs"]


def test_the_page_has_the_table():
    assert epsilon.table(RUNS) in PAGE


def test_the_page_has_the_ratios_at_30_layers():
    def median(name, which):
        return np.median([run[name][which] for run in RUNS["30"]])

    inside, outside = "RMSprop, ε = 1e-6 inside", "RMSprop, ε = 1e-6 outside"
    words = " ".join(PAGE.split())
    assert "900 times as long as with ε inside" in words
    assert 850 < median(outside, "step") / median(inside, "step") < 950
    assert "32 times as large" in words
    assert 31 < median(outside, "noise") / median(inside, "noise") < 33
    assert "nine times as long as with 1e-6" in words
    assert 8.5 < median("Adam, ε = 1e-7", "step") / median("Adam, ε = 1e-6", "step") < 9.5
