import random
import subprocess
import sys

import numpy as np
import pytest

from keras_langevin import datasets
from tests.datasets.tiny import features, prepare


@pytest.fixture(scope="module", params=["png", "jpeg"])
def exported(request, tmp_path_factory):
    """A dataset prepared in either encoding, and the file that it was exported to."""
    folder = tmp_path_factory.mktemp(request.param)
    prepare("colours", folder, features(encoding_format=request.param))
    written = datasets.export("colours", folder / "colours.npz", data_dir=folder)
    return folder, written.file


def test_the_file_holds_the_same_examples(exported):
    """Equal bit for bit, also from JPEG, with the same splits."""
    folder, file = exported
    prepared = datasets.load("colours", data_dir=folder, seed=3, limit=40)
    from_file = datasets.load("colours", data_file=file, seed=3, limit=40)
    assert repr(from_file) == repr(prepared)
    assert from_file.source == file.name
    for name in ("train", "validation", "test"):
        for one, other in zip(getattr(prepared, name), getattr(from_file, name), strict=True):
            np.testing.assert_array_equal(one, other)


def test_it_is_read_without_tensorflow(exported):
    _, file = exported
    code = f"""
import sys
for name in ("tensorflow", "tensorflow_datasets", "keras", "sklearn"):
    sys.modules[name] = None
import keras_langevin_command
from keras_langevin import datasets
print(datasets.load("colours", data_file={str(file)!r}))
try:
    datasets.load("mnist")
except datasets.DatasetNotFoundError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    data, error = result.stdout.splitlines()
    assert data.startswith("Data(colours: 45 train, 5 validation, 50 test; 8×8×3 float32; 10 classes")
    assert "`keras-langevin data export mnist --out FILE`" in error and "--data-file" in error


def test_a_damaged_file_is_named(exported, tmp_path):
    """Damage to any byte of images, headers or the archive's tables is detected."""
    content = exported[1].read_bytes()
    path = tmp_path / "colours.npz"
    undamaged = datasets.load("colours", data_file=exported[1])
    for position in random.Random(0).sample(range(len(content)), 100):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            data = datasets.load("colours", data_file=path)
        except datasets.CorruptDatasetError as error:
            assert str(path) in str(error) and "keras-langevin data export colours" in str(error)
        else:  # a byte that does not matter, such as a timestamp
            np.testing.assert_array_equal(data.train.x, undamaged.train.x)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04"])
def test_a_file_of_another_kind_is_named(content, tmp_path):
    path = tmp_path / "colours.npz"
    path.write_bytes(content)
    with pytest.raises(datasets.CorruptDatasetError, match="must be a whole data file"):
        datasets.load("colours", data_file=path)


def test_a_truncated_file_is_named(exported, tmp_path):
    path = tmp_path / "colours.npz"
    content = exported[1].read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(datasets.CorruptDatasetError, match="must be a whole data file"):
            datasets.load("colours", data_file=path)


def test_a_file_of_another_version_and_a_pickle_are_refused(exported, tmp_path):
    with np.load(exported[1], allow_pickle=False) as opened:
        arrays = dict(opened.items())
    path = tmp_path / "colours.npz"
    for name, changed, message in (
        ("format", np.array(99), "format 99"),
        ("name", np.array({}, dtype=object), "allow_pickle"),
    ):
        np.savez(path, **(arrays | {name: changed}))
        with pytest.raises(datasets.CorruptDatasetError, match=message):
            datasets.load("colours", data_file=path)


def test_a_file_that_is_not_there_or_of_another_set_is_an_error(exported, tmp_path):
    with pytest.raises(datasets.DatasetNotFoundError, match="The data file does not exist"):
        datasets.load("colours", data_file=tmp_path / "colours.npz")
    with pytest.raises(ValueError, match=r"must hold the dataset 'mnist'\. Received: 'colours'"):
        datasets.load("mnist", data_file=exported[1])


def test_what_cannot_be_written_is_an_error_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match=f"Make {tmp_path / 'no'} first"):
        datasets.export("nothing", tmp_path / "no" / "file.npz")
    with pytest.raises(ValueError, match="Received a folder"):
        datasets.export("nothing", tmp_path)
    with pytest.raises(ValueError, match="embedded in scikit-learn"):
        datasets.export("digits", tmp_path / "digits.npz")


def test_what_cannot_be_exported_leaves_an_older_file_alone(exported, tmp_path):
    path = tmp_path / "colours.npz"
    path.write_bytes(b"older")
    with pytest.raises(ValueError, match="Unknown dataset"):
        datasets.export("no such set", path, data_dir=exported[0])
    assert path.read_bytes() == b"older" and list(tmp_path.iterdir()) == [path]


IMAGES = np.zeros((50, 8, 8, 3), "uint8")
WRONG = {
    **{f"without {name}": {name: None} for name in ("name", "note", "class_names", "train_x", "train_y", "format")},
    "seven channels": {"train_x": np.zeros((50, 8, 8, 7), "uint8"), "test_x": np.zeros((50, 8, 8, 7), "uint8")},
    "no height": {"train_x": np.zeros((50, 0, 8, 3), "uint8"), "test_x": np.zeros((50, 0, 8, 3), "uint8")},
    "images without channels": {"train_x": IMAGES[..., 0]},
    "images of two sizes": {"test_x": IMAGES[:, :4]},
    "images that are floats": {"train_x": IMAGES.astype(float)},
    "images of more bits": {"train_x": IMAGES.astype("uint16")},
    "no examples": {"test_x": IMAGES[:0], "test_y": np.zeros(0, int)},
    "too few labels": {"train_y": np.zeros(3, int)},
    "labels beyond the classes": {"train_y": np.full(50, 10)},
    "negative labels": {"train_y": np.full(50, -1)},
    "labels that are floats": {"train_y": np.zeros(50)},
    "format as text": {"format": np.array("one")},
    "one class name": {"class_names": np.array("red")},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_wrong_content_is_named(changes, exported, tmp_path):
    with np.load(exported[1], allow_pickle=False) as file:
        arrays = {name: array for name, array in {**file, **changes}.items() if array is not None}
    path = tmp_path / "colours.npz"
    np.savez(path, **arrays)
    with pytest.raises(datasets.CorruptDatasetError, match=r"colours\.npz must be a whole data file"):
        datasets.load("colours", data_file=path)


def test_other_data_have_another_sha256(exported, tmp_path):
    folder, file = exported
    data = datasets.load("colours", data_file=file)
    assert data.sha256 == datasets.load("colours", data_dir=folder).sha256
    assert data.sha256 != datasets.load("colours", data_file=file, limit=40).sha256
    with np.load(file, allow_pickle=False) as opened:
        arrays = dict(opened.items())
    path = tmp_path / "colours.npz"
    np.savez(path, **arrays | {"test_y": arrays["test_y"][::-1]})
    assert datasets.load("colours", data_file=path).sha256 != data.sha256
