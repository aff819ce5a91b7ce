import subprocess
import sys

from keras_langevin.datasets.loading import Entry, listing
from tests.datasets.tiny import CIFAR100, Text, features, prepare


def test_prepared_sets_are_listed_with_their_sizes(tmp_path):
    prepare("cifar100", tmp_path, CIFAR100, version="3.0.2", examples=100)
    prepare("cifar10", tmp_path, {"id": Text()} | features((32, 32, 3), encoding_format="jpeg"), version="3.0.2")
    prepare("of_my_own", tmp_path, features())
    prepare("no_test_split", tmp_path, features(), splits=("train",))
    for name in ("broken", "mnist"):
        (tmp_path / name / "1.0.0").mkdir(parents=True)
        (tmp_path / name / "1.0.0" / "dataset_info.json").write_text("{")
    assert listing(tmp_path) == [
        Entry("digits", (8, 8, 1), 10, 1437, 360, "embedded"),
        Entry("mnist"),
        Entry("fashion_mnist"),
        Entry("cifar10 (JPEG copy)", (32, 32, 3), 10, 50, 50, "cifar10/3.0.2"),
        Entry("cifar100", (32, 32, 3), 100, 100, 100, "cifar100/3.0.2"),
        Entry("of_my_own", (8, 8, 3), 10, 50, 50, "of_my_own/1.0.0"),
    ]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert [entry.where for entry in listing(tmp_path / "nowhere")] == ["embedded", "", "", "", ""]


def test_tensorflow_is_not_loaded(tmp_path):
    code = (
        "import sys; import keras_langevin_command; from keras_langevin.datasets.loading import listing; "
        f"listing({str(tmp_path)!r}); sys.exit('tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
