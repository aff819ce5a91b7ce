"""What must hold of an executed notebook: its outputs are whole, and of the code in it."""

import base64
import hashlib
import io
import json
import re

import numpy as np
from PIL import Image

from keras_langevin import version

# The record of an execution, in the notebook's metadata.
RECORD = "keras_langevin"
SWITCH = re.compile(r"^FAST = (?:True|False)\b", re.MULTILINE)


def code_cells(notebook) -> list:
    """The cells with code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def digest(notebook) -> str:
    """What changes when the code does, whichever way the switch `FAST` stands."""
    sources = [SWITCH.sub("FAST = False", cell.source) for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def is_empty(png: bytes) -> bool:
    """Whether a picture shows nothing: the middle 60% of its width and height has one colour
    alone, as that of axes into which nothing was drawn."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    height, width = pixels.shape[:2]
    middle = pixels[height // 5 : height - height // 5, width // 5 : width - width // 5]
    return bool((middle == middle[0, 0]).all())


def figures(cell) -> list[bytes]:
    """The pictures that a cell has put out."""
    outputs = (output.get("data", {}).get("image/png") for output in cell.get("outputs", []))
    return [base64.b64decode(data) for data in outputs if data]


def output_problems(notebook) -> list[str]:
    """What is wrong with outputs: an error, a cell that was not executed, an empty figure."""
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
    """What is wrong with stored outputs, also that they are not of a full run of this code."""
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
    """Which of these paths of the machine the outputs show."""
    shown = json.dumps([cell.outputs for cell in code_cells(notebook)], ensure_ascii=False)
    return [
        f"its outputs show a path of this machine, {path}"
        for path in paths
        if path and path in shown
    ]
