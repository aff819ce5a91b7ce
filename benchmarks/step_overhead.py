"""What the noise costs a step, a start and in memory, beside the same Keras optimizer without noise.

    python benchmarks/step_overhead.py --backend jax --out benchmarks/results/step_overhead-jax.json

The same as `keras-langevin bench`; see its `--help`.
"""

import sys

from keras_langevin.cli import main

sys.exit(main(["bench", *sys.argv[1:]]))
