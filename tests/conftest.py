"""What makes all tests quicker, and changes nothing that they look at."""

import gc
import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker on each core: more threads than cores only wait for one another.
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")

import keras  # noqa: F401

# A full collection looks at all that was imported, up to a second each time, and nothing of that is garbage.
gc.collect()
gc.freeze()
