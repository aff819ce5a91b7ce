import pytest

from keras_langevin import datasets
from keras_langevin.datasets import prepared
from tests.datasets.tiny import CIFAR100, ClassLabel, Image, Text, features, prepare


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    prepare("cifar100", folder, CIFAR100, version="3.0.2", examples=400)
    prepare("of_my_own", folder, {"picture": Image(shape=(8, 8, 1)), "kind": ClassLabel(names=["cat", "dog"])})
    return folder


@pytest.fixture
def damaged(tmp_path):
    """A dataset of which a test may damage a file."""
    return prepare("of_my_own", tmp_path, features())


def test_cifar100_has_100_fine_labels(folder):
    """The official builder reads a small dataset in the official form; `coarse_label` and `id` are ignored."""
    data = datasets.load("cifar100", data_dir=folder, validation_fraction=0.25)
    assert data.input_shape == (32, 32, 3) and data.num_classes == len(data.class_names) == 100
    assert [len(split.x) for split in (data.train, data.validation, data.test)] == [300, 100, 400]
    assert sorted(data.validation.y) == list(range(100))
    assert data.train.x.dtype == "float32" and 0.5 < data.train.x.max() <= 1
    assert data.source == "cifar100/3.0.2"


@pytest.mark.parametrize("by_environment", [False, True])
def test_a_set_of_ones_own_is_found_by_its_name(by_environment, folder, monkeypatch):
    """Found through the argument, which has priority, and through the environment variable."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder) if by_environment else "/nowhere")
    data = datasets.load("of_my_own", data_dir=None if by_environment else folder, dtype="uint8")
    assert repr(data) == "Data(of_my_own: 45 train, 5 validation, 50 test; 8×8×1 uint8; 2 classes: cat, dog)"


def test_jpeg_in_place_of_png_is_said(tmp_path):
    jpeg = {"id": Text()} | features((32, 32, 3), encoding_format="jpeg")
    prepare("cifar10", tmp_path / "jpeg", jpeg, version="3.0.2")
    prepare("cifar10", tmp_path / "png", {"id": Text()} | features((32, 32, 3)), version="3.0.2")
    copy, original = (datasets.load("cifar10", data_dir=tmp_path / name, dtype="uint8") for name in ("jpeg", "png"))
    assert (copy.label, original.label) == ("cifar10 (JPEG copy)", "cifar10")
    assert (copy.train.x != original.train.x).any()
    assert repr(copy).startswith("Data(cifar10 (JPEG copy): 45 train")


def test_jpeg_of_ones_own_is_no_copy(tmp_path):
    prepare("of_my_own", tmp_path, features(encoding_format="jpeg"))
    assert datasets.load("of_my_own", data_dir=tmp_path).note == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("minst", "Did you mean 'mnist'"),
        ("kmnst", "Did you mean 'kmnist'"),
        ("no such set", "There are: digits, mnist"),
        ("../cifar100", "Did you mean 'cifar100'"),
        ("cifar100/nothing", "cannot open 'cifar100/nothing'"),
    ],
)
def test_an_unknown_name_has_a_suggestion(name, message, folder):
    with pytest.raises(ValueError) as error:
        datasets.load(name, data_dir=folder)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("features", "splits", "message"),
    [
        (features(), ("train", "validation"), "with train, validation"),
        (
            features((None, None, 3)),
            ("train", "test"),
            r"images of one size.*Received: .* with image: Image\(shape=\(None, None, 3\)",
        ),
        ({"image": Image(shape=(8, 8, 3)), "text": Text()}, ("train", "test"), "with image: .*, text: "),
        (features(num_classes=1), ("train", "test"), "num_classes=1"),
    ],
)
def test_what_is_no_image_classification_is_an_error(features, splits, message, tmp_path):
    prepare("of_my_own", tmp_path, features, splits=splits, examples=4)
    with pytest.raises(ValueError, match=message) as error:
        datasets.load("of_my_own", data_dir=tmp_path)
    assert "'of_my_own'" in str(error.value) and "Choose" in str(error.value)


def test_a_set_without_labels_is_an_error_before_it_is_downloaded(tmp_path):
    with pytest.raises(ValueError, match=r"with .*text: Text\(.*title: Text\("):
        datasets.load("wikipedia/20230601.ab", data_dir=tmp_path)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_between_records(path):
    """Removes the last record: 8 bytes of length, 4 of checksum, the content, 4 of checksum."""
    content, start = path.read_bytes(), 0
    while start < len(content):
        last, start = start, start + 16 + int.from_bytes(content[start : start + 8], "little")
    path.write_bytes(content[:last])


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "damaged|truncated"),
        (cut_between_records, "is truncated: it holds 49 of 50 examples"),
        (flip_a_byte, "is damaged"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_damaged_record_file_is_named(damage, message, split, damaged):
    path = damaged / f"of_my_own-{split}.tfrecord-00000-of-00001"
    damage(path)
    with pytest.raises(datasets.CorruptDatasetError, match=message) as error:
        datasets.load("of_my_own", data_dir=damaged.parents[1])
    assert str(path) in str(error.value) and "Copy it again" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
def test_damaged_metadata_are_an_error(name, damaged):
    truncate(damaged / name)
    with pytest.raises(datasets.CorruptDatasetError, match="again") as error:
        datasets.load("of_my_own", data_dir=damaged.parents[1])
    assert str(damaged.parents[1]) in str(error.value) and "\n" not in str(error.value)


def test_what_cannot_be_had_says_what_to_set(tmp_path, monkeypatch):
    def no_network(*arguments):
        raise OSError("Name or service not known")

    monkeypatch.setattr(prepared.socket, "getaddrinfo", no_network)
    monkeypatch.setattr(prepared, "getproxies", dict)
    with pytest.raises(datasets.DatasetNotFoundError, match="TFDS_DATA_DIR") as error:
        datasets.load("cifar100", data_dir=tmp_path)
    assert f"not prepared in {tmp_path}" in str(error.value) and "`cifar100/3.0.2`" in str(error.value)
    assert "\n" not in str(error.value)
