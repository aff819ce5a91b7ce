"""What the noise costs in a step, at the start and in memory, compared with the same Keras optimizer without noise.

    python benchmarks/step_overhead.py --backend jax --out step_overhead-jax.json

The same as `keras-langevin bench`; see its `--help`.
"""

import os
import sys

# a new process, so that the command can choose the backend before anything imports Keras
os.execv(sys.executable, [sys.executable, "-m", "keras_langevin", "bench", *sys.argv[1:]])
