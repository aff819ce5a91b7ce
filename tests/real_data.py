"""Real data that may lie beside the checkout, prepared by tensorflow-datasets."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "tfds"

needs_mnist = pytest.mark.skipif(
    not (FOLDER / "mnist").is_dir(), reason="MNIST, prepared by tensorflow-datasets, is not in ../shared/tfds"
)
needs_cifar10 = pytest.mark.skipif(
    not (FOLDER / "cifar10").is_dir(), reason="CIFAR-10, prepared by tensorflow-datasets, is not in ../shared/tfds"
)
