"""Executes a notebook in a fresh kernel and folder, so that it finds nothing of an earlier run.

The project's stored results are in `../results`, as in the folder of the notebooks.
"""

import copy
import json
import os
import re
import tempfile
import time
from pathlib import Path

import checks
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

# Lines that C++ libraries and absl log on any machine without a GPU, but no Python warnings.
_LOG = re.compile(r"WARNING: All log messages before absl|[IWEF]\d{4} \d\d:\d\d:|WARNING:absl:")
# Stored results that a notebook may read.
RESULTS = Path(__file__).parents[1] / "results"
_PROVENANCE = (
    "import json, keras_langevin.experiments.machine as p; print(json.dumps(p.provenance()))"
)


class NotebookError(Exception):
    """A notebook could not be executed, or its outputs have problems."""


def switched(notebook, fast: bool):
    """Returns a copy without outputs, with the switch set.

    Raises:
        NotebookError: there is not exactly one line `FAST = ...`.
    """
    notebook = copy.deepcopy(notebook)
    lines = [
        match
        for cell in checks.code_cells(notebook)
        for match in checks.SWITCH.findall(cell.source)
    ]
    if len(lines) != 1:
        raise NotebookError(
            "A notebook must have its switch, a line `FAST = False` in a code cell, exactly once. "
            f"Received: {len(lines)} such lines. Add the line, or remove the others."
        )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = checks.SWITCH.sub(f"FAST = {fast}", cell.source)
            cell.outputs, cell.execution_count = [], None
    return notebook


def executed(
    notebook, *, fast: bool = False, cell_timeout: float | None = None, say=lambda line: None
):
    """Executes all cells in order, in a new kernel and a new folder.

    Args:
        notebook: as nbformat reads it; it is not changed.
        fast: bool, whether `FAST` is set. Defaults to `False`.
        cell_timeout: float, seconds after which a cell is an error. Defaults to `None`.
        say: called with a line of text when a cell ends.

    Returns:
        the executed copy with `FAST = False`, and with a record in its metadata: digest of the
        code, version, fast, seconds, provenance.

    Raises:
        NotebookError: a cell ended with an error or took too long, or the outputs have problems.
    """
    result = switched(notebook, fast)
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        client = NotebookClient(
            result,
            timeout=cell_timeout,
            kernel_name="python3",
            resources={"metadata": {"path": place(Path(folder))}},
            record_timing=False,
        )
        began = time.perf_counter()
        with client.setup_kernel():
            for index, cell in enumerate(result.cells):
                before = time.perf_counter()
                _execute(client, cell, index)
                if cell.cell_type == "code":
                    cell.outputs = without_logs(cell.outputs)
                    say(f"{time.perf_counter() - before:7.1f} s  {_first_line(cell.source)}")
            seconds = time.perf_counter() - began
            result.cells.append(nbformat.v4.new_code_cell(_PROVENANCE))
            _execute(client, result.cells[-1], len(result.cells) - 1)
            probe = result.cells.pop()
        private = [
            folder,
            str(Path(__file__).parents[1]),
            str(Path.home()),
            os.environ.get("TFDS_DATA_DIR", ""),
        ]
    problems = checks.output_problems(result) + checks.leaks(result, private)
    if problems:
        raise NotebookError("; ".join(problems))
    result.metadata[checks.RECORD] = {
        "digest": checks.digest(result),
        "version": checks.version.__version__,
        "fast": fast,
        "seconds": round(seconds, 1),
        "provenance": json.loads(probe.outputs[0].text),
    }
    for cell in result.cells:
        if cell.cell_type == "code":
            cell.source = checks.SWITCH.sub("FAST = False", cell.source)
    return result


def place(folder: Path) -> str:
    """Makes an empty folder and returns its path; there `../results` are the project's results."""
    (folder / "notebooks").mkdir()
    if RESULTS.is_dir():
        (folder / "results").symlink_to(RESULTS, target_is_directory=True)
    return str(folder / "notebooks")


def without_logs(outputs: list) -> list:
    """Removes the lines that libraries log; the rest of standard error stays."""
    kept = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            lines = [
                line for line in output.text.splitlines(keepends=True) if not _LOG.match(line)
            ]
            if not lines:
                continue
            output = nbformat.NotebookNode(output, text="".join(lines))
        if kept and output.output_type == "stream" and output.name == kept[-1].get("name"):
            kept[-1].text += output.text  # a log stood between them
        else:
            kept.append(output)
    return kept


def _execute(client: NotebookClient, cell, index: int):
    try:
        client.execute_cell(cell, index)
    except (CellExecutionError, DeadKernelError, TimeoutError) as error:
        raise NotebookError(
            f"The cell `{_first_line(cell.source)}` failed:\n{error}"
        ) from error


def _first_line(source: str) -> str:
    lines = source.strip().splitlines() or [""]
    return lines[0][:80]
