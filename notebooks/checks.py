"""Checks of an executed notebook: its outputs are complete, and come from the code in it."""

import base64
import hashlib
import io
import json
import re

import numpy as np
from PIL import Image

from keras_langevin import version

# The key of an execution's record in the notebook's metadata.
RECORD = "keras_langevin"
SWITCH = re.compile(r"^FAST = (?:True|False)\b", re.MULTILINE)


def code_cells(notebook) -> list:
    """Returns the cells with code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def digest(notebook) -> str:
    """Returns a hash of the code, which does not depend on the switch `FAST`."""
    sources = [SWITCH.sub("FAST = False", cell.source) for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def is_empty(png: bytes) -> bool:
    """Whether a picture shows nothing: the middle 60% of its width and height has a single colour,
    like axes into which nothing was drawn."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    height, width = pixels.shape[:2]
    middle = pixels[height // 5 : height - height // 5, width // 5 : width - width // 5]
    return bool((middle == middle[0, 0]).all())


def figures(cell) -> list[bytes]:
    """Returns the pictures in a cell's outputs."""
    outputs = (output.get("data", {}).get("image/png") for output in cell.get("outputs", []))
    return [base64.b64decode(data) for data in outputs if data]


def output_problems(notebook) -> list[str]:
    """Returns what is wrong with outputs: errors, cells that were not executed, empty figures."""
    found = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        found += [
            f"code cell {number} ended with {error.ename}: {error.evalue}" for error in errors
        ]
        if cell.get("execution_count") is None:
            found.append(f"code cell {number} was not executed")
        if any(map(is_empty, figures(cell))):
            found.append(f"code cell {number} has an empty figure")
    if not any(map(figures, code_cells(notebook))):
        found.append("there is no figure")
    return found


def stored_problems(notebook) -> list[str]:
    """Returns what is wrong with stored outputs; they must also be of a full run of this code."""
    record = notebook.metadata.get(RECORD)
    if not record:
        return ["it was not executed by notebooks/run.py"]
    found = []
    if record.get("digest") != digest(notebook):
        found.append("its outputs are from another version of its code")
    if record.get("version") != version.__version__:
        found.append(
            f"its outputs are from keras-langevin {record.get('version')}, this is {version.__version__}"
        )
    if record.get("fast") is not False:
        found.append("its outputs are from a fast run")
    return found + output_problems(notebook)


def leaks(notebook, paths: list[str]) -> list[str]:
    """Returns a problem for each of these paths of the machine that the outputs show."""
    shown = json.dumps([cell.outputs for cell in code_cells(notebook)], ensure_ascii=False)
    return [
        f"its outputs show a path of this machine, {path}"
        for path in paths
        if path and path in shown
    ]
