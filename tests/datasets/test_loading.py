import subprocess
import sys

import numpy as np
import pytest

from keras_langevin import datasets
from tests.real_data import FOLDER, needs_cifar10, needs_mnist


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def splits(data):
    return data.train, data.validation, data.test


def test_digits_are_split_in_three(digits):
    assert [len(split.x) for split in splits(digits)] == [1293, 144, 360]
    assert digits.input_shape == (8, 8, 1)
    assert digits.num_classes == 10
    for split in splits(digits):
        assert split.x.dtype == "float32" and split.y.dtype == "int32"
        assert split.x.min() == 0 and split.x.max() == 1


def test_splits_do_not_overlap(digits):
    """Digits has no duplicate images, so the three splits have 1,797 different ones."""
    images = np.concatenate([split.x.reshape(-1, 64) for split in splits(digits)])
    assert len(np.unique(images, axis=0)) == 1797


def test_validation_is_drawn_by_class_and_seed(digits):
    counts = np.bincount(digits.validation.y)
    assert counts.min() >= 13 and counts.max() <= 16
    other = datasets.load("digits", seed=1)
    assert not np.array_equal(other.validation.x, digits.validation.x)
    np.testing.assert_array_equal(other.test.x, digits.test.x)


def test_pixels_are_scaled_on_demand(digits):
    stored = datasets.load("digits", dtype="uint8")
    assert stored.train.x.dtype == "uint8" and stored.train.x.max() == stored.max_pixel == 16
    assert digits.max_pixel == 1
    for split, raw in zip(splits(digits), splits(stored), strict=True):
        np.testing.assert_array_equal(split.x, raw.x / np.float32(16))
        np.testing.assert_array_equal(split.y, raw.y)


def test_a_limit_is_drawn_by_class_and_leaves_the_test_split(digits):
    few = datasets.load("digits", limit=200)
    assert [len(split.x) for split in splits(few)] == [180, 20, 360]
    counts = np.bincount(np.concatenate([few.train.y, few.validation.y]))
    assert counts.min() >= 19 and counts.max() <= 21
    np.testing.assert_array_equal(few.test.x, digits.test.x)
    assert not np.array_equal(datasets.load("digits", limit=200, seed=1).train.x, few.train.x)
    assert [len(split.x) for split in splits(datasets.load("digits", limit=2))] == [1, 1, 360]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"validation_fraction": 1.5}, "Received: 1.5"),
        ({"limit": 1}, "Received: limit=1"),
        ({"limit": 2.5}, "Received: limit=2.5"),
        ({"limit": 1438}, "at most 1437"),
        ({"dtype": "float16"}, "Received: 'float16'"),
        ({"data_dir": "a", "data_file": "b"}, "not both"),
    ],
)
def test_what_is_out_of_range_is_an_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        datasets.load("digits", **wrong)


def test_validation_fraction():
    assert len(datasets.load("digits", validation_fraction=0.5).validation.x) == 719


def test_data_say_what_they_are(digits):
    expected = "Data(digits: 1,293 train, 144 validation, 360 test; 8×8×1 float32; 10 classes: 0, 1, 2, ...)"
    assert repr(digits) == expected
    assert digits.label == "digits" and digits.source == "scikit-learn"


def test_importing_datasets_is_light():
    heavy = {"keras", "tensorflow", "tensorflow_datasets", "sklearn", "PIL", "matplotlib"}
    code = (
        f"import sys; import keras_langevin_command; import keras_langevin.datasets; print({heavy} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


@needs_mnist
@pytest.mark.ci
def test_mnist_has_70000_images():
    data = datasets.load("mnist", data_dir=FOLDER, dtype="uint8")
    assert data.train.x.shape == (54_000, 28, 28, 1)
    assert data.validation.x.shape == (6_000, 28, 28, 1)
    assert data.test.x.shape == (10_000, 28, 28, 1)
    assert data.test.x.max() == data.max_pixel == 255
    assert data.label == "mnist"
    assert np.bincount(data.test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.slow
@needs_cifar10
def test_cifar10_and_its_file_hold_the_same_pixels(tmp_path):
    """All 60,000 images, read with and without TensorFlow; the file is small enough to share."""
    data = datasets.load("cifar10", data_dir=FOLDER, dtype="uint8")
    assert [split.x.shape for split in splits(data)] == [(n, 32, 32, 3) for n in (45_000, 5_000, 10_000)]
    assert set(np.bincount(data.train.y)) == {4500} and set(np.bincount(data.validation.y)) == {500}
    assert data.class_names[:3] == ("airplane", "automobile", "bird")
    written = datasets.export("cifar10", tmp_path / "cifar10.npz", data_dir=FOLDER)
    assert (written.label, written.num_images) == (data.label, 60_000)
    assert written.num_bytes == written.file.stat().st_size < 60e6
    from_file = datasets.load("cifar10", data_file=written.file, dtype="uint8")
    assert from_file.label == data.label
    for split, other in zip(splits(data), splits(from_file), strict=True):
        np.testing.assert_array_equal(split.x, other.x)
        np.testing.assert_array_equal(split.y, other.y)
