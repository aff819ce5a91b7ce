"""What the noise costs a step, a start and in memory, beside the same Keras optimizer without noise.

    python benchmarks/step_overhead.py --backend jax --out step_overhead-jax.json

The same as `keras-langevin bench`; see its `--help`.
"""

import os
import sys

# a process of its own, in which the command chooses the backend before anything imports Keras
os.execv(sys.executable, [sys.executable, "-m", "keras_langevin", "bench", *sys.argv[1:]])
