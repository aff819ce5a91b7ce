"""What a terminal shows of results."""

from pathlib import Path

from rich.console import Console

NARROWEST = 60  # columns; a narrower terminal breaks the lines itself


def new_console() -> Console:
    """The console that a command prints to."""
    found = Console()
    if found.width < NARROWEST:
        found.width = NARROWEST
    return found


def show(results: list, written: list[Path], console: Console):
    """A table and sentences for each setting, then where the files are.

    Args:
        results: what `report.analyse` returned.
        written: the files.
        console: rich's console.
    """
    from keras_langevin.experiments import report

    num_differences = sum(len(result.pairs) for result in results)
    for result in results:
        console.print(report.table(result))
        for sentence in report.about_setting(result, num_differences):
            console.print(f"- {sentence}", soft_wrap=True, highlight=False, markup=False)
    for path in written:
        console.print(f"  {path}", soft_wrap=True, highlight=False, markup=False)
