"""The page about the coefficient has the table of the stored measurement and agrees with it."""

import json
import math

import learning_coefficient

from tests.benchmarks.test_tables import ROOT

WORDS = " ".join((ROOT / "docs" / "learning-coefficient.md").read_text("utf-8").split())
FOUND = json.loads(learning_coefficient.RESULTS.read_text("utf-8"))
ROWS = {(row["case"], row["variant"]): row for row in FOUND["rows"]}
NETS = [case for case in learning_coefficient.CASES if not case.startswith("w1")]


def test_the_page_has_the_table():
    assert " ".join(learning_coefficient.table(FOUND["rows"]).split()) in WORDS
    assert list(ROWS) == [(case, variant) for case in learning_coefficient.CASES for variant in VARIANTS]
    assert f"of seed {FOUND['seed']}, which" in WORDS and FOUND["seed"] != 0


VARIANTS = list(learning_coefficient.VARIANTS)


def test_the_page_names_what_is_outside():
    assert f"{sum(row['is_within'] for row in ROWS.values())} of the {len(ROWS)} rows are within" in WORDS
    outside = {key: row["found"] / row["wanted"] - 1 for key, row in ROWS.items() if not row["is_within"]}
    deep = "linear net [10, 10, 10, 10], rank 0"
    assert {key: round(100 * share) for key, share in outside.items()} == {
        ("regular, d = 5", "L-RMSprop with Γ"): -16,
        (deep, "batches of 100"): -18,
        (deep, "L-RMSprop with Γ"): -18,
    }
    for case, deviations in (("regular, d = 5", 1.4), (deep, 6)):
        row = ROWS[case, "L-RMSprop with Γ"]
        of_data = math.sqrt(row["true"]) / math.log(FOUND["data_size"])
        assert abs((row["wanted"] - row["found"]) / of_data - deviations) < 0.15
    assert round(100 * (ROWS[deep, "full batch"]["found"] / ROWS[deep, "full batch"]["wanted"] - 1)) == -8


def test_the_preconditioned_chains_find_the_least():
    def is_least(case):
        found = [ROWS[case, variant]["found"] for variant in VARIANTS]
        return found[-1] == min(found)

    assert len(NETS) == 7 and sum(map(is_least, NETS)) == 6
