"""Files that a kill can leave behind, made on purpose. With the recipes of `docs/interruptions.md`, as printed there, a
fit resumes from them and ends with the weights of an uninterrupted fit. Also what happens without the recipes."""

import json
import shutil

import keras
import pytest

from tests.reliability.restarts import (
    BATCHES,
    FEW,
    assert_equal_states,
    fit,
    make_model,
    recipes,
    state,
    stop,
    with_double_backup,
)


@pytest.fixture(scope="module")
def whole():
    """The state at the end of an uninterrupted fit."""
    model = make_model()
    fit(model, [], epochs=FEW)
    return state(model)


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """The folder of a fit that was stopped after two epochs."""
    folder = tmp_path_factory.mktemp("left") / "backup"
    stop(make_model(), [keras.callbacks.BackupAndRestore(str(folder), double_checkpoint=True)], 2)
    return folder


LATEST, METADATA = "latest.weights.h5", "training_metadata.json"


def tear(path, share=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def overwrite_headers(path):
    """Leaves the file as before a process's last writes: only the first kilobytes are complete."""
    content = path.read_bytes()
    path.write_bytes(content[:6144] + bytes(len(content) - 6144))


def remove_copies(folder):
    for path in folder.glob("*.bkp"):
        path.unlink()


def tear_all(folder):
    for path in folder.iterdir():
        tear(path)


# What a kill can leave -> the epoch that `repair` finds.
DAMAGES = {
    "nothing": (lambda folder: None, 2),
    "no copy": (remove_copies, 2),
    "empty weights": (lambda folder: tear(folder / LATEST, 0), 1),
    "half of the weights": (lambda folder: tear(folder / LATEST), 1),
    "weights without headers": (lambda folder: overwrite_headers(folder / LATEST), 1),
    "half of the copy": (lambda folder: tear(folder / f"{LATEST}.bkp"), 2),
    "empty metadata": (lambda folder: tear(folder / METADATA, 0), 2),
    "metadata of the epoch before": (lambda folder: shutil.copy(folder / f"{METADATA}.bkp", folder / METADATA), 2),
    "no metadata": (lambda folder: (folder / METADATA).unlink(), 2),
    "metadata alone": (lambda folder: [remove_copies(folder), (folder / LATEST).unlink()], 0),
    "all torn": (tear_all, 0),
    "no folder": (shutil.rmtree, 0),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_mend_finds_the_last_whole_state(damage, left, tmp_path):
    folder = shutil.copytree(left, tmp_path / "backup")
    (harm, epoch) = DAMAGES[damage]
    harm(folder)
    for _ in range(2):  # twice, because a kill may have interrupted the repair
        recipes()["repair"](folder, BATCHES)
        found = json.loads((folder / METADATA).read_text())["epoch"] if folder.exists() else 0
        assert found == epoch
        seen = recipes()["batches_seen"](folder / LATEST)
        assert seen == (epoch * BATCHES or None)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_mended_fit_ends_with_equal_weights(damage, left, whole, tmp_path):
    folder = shutil.copytree(left, tmp_path / "backup")
    DAMAGES[damage][0](folder)
    model, _, backup = with_double_backup(tmp_path)
    fit(model, [backup], epochs=FEW)
    assert_equal_states(state(model), whole)


def test_a_torn_file_of_weights_is_never_taken_for_a_whole_one(left, tmp_path):
    content = (left / LATEST).read_bytes()
    path = tmp_path / "torn.weights.h5"
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        assert recipes()["batches_seen"](path) is None


def restart_plainly(folder, **options):
    model = make_model()
    fit(model, [keras.callbacks.BackupAndRestore(str(folder), **options)], epochs=FEW)
    return state(model)


# Without `repair`: damage -> whether two states are kept, and the error of the restart.
ERRORS = {
    "half of the weights": (False, OSError),
    "weights without headers": (True, RuntimeError),
    "empty metadata": (True, json.JSONDecodeError),
}


@pytest.mark.parametrize("damage", ERRORS)
def test_without_mend_a_restart_fails(damage, left, tmp_path):
    folder = shutil.copytree(left, tmp_path / "backup")
    DAMAGES[damage][0](folder)
    double, error = ERRORS[damage]
    if not double:
        remove_copies(folder)
    with pytest.raises(error):
        restart_plainly(folder, double_checkpoint=double)


def updates(arrays):
    return int(arrays[len(make_model().variables)])


def test_without_mend_a_kill_between_the_two_files_trains_an_epoch_twice(left, tmp_path):
    folder = shutil.copytree(left, tmp_path / "backup")
    DAMAGES["metadata of the epoch before"][0](folder)
    assert updates(restart_plainly(folder)) == (FEW + 1) * BATCHES


def test_without_mend_a_number_without_weights_leaves_epochs_out(left, tmp_path):
    folder = shutil.copytree(left, tmp_path / "backup")
    DAMAGES["metadata alone"][0](folder)
    assert updates(restart_plainly(folder)) == (FEW - 2) * BATCHES


def test_newest_leaves_out_what_is_torn(tmp_path):
    newest = recipes()["newest"]
    assert newest(tmp_path) == (None, 0)
    model = make_model()
    model.optimizer.build(model.trainable_variables)
    for number in (1, 2):
        model.save(tmp_path / f"{number:04d}.keras")
        model.save_weights(tmp_path / f"{number:04d}.weights.h5")
    for ending in (".weights.h5", ".keras"):
        assert newest(tmp_path) == (tmp_path / f"0002{ending}", 2)
        tear(tmp_path / f"0002{ending}")
        content = (tmp_path / f"0001{ending}").read_bytes()
        assert newest(tmp_path)[1] == 2 - (ending == ".keras")
        tear(tmp_path / f"0001{ending}", 1 - 1 / len(content))
    assert newest(tmp_path) == (None, 0)
