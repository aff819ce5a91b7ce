"""Runs every test of `dieharder -a` on the noise's raw words, one test at a time, in three arrangements.

    python benchmarks/noise_quality.py
    python benchmarks/noise_quality.py --only steps --tests 101 102 --set 2
    python benchmarks/noise_quality.py --summary

Needs `dieharder` (Debian has it) and JAX; takes hours. Each test reads its own stream, with its own seed. Finished
tests are kept in a CSV file, one line per p-value, and not run again. `aes` runs dieharder's AES generator through the
same tests, to tell a weakness of the noise from one of the test: about one p-value in a hundred is "weak" (outside
0.005 to 0.995) by chance.
"""

import argparse
import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tables import rows_of

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "noise_quality.csv"
ARRANGEMENTS = ("elements", "steps", "variables", "aes")
COLUMNS = ("arrangement", "seed", "number", "n", "test", "ntuple", "tsamples", "psamples", "p", "assessment")
AES = "205"

# dieharder's number of each test, and n if `-a` runs the test for several n. Quick tests come first: a lagged sum reads
# n + 1 words for each word that it uses.
TESTS = [
    *((number, None) for number in (*range(18), 100, 101, 102)),
    *((200, n) for n in range(1, 13)),
    *((number, n) for number in (201, 202) for n in range(2, 6)),
    *((number, None) for number in (204, 205, 206, 207)),
    (208, 0),  # also runs n = 1; dieharder 3.31 crashes on n = 1 alone
    (209, None),
    *((203, n) for n in range(33)),
]


def p_values(arrangement: str, seed: int, number: int, n: int | None, generator: str = "in use") -> list[list[str]]:
    """Runs one test and returns (test, ntuple, tsamples, psamples, p, assessment) for each of its p-values."""
    command = ["dieharder", "-d", str(number), *(["-n", str(n)] if n is not None else [])]
    if arrangement == "aes":
        output = subprocess.run(
            [*command, "-g", AES, "-S", str(seed)], capture_output=True, text=True, check=True
        ).stdout
    else:
        words = [sys.executable, str(HERE / "noise_words.py"), arrangement, "--seed", str(seed)]
        words += ["--generator", generator]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as source:
            result = subprocess.run(
                [*command, "-g", "200"], stdin=source.stdout, capture_output=True, text=True, check=True
            )
            source.stdout.close()
            error = source.communicate()[1]
        if source.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with an error:\n{error}")
        output = result.stdout
    rows = [[cell.strip() for cell in line.split("|")] for line in output.splitlines()]
    rows = [row for row in rows if len(row) == 6 and row[-1] in ("PASSED", "WEAK", "FAILED")]
    if not rows:
        raise RuntimeError(f"{' '.join(command)} gave no p-value:\n{output}")
    return rows


def summary(rows: list[dict[str, str]]):
    for arrangement in ARRANGEMENTS:
        own = [row for row in rows if row["arrangement"] == arrangement]
        counts = Counter(row["assessment"] for row in own)
        tests = {(row["number"], row["n"]) for row in own}
        print(f"{arrangement}: {len(tests)} of {len(TESTS)} tests, {len(own)} p-values: ", end="")
        print(", ".join(f"{counts[name]} {name.lower()}" for name in ("PASSED", "WEAK", "FAILED")), end="")
        print(f"; {len(own) / 100:.1f} weak or failed are expected")
        for row in own:
            if row["assessment"] != "PASSED":
                print(
                    f"  {row['assessment'].lower()}: {row['test']} {row['ntuple']}, p = {row['p']}, seed {row['seed']}"
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ARRANGEMENTS, default=ARRANGEMENTS, help="only these arrangements")
    parser.add_argument("--tests", type=int, nargs="+", metavar="N", help="only these tests, by dieharder's numbers")
    parser.add_argument("--set", type=int, default=1, help="another number for other seeds; default: 1")
    parser.add_argument("--summary", action="store_true", help="show what is finished, run nothing")
    options = parser.parse_args()
    if not options.summary:
        if not RESULTS.exists():
            RESULTS.write_text(",".join(COLUMNS) + "\n")
        # as text, like the rows read from the file
        done = {(row["arrangement"], row["seed"], row["number"], row["n"]) for row in rows_of(RESULTS.name)}
        for index, (number, n) in enumerate(TESTS):
            if options.tests and number not in options.tests:
                continue
            seed = 1000 * options.set + index
            for arrangement in options.only:
                key = (arrangement, str(seed), str(number), "" if n is None else str(n))
                if key in done:
                    continue
                rows = [[*key, *row] for row in p_values(arrangement, seed, number, n)]
                with open(RESULTS, "a", newline="", encoding="utf-8") as file:
                    csv.writer(file, lineterminator="\n").writerows(rows)
                print(*(" ".join(row) for row in rows), sep="\n", flush=True)
    summary(rows_of(RESULTS.name))


if __name__ == "__main__":
    main()
