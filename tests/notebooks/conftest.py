"""Lets the scripts in notebooks/ import one another by file name, as with `python notebooks/run.py`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))
