"""Real data prepared by tensorflow-datasets, in `TFDS_DATA_DIR` or next to the checkout."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("TFDS_DATA_DIR") or Path(__file__).parents[2] / "shared" / "tfds")

needs_mnist = pytest.mark.skipif(
    not (FOLDER / "mnist").is_dir(), reason=f"MNIST, prepared by tensorflow-datasets, is not in {FOLDER}"
)
needs_cifar10 = pytest.mark.skipif(
    not (FOLDER / "cifar10").is_dir(), reason=f"CIFAR-10, prepared by tensorflow-datasets, is not in {FOLDER}"
)
