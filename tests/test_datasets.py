import numpy as np
import pytest

from keras_langevin import datasets
from tests.real_data import FOLDER, needs_mnist


@pytest.fixture(scope="module")
def digits():
    return datasets.load("digits")


def test_digits_are_split_in_three(digits):
    assert [len(split.x) for split in (digits.train, digits.validation, digits.test)] == [1293, 144, 360]
    assert digits.input_shape == (8, 8, 1)
    assert digits.num_classes == 10
    for split in (digits.train, digits.validation, digits.test):
        assert split.x.dtype == "float32" and split.y.dtype == "int32"
        assert split.x.min() == 0 and split.x.max() == 1


def test_splits_do_not_overlap(digits):
    """Digits holds no image twice, so the three splits have 1,797 different ones."""
    images = np.concatenate([split.x.reshape(-1, 64) for split in (digits.train, digits.validation, digits.test)])
    assert len(np.unique(images, axis=0)) == 1797


def test_validation_is_drawn_by_class_and_seed(digits):
    counts = np.bincount(digits.validation.y)
    assert counts.min() >= 13 and counts.max() <= 16
    other = datasets.load("digits", seed=1)
    assert not np.array_equal(other.validation.x, digits.validation.x)
    np.testing.assert_array_equal(other.test.x, digits.test.x)


def test_validation_fraction(digits):
    assert len(datasets.load("digits", validation_fraction=0.5).validation.x) == 719
    with pytest.raises(ValueError, match=r"Received: 1\.5"):
        datasets.load("digits", validation_fraction=1.5)


def test_an_unknown_name_has_a_suggestion():
    with pytest.raises(ValueError, match="Did you mean 'mnist'"):
        datasets.load("minst")


def test_what_cannot_be_had_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.socket, "getaddrinfo", _no_network)
    monkeypatch.setattr(datasets, "getproxies", dict)
    with pytest.raises(datasets.DatasetNotFoundError, match="TFDS_DATA_DIR") as error:
        datasets.load("cifar100", data_dir=str(tmp_path))
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def _no_network(*arguments):
    raise OSError("Name or service not known")


@needs_mnist
@pytest.mark.parametrize("by_environment", [False, True])
def test_mnist_is_found(by_environment, monkeypatch):
    """All 70,000 images, by the argument and by the environment variable."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(FOLDER) if by_environment else "/nowhere")
    data = datasets.load("mnist", data_dir=None if by_environment else str(FOLDER))
    assert data.train.x.shape == (54_000, 28, 28, 1)
    assert data.validation.x.shape == (6_000, 28, 28, 1)
    assert data.test.x.shape == (10_000, 28, 28, 1)
    assert data.test.x.max() == 1
    assert np.bincount(data.test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
