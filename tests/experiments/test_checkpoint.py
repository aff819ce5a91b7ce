import numpy as np
import pytest

from keras_langevin import archive
from keras_langevin.experiments.records import LOG_NAMES, Checkpoint, State
from tests.damaged import DAMAGES


def state(epoch=2):
    arrays = [np.arange(6, dtype="float32").reshape(2, 3), np.array(7, "int32"), np.zeros((0, 4))]
    return State(epoch, {name: [1.5] * epoch for name in LOG_NAMES}, 3.25, arrays)


def of(path, epochs=3, **owner):
    return Checkpoint(path, {"optimizer": "adam", "seed": 0} | owner, epochs)


def test_a_state_comes_back(tmp_path):
    checkpoint = of(tmp_path / "run.checkpoint.npz")
    assert checkpoint.read() is None
    for epoch in (2, 3):
        checkpoint.write(state(epoch))
        found = checkpoint.read()
        assert found[:3] == state(epoch)[:3]
        for array, expected in zip(found.arrays, state().arrays, strict=True):
            np.testing.assert_array_equal(array, expected)
            assert array.dtype == expected.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint.npz"]


def test_bfloat16_keeps_its_bytes(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    checkpoint = of(tmp_path / "run.checkpoint.npz")
    checkpoint.write(state(1)._replace(arrays=[array]))
    (found,) = checkpoint.read().arrays
    np.testing.assert_array_equal(found.view(ml_dtypes.bfloat16), array)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 half a file"])
def test_what_is_no_state_is_named(content, tmp_path):
    path = tmp_path / "run.checkpoint.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.checkpoint\.npz must hold the state.*Remove it to restart that run"):
        of(path).read()


def test_no_code_is_read_from_a_file(tmp_path):
    """A pickle in the file raises an error and is not run."""
    path = tmp_path / "run.checkpoint.npz"
    np.savez(path, np.array([object()], dtype=object), head=np.array("{}"))
    with pytest.raises(ValueError, match="Remove it to restart that run"):
        of(path).read()


def edited(path, **changes):
    """Changes the header of a genuine state's file."""
    of(path).write(state())
    head, arrays = archive.read(path)
    archive.write(path, head | changes, arrays)
    return of(path)


HISTORY = {name: [1.5, 1.5] for name in LOG_NAMES}


@pytest.mark.parametrize(
    "changes",
    [
        *({"epoch": epoch} for epoch in (True, "2", None, 0, -1, 4, 10**12, 2.0, 1, 3)),
        *({"seconds": seconds} for seconds in (float("nan"), float("inf"), -1.0, None, "3", True)),
        *({"history": history} for history in ({}, [], None, {"loss": [1.5, 1.5]}, HISTORY | {"loss": [1.5]})),
        *({"history": HISTORY | {"loss": values}} for values in ("ab", [None, 1.0], ["1", 1.0], [1, True], {})),
        *({"owner": owner} for owner in ({}, [], None, {"optimizer": "adam"}, {"optimizer": "ladam", "seed": 0})),
    ],
)
def test_a_head_that_cannot_be_is_refused(changes, tmp_path):
    with pytest.raises(ValueError, match=r"run\.checkpoint\.npz must hold the state.*Remove it to restart that run"):
        edited(tmp_path / "run.checkpoint.npz", **changes).read()


def test_the_state_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.checkpoint.npz"
    of(path, data="one").write(state())
    assert of(path, data="one").read().epoch == 2
    for other in ({"seed": 1, "data": "one"}, {"optimizer": "ladam", "data": "one"}, {"data": "two"}):
        with pytest.raises(ValueError, match=r"of another run: another (seed|optimizer|data).*Remove it"):
            of(path, **other).read()


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_archive_that_cannot_be_read_is_refused(damage, tmp_path):
    path = tmp_path / "run.checkpoint.npz"
    of(path).write(state())
    DAMAGES[damage](path)
    with pytest.raises(ValueError, match=r"run\.checkpoint\.npz must hold the state.*Remove it to restart that run"):
        of(path).read()
