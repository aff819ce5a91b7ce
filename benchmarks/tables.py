"""Writes the tables of docs/speed.md and docs/ensembles.md from the files in benchmarks/results.

    python benchmarks/tables.py          # writes the pages
    python benchmarks/tables.py --check  # only says whether they are up to date

Each table stands between the comments `<!-- NAME -->` and `<!-- end -->`.
"""

import argparse
import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

ROOT = Path(__file__).parents[1]
RESULTS, DOCS = ROOT / "benchmarks" / "results", ROOT / "docs"
BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
VERDICTS = ("PASSED", "WEAK", "FAILED")
NOT_MEASURED = "*Not measured yet.*"


def read(name: str) -> dict | None:
    path = RESULTS / name
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def rows_of(name: str) -> list[dict[str, str]]:
    if not (RESULTS / name).exists():
        return []
    with open(RESULTS / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def spread(low: float, middle: float, high: float) -> str:
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def against_target(summary: dict | None, target: float | None) -> str:
    if summary is None:
        return "-"
    text = spread(*(summary[key] for key in ("ratio_low", "ratio", "ratio_high")))
    if target is None:
        return text
    return f"{text}; target {target:.2f}" + ("" if summary["ratio"] <= target else ", **missed**")


def steps() -> str:
    files = {backend: read(f"step_overhead-{backend}.json") for backend in BACKENDS}
    cases = dict.fromkeys(name for file in files.values() if file for name in file["cases"])
    rows = []
    for name in cases:
        found = [(file or {"cases": {}})["cases"].get(name) for file in files.values()]
        rows.append([name, *(against_target(case["step"], case["target"]) if case else "-" for case in found)])
    return markdown(["a step with L-Adam / with Adam", *BACKENDS.values()], rows)


def starts() -> str:
    files = {backend: read(f"step_overhead-{backend}.json") for backend in BACKENDS}
    cases = dict.fromkeys(
        name for file in files.values() if file for name, c in file["cases"].items() if "first_step" in c
    )
    rows = []
    for name in cases:
        found = [(file or {"cases": {}})["cases"].get(name, {}).get("first_step") for file in files.values()]
        rows.append([name, *(against_target(first, first["target"]) if first else "-" for first in found)])
    return markdown(["the first step with L-Adam / with Adam", *BACKENDS.values()], rows)


def passes() -> str:
    ms = (read("torch_passes.json") or {"ms": {}})["ms"]
    names = {"words": "the words", "normals": "words to normal numbers", "add": "scaled and added, in the cache"}
    names["parent"] = "Adam's own update"
    return markdown(["4 M parameters on PyTorch", "ms"], [[names[name], spread(*ms[name])] for name in ms])


def roofline() -> str:
    rows = []
    for backend, title in BACKENDS.items():
        for elements, found in (read(f"roofline-{backend}.json") or {"sizes": {}})["sizes"].items():
            ns = [f"{nanoseconds:.2f}" for nanoseconds in found["ns a parameter"].values()]
            ratios = (f"{found[key]:.2f}" for key in ("least ratio", "ratio"))
            rows.append([f"{title}, {int(elements) / 1e6:,.0f} M parameters", *ns, *ratios])
    header = ["ns a parameter", "the bytes alone", "the noise's operations alone", "Adam", "L-Adam"]
    return markdown([*header, "least ratio", "ratio"], rows) if rows else NOT_MEASURED


def growth() -> str:
    files = {title: read(f"step_growth-{backend}.json") for backend, title in BACKENDS.items()}
    counts = dict.fromkeys(count for file in files.values() if file for count in file["operations"])
    rows = []
    for count in counts:
        found = [(file or {"operations": {}})["operations"].get(count) for file in files.values()]
        rows.append(
            [f"{int(count):,}", *(f"{each['parent']:,} / {each['langevin']:,}" if each else "-" for each in found)]
        )
    return markdown(["variables", *(f"{title}: Adam / L-Adam" for title in files)], rows)


def memory() -> str:
    found = (read("step_growth-jax.json") or {"bytes": {}})["bytes"]
    rows = [[f"{int(size):,}", *(f"{own[arm]:,}" for arm in ("parent", "langevin"))] for size, own in found.items()]
    return markdown(["parameters", "Adam, bytes", "L-Adam, bytes"], rows)


def callbacks() -> str:
    files = {backend: read(f"callback_overhead-{backend}.json") for backend in BACKENDS}
    nets = [(file or {"nets": {}})["nets"].get("dense 30×64") for file in files.values()]
    rows = []
    for name, key in (
        ("`LangevinMonitor`'s own work, % of an epoch", "share_in_monitor"),
        ("an epoch with `LangevinMonitor` / without", "monitor_over_plain"),
        ("an epoch with `LayerScheduler({0: None})` / `layers=None`", "gate_over_plain"),
    ):
        factor = 100 if key == "share_in_monitor" else 1
        cells = []
        for net in nets:
            middle, low, high = (factor * value for value in net[key]) if net else (None,) * 3
            cells.append(spread(low, middle, high) if net else "-")
        rows.append([name, *cells])
    return markdown(["", *BACKENDS.values()], rows)


def machines() -> str:
    lines = []
    for path in sorted(RESULTS.glob("*.json")):
        made = json.loads(path.read_text("utf-8"))["provenance"]
        versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
        device = f"{made['device']}, {made['cores']} cores"
        lines.append([f"`{path.name}`", made["finished_at"][:10], device, f"Python {made['python']}, {versions}"])
    return markdown(["file", "date", "device", "versions"], lines)


def generators() -> str:
    times = (read("noise_generators.json") or {}).get("ns_per_parameter", {"words": {}, "update": {}})
    counts = Counter(
        (row["generator"], row["arrangement"], row["assessment"]) for row in rows_of("noise_generators.csv")
    )
    rows = []
    for name in dict.fromkeys([*times["update"], *(generator for generator, _, _ in counts)]):
        cells = [spread(*times[kind][name]) if name in times[kind] else "-" for kind in ("words", "update")]
        for arrangement in ("elements", "steps", "variables"):
            own = [counts[name, arrangement, verdict] for verdict in VERDICTS]
            cells.append(" / ".join(map(str, own)) if any(own) else "-")
        rows.append([name, *cells])
    header = ["generator", "words, ns", "Adam's update with it, ns", "elements", "steps", "variables"]
    return markdown(header, rows)


def quality() -> str:
    rows, found = [], rows_of("noise_quality.csv")
    for arrangement in dict.fromkeys(row["arrangement"] for row in found):
        own = [row for row in found if row["arrangement"] == arrangement]
        counts = Counter(row["assessment"] for row in own)
        tests = {(row["number"], row["n"]) for row in own}
        worst = [f"{row['test']} {row['ntuple']}: {row['p']}" for row in own if row["assessment"] != "PASSED"]
        rows.append(
            [
                arrangement,
                str(len(tests)),
                str(len(own)),
                " / ".join(str(counts[verdict]) for verdict in VERDICTS),
                f"{len(own) / 100:.1f}",
                ", ".join(worst) or "-",
            ]
        )
    header = ["order of the words", "tests", "p-values", "passed / weak / failed", "weak by chance", "weak tests"]
    return markdown(header, rows)


def peers() -> str:
    tables = []
    for backend, title in BACKENDS.items():
        file = read(f"peers-{backend}.json")
        if file:
            methods = file["ns_per_parameter"]
            sizes = list(next(iter(methods.values())))
            rows = [[name, *(spread(*times[size]) for size in sizes)] for name, times in methods.items()]
            header = [f"{title}, ns per parameter", *(f"{int(size):,} parameters" for size in sizes)]
            tables.append(markdown(header, rows))
    return "\n\n".join(tables)


def engines() -> str:
    rows = []
    for backend, title in BACKENDS.items():
        file = read(f"engines-{backend}.json")
        if file:
            local, processes = (" ".join(f"{value:.0f}" for value in each) for each in file["seconds"].values())
            size = f"2 optimizers × {file['seeds']} seeds × {file['epochs']} epochs"
            equal = "equal" if file["equal"] else "**not equal**"
            ratio = f"{file['local_over_processes']:.2f}"
            rows.append([title, size, local, f"{processes} ({file['workers']})", ratio, equal])
    return markdown(
        ["backend", "dense-20 on digits", "local, s", "processes, s (workers)", "local / processes", "curves"], rows
    )


def at_once() -> str:
    rows = []
    for path in sorted(RESULTS.glob("engines-vmap-*.json")):
        file = read(path.name)
        local, together = (" ".join(f"{value:.0f}" for value in each) for each in file["images_per_second"].values())
        limit = f", {file['limit']} images" if file["limit"] else ""
        rows.append(
            [
                file["provenance"]["device"],
                f"{file['model']} on {file['dataset']}{limit}: {file['seeds']} seeds",
                local,
                together,
                f"{file['throughput_over_local']:.2f}",
                f"{file['local_over_vmap']:.2f}",
                f"{file['first_epoch_differs_by']:.1e}",
            ]
        )
    columns = ["device", "runs", "local, images/s", "vmap, images/s", "vmap / local", "whole commands: local / vmap"]
    return markdown([*columns, "first train loss differs by"], rows)


STUDIES = {
    "mnist-1000": "MNIST, 1,000 images",
    "mnist": "MNIST, all images",
    "cifar10": "CIFAR-10 (JPEG copy), 5,000 images",
}


def ensembles(file: dict) -> str:
    """Returns two tables, of scores and of AUROC and costs: mean ± standard deviation over seeds, each best in bold."""
    runs = file["runs"]
    titles = {"accuracy": "accuracy %", "nll": "NLL", "brier": "Brier", "ece": "ECE"} | aurocs(file)
    cells = {}
    for score in titles:
        factor, digits = {"accuracy": (100, 2)}.get(score, (1, 3 if score.startswith("auroc") else 4))
        values = {recipe: [factor * run[score] for run in of.values()] for recipe, of in runs.items()}
        best = (min if score in ("nll", "brier", "ece") else max)(map(mean, values.values()))
        for recipe, own in values.items():
            text = f"{mean(own):.{digits}f} ± {stdev(own):.{digits}f}".replace(" ", "\N{NO-BREAK SPACE}")
            cells[recipe, score] = f"**{text}**" if mean(own) == best else text
    first, second = list(titles)[:4], list(titles)[4:]
    tables = [[recipe, *(cells[recipe, score] for score in first)] for recipe in runs], []
    for recipe, of_recipe in runs.items():
        epochs, seconds, size = (
            mean([run[key] for run in of_recipe.values()]) for key in ("epochs", "seconds", "bytes")
        )
        (tuned,) = file["chosen"].get(recipe, {"": None}).values()
        cost = ["-" if tuned is None else f"{tuned:g}", f"{epochs:.0f}", f"{seconds:.0f}", f"{size / 1e6:.1f}"]
        tables[1].append([recipe, *(cells[recipe, score] for score in second), *cost])
    headers = ["recipe", *map(titles.get, first)], ["recipe", *map(titles.get, second), "tuned", "epochs", "s", "MB"]
    return "\n\n".join(map(markdown, headers, tables))


def ensemble_differences(file: dict) -> str:
    """Returns the table of differences paired over the seeds; bold where p with Holm's correction is below 0.05."""
    found, names = file["differences"], {"nll": "NLL"} | aurocs(file)
    pairs = [("nll", "single"), ("nll", "deep ensemble of 5"), *((auroc, "single") for auroc in list(names)[1:])]
    rows = []
    for recipe in list(file["runs"])[1:]:
        cells = []
        for score, other in pairs:
            each, digits = found.get(f"{score}: {recipe} - {other}"), 4 if score == "nll" else 3
            if each is None:
                cells.append("-")
                continue
            ends = " to ".join(f"{value:+.{digits}f}" for value in each["interval"])
            text = f"{each['mean']:+.{digits}f} ({ends})".replace("-", "−")
            cells.append(f"**{text}**" if each["p_holm"] < 0.05 else text)
        rows.append([recipe, *cells])
    others = {"single": "the single net", "deep ensemble of 5": "the deep ensemble"}
    return markdown(["recipe", *(f"{names[score]} − {others[other]}" for score, other in pairs)], rows)


def aurocs(file: dict) -> dict[str, str]:
    """Returns the names on the page of the areas under the ROC curve, by their names in the file."""
    return {score: f"AUROC, {score[6:]}" for score in file["runs"]["single"]["0"] if score.startswith("auroc")}


def of_all_studies(make: Callable[[dict], str]) -> str:
    files = {title: read(f"uncertainty-{study}-cpu.json") for study, title in STUDIES.items()}
    return "\n\n".join(f"{title}:\n\n{make(file) if file else NOT_MEASURED}" for title, file in files.items())


PAGES = {
    DOCS / "speed.md": {
        "engines": engines,
        "at once": at_once,
        "steps": steps,
        "starts": starts,
        "passes": passes,
        "roofline": roofline,
        "growth": growth,
        "memory": memory,
        "callbacks": callbacks,
        "generators": generators,
        "quality": quality,
        "peers": peers,
        "machines": machines,
    },
    DOCS / "ensembles.md": {
        "scores": lambda: of_all_studies(ensembles),
        "differences": lambda: of_all_studies(ensemble_differences),
    },
}


def page(path: Path) -> str:
    """Returns the page with its tables made from the results."""
    return filled(path.read_text("utf-8"), PAGES[path], path)


def filled(text: str, tables: dict[str, Callable[[], str]], path: Path) -> str:
    """Returns the text with these tables in place of its own, by the names in their comments."""
    for name, make in tables.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text, count = re.subn(
            pattern, lambda found, make=make: f"{found[1]}{make()}\n{found[2]}", text, flags=re.DOTALL
        )
        if count != 1:
            raise ValueError(f"{path} must hold the table {name!r} once, from <!-- {name} --> to <!-- end -->.")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a table is out of date")
    options = parser.parse_args()
    pages = {path: page(path) for path in PAGES}
    stale = [path for path, text in pages.items() if text != path.read_text("utf-8")]
    for path in stale:
        if options.check:
            print(f"{path.name} is not what the results say: run without --check")
        else:
            path.write_text(pages[path], "utf-8")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
