"""Which datasets there are, told from their metadata: no record is read, and TensorFlow is not loaded."""

import json
from pathlib import Path
from typing import NamedTuple

from keras_langevin.datasets import digits, prepared
from keras_langevin.datasets.data import CorruptDatasetError
from keras_langevin.datasets.features import image_features, read_features


class Entry(NamedTuple):
    """A dataset.

    Attributes:
        label: str, the name and how the data differ from the official release.
        shape: tuple of ints, (height, width, channels); empty where it is not prepared.
        num_classes, num_train, num_test: ints, 0 where it is not prepared.
        where: str, the folder under the data folder, or `"embedded"`; empty where it is not prepared.
    """

    label: str
    shape: tuple[int, ...] = ()
    num_classes: int = 0
    num_train: int = 0
    num_test: int = 0
    where: str = ""


def listing(data_dir: str | Path | None = None) -> list[Entry]:
    """The datasets with a short name, and every other set that is prepared and can be loaded.

    Args:
        data_dir: as in `load`. Defaults to `None`.
    """
    root = prepared.data_folder(data_dir)
    found = {}
    for path in sorted([*root.glob("*/*/dataset_info.json"), *root.glob("*/*/*/dataset_info.json")]):
        folder = path.parent
        name = folder.parent.relative_to(root).as_posix()
        try:
            found.setdefault(name, []).append(_entry(name, folder, root))
        except (ValueError, OSError):  # no image classification, or damaged: `load` says what
            continue
    stored = digits.read()
    embedded = Entry(
        "digits", stored.shape, len(stored.class_names), len(stored.train.y), len(stored.test.y), "embedded"
    )
    named = [entry for name in prepared.NAMES for entry in found.pop(name, [Entry(name)])]
    return [embedded, *named, *(entry for entries in found.values() for entry in entries)]


def _entry(name: str, folder: Path, root: Path) -> Entry:
    kind = image_features(name, read_features(folder))
    splits = json.loads((folder / "dataset_info.json").read_text("utf-8")).get("splits", [])
    counts = {split["name"]: sum(map(int, split.get("shardLengths", []))) for split in splits}
    prepared.check_splits(name, counts)
    note = _note(name, root) if kind.encoding == "jpeg" else ""
    label = f"{name} ({note})" if note else name
    where = folder.relative_to(root).as_posix()
    return Entry(label, kind.shape, kind.num_classes, counts["train"], counts["test"], where)


def _note(name: str, root: Path) -> str:
    try:
        builder = prepared.open_builder(name, root)
        return prepared.note(builder, prepared.described(name, builder))
    except (ImportError, CorruptDatasetError):  # what the set's own builder writes is not known
        return ""
