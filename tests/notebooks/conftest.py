"""The scripts in notebooks/ import one another by their file names, as when `python notebooks/run.py` starts them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "notebooks"))
