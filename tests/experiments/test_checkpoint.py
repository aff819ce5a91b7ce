import numpy as np
import pytest

from keras_langevin.experiments.checkpoint import Checkpoint, State


def state(epoch=2):
    arrays = [np.arange(6, dtype="float32").reshape(2, 3), np.array(7, "int32"), np.zeros((0, 4))]
    return State(epoch, {"loss": [1.5] * epoch, "accuracy": [0.1] * epoch}, 3.25, arrays)


def test_a_state_comes_back(tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.checkpoint.npz")
    assert checkpoint.read() is None
    for epoch in (2, 3):
        checkpoint.write(state(epoch))
        found = checkpoint.read()
        assert found[:3] == state(epoch)[:3]
        for array, expected in zip(found.arrays, state().arrays, strict=True):
            np.testing.assert_array_equal(array, expected)
            assert array.dtype == expected.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint.npz"]
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.read() is None


def test_bfloat16_keeps_its_bytes(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    checkpoint = Checkpoint(tmp_path / "run.checkpoint.npz")
    checkpoint.write(State(0, {}, 0.0, [array]))
    (found,) = checkpoint.read().arrays
    np.testing.assert_array_equal(found.view(ml_dtypes.bfloat16), array)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 half a file"])
def test_what_is_no_state_is_named(content, tmp_path):
    path = tmp_path / "run.checkpoint.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.checkpoint\.npz must hold the state.*Remove it to begin that run anew"):
        Checkpoint(path).read()


def test_no_code_is_read_from_a_file(tmp_path):
    """A pickle in the file is refused, not run."""
    path = tmp_path / "run.checkpoint.npz"
    np.savez(path, np.array([object()], dtype=object), head=np.array("{}"))
    with pytest.raises(ValueError, match="Remove it to begin that run anew"):
        Checkpoint(path).read()
