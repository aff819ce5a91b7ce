"""The scripts in benchmarks/ import one another by their file names, as when one is started there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
