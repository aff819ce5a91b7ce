"""Executes the notebooks in fresh kernels, and checks their stored outputs.

    python notebooks/run.py               # all, in full; stores their outputs
    python notebooks/run.py 01 05         # only these
    python notebooks/run.py --fast        # with FAST = True; stores nothing
    python notebooks/run.py --check       # are the stored outputs complete, and of this code?
    python notebooks/run.py --html pages  # also writes a page of each; with --check the stored one

Each notebook is executed in its own empty folder, so that nothing is resumed. It is written
atomically if it ends without an error. The backend is that of KERAS_BACKEND, otherwise the
notebook's choice. The exit status is 1 if a notebook fails: an error, an empty figure, or, with
--check, outputs of another version of its code.
"""

import argparse
import sys
from pathlib import Path

import checks
import kernel
import nbformat

from keras_langevin.files import replaced

FOLDER = Path(__file__).parent


def found(names: list[str], folder: Path) -> list[Path]:
    """Returns the notebooks whose names start with one of `names`; without names, all notebooks.

    Raises:
        SystemExit: a name matches no notebook.
    """
    paths = sorted(folder.glob("*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in paths):
            raise SystemExit(
                f"No notebook is called {name}. Available: {', '.join(path.stem for path in paths)}."
            )
    return [
        path for path in paths if not names or any(path.name.startswith(name) for name in names)
    ]


def write_html(notebook, path: Path):
    """Writes a self-contained HTML page."""
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter(embed_images=True).from_notebook_node(
        notebook, {"metadata": {"name": path.stem}}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as file:
        file.write(page)


def handle(path: Path, options: argparse.Namespace) -> list[str]:
    """Executes or checks a notebook, as the options say, and returns what is wrong with it."""
    notebook = nbformat.read(path, as_version=4)
    if options.check:
        problems = checks.stored_problems(notebook)
    else:
        try:
            say = lambda line: print(line, flush=True)  # noqa: E731
            notebook = kernel.executed(
                notebook, fast=options.fast, cell_timeout=options.cell_timeout, say=say
            )
        except kernel.NotebookError as error:
            return [str(error)]
        problems = []
        if not options.fast:
            with replaced(path) as file:
                nbformat.write(notebook, file)
        print(f"{path.name}: {notebook.metadata[checks.RECORD]['seconds']:.1f} s", flush=True)
    if options.html:
        write_html(notebook, Path(options.html) / f"{path.stem}.html")
    return problems


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="starts of the notebooks' names (default: all)"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--fast", action="store_true", help="set FAST = True; store nothing")
    how.add_argument(
        "--check", action="store_true", help="check the stored outputs; execute nothing"
    )
    parser.add_argument("--html", metavar="FOLDER", help="write a page of each notebook")
    parser.add_argument(
        "--cell-timeout", type=float, metavar="S", help="a cell that takes longer is an error"
    )
    options = parser.parse_args(arguments)
    failed = 0
    for path in found(options.names, folder):
        problems = handle(path, options)
        failed += bool(problems)
        for problem in problems:
            print(f"{path.name}: {problem}", file=sys.stderr, flush=True)
        if options.check and not problems:
            print(f"{path.name}: complete, and of this code")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
