"""The noise: its integers against NumPy, its law, and its independence."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as as_numpy
from scipy import special, stats

from keras_langevin.optimizers import noise
from tests.optimizers.cases import BACKEND

# `reference_bits(7, 3, 2, 4)` as it was when the noise was defined.
GOLDEN = [3396127769, 265782137, 633517026, 1134473877]


def mix(x):
    """One round of the hash in NumPy's own unsigned arithmetic."""
    x = np.asarray(x, "uint32").copy()
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


@np.errstate(over="ignore")
def reference_bits(seed, update, variable_index, count):
    words = [seed % 2**32, seed // 2**32, update % 2**32, variable_index]
    keys = []
    for key in (0x9E3779B9, 0xBB67AE85):
        for word in words:
            key = mix([int(key) ^ word])[0]
        keys.append(key)
    element = np.arange(count, dtype="uint64").astype("uint32")
    return mix(mix(element + keys[0]) ^ keys[1])


def bits(seed, update, variable_index, shape):
    key = noise.stream_key(keras.ops.convert_to_tensor(noise.split_seed(seed)), update, variable_index)
    return as_numpy(noise.random_bits(key, shape)).view("uint32")


def normals(seed, update, variable_index, shape):
    return as_numpy(noise.standard_normal(noise.split_seed(seed), update, variable_index, shape)).astype("float64")


@pytest.mark.parametrize("shape", [(), (0,), (1,), (5,), (3, 4), (2, 0, 3), (2, 3, 4), (1000,)])
@pytest.mark.parametrize(("seed", "update", "index"), [(0, 0, 0), (1, 2, 3), (2**64 - 1, 2**31 - 1, 60)])
def test_bits_equal_the_numpy_reference(shape, seed, update, index):
    expected = reference_bits(seed, update, index, int(np.prod(shape))).reshape(shape)
    np.testing.assert_array_equal(bits(seed, update, index, shape), expected)


def test_bits_are_the_same_on_every_backend():
    """Stored words: whichever backend runs this test, and whichever release, must give these."""
    assert bits(7, 3, 2, (4,)).tolist() == GOLDEN


def test_an_update_number_may_be_of_any_integer_type():
    expected = reference_bits(1, 5, 0, 3)
    for update in (5, keras.ops.convert_to_tensor(5, "int32"), keras.Variable(5, dtype="int64", trainable=False).value):
        np.testing.assert_array_equal(bits(1, update, 0, (3,)), expected)


def compiled(function, jit_compile):
    """As the backend compiles it."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=jit_compile)
    if BACKEND == "jax" and jit_compile:
        import jax

        return jax.jit(function)
    return function


@pytest.mark.parametrize("jit_compile", [False] if BACKEND == "torch" else [False, True])
def test_normals_are_the_inverse_of_the_normal_law(jit_compile):
    """Against float64, for words over the whole range and for the extreme ones."""
    words = np.random.default_rng(0).integers(-(2**31), 2**31, 200_000, "int64").astype("int32")
    ends = [2**31 - 1, -(2**31), 0, -1, 2**31 - 1 - 2**8, -(2**31) + 2**8]
    words = np.concatenate([words, np.array(ends, "int64").astype("int32")])
    uniform = ((words >> 8) + 0.5) / 2**23
    z = as_numpy(compiled(noise.normal_from_bits, jit_compile)(keras.ops.convert_to_tensor(words)))
    np.testing.assert_allclose(z, np.sqrt(2) * special.erfinv(uniform), rtol=1e-5)
    assert np.abs(z).max() == pytest.approx(5.42, abs=0.01)


def test_a_million_normals_are_normal():
    """Kolmogorov-Smirnov and the first four moments; false alarms below 1e-6 each."""
    z = normals(0, 0, 0, (1000, 1000)).ravel()
    assert stats.kstest(z, "norm").pvalue > 1e-6
    errors = [z.mean(), (z**2).mean() - 1, (z**3).mean(), (z**4).mean() - 3]
    deviations = np.sqrt(np.array([1, 2, 15, 96]) / z.size)
    assert (np.abs(errors) < stats.norm.isf(5e-7) * deviations).all()


BASE = (10, 20, 30)
NEIGHBOURS = {
    "update": (10, 21, 30),
    "variable": (10, 20, 31),
    "seed": (11, 20, 30),
    "high seed": (10 + 2**32, 20, 30),
    "update for variable": (10, 30, 20),
}


@pytest.mark.parametrize("other", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_streams_are_uncorrelated(other):
    """The correlation with a neighbour's stream, at lags 0 to 3, within the bound of 1e-6 false alarms each."""
    count = 200_000
    a, b = normals(*BASE, (count,)), normals(*other, (count,))
    for lag in range(4):
        r = np.corrcoef(a[: count - lag], b[lag:])[0, 1]
        assert abs(r) < stats.norm.isf(5e-7) / np.sqrt(count - lag)


def test_neighbouring_elements_are_uncorrelated():
    z = normals(*BASE, (500, 500))
    for a, b in ((z[1:], z[:-1]), (z[:, 1:], z[:, :-1]), (z[1:, 1:], z[:-1, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < stats.norm.isf(5e-7) / np.sqrt(a.size)


def test_an_element_is_independent_from_update_to_update():
    z = np.array([normals(1, update, 0, (2,)) for update in range(500)])
    assert stats.kstest(z[:, 0], "norm").pvalue > 1e-6
    assert abs(np.corrcoef(z[1:, 0], z[:-1, 0])[0, 1]) < stats.norm.isf(5e-7) / np.sqrt(len(z) - 1)


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
def test_a_seed_is_two_words(seed):
    words = noise.split_seed(seed)
    assert words.dtype == "int32" and words.shape == (2,)
    assert noise.join_seed(words) == seed


@pytest.mark.parametrize(
    ("shape", "leading"),
    [
        ((2**32,), 0),
        ((2**16, 2**16), 0),
        ((2, 2**32), 1),
        ((2**16, 2**16 + 1), 1),
        ((3, 2, 2**31), 1),
        ((5, 2**31, 2, 3), 2),
    ],
)
def test_leading_axes_leave_no_more_than_a_word_counts(shape, leading):
    assert noise._leading_axes(shape) == leading


def test_the_index_of_an_element_wraps_as_a_word_does(monkeypatch):
    """The first and last elements of a shape with 2³² elements: each axis is cut to coordinates 0, 1 and its last."""
    shape = (2**16, 2**16)
    monkeypatch.setattr(noise.ops, "arange", lambda size, dtype: np.array([0, 1, size - 1], dtype))
    monkeypatch.setattr(noise.ops, "reshape", lambda line, shape: np.reshape(line, (-1, *shape[1:])))
    index = as_numpy(noise._flat_index(shape)).astype("int64") % 2**32
    coordinates = np.array([0, 1, 2**16 - 1], "int64")
    np.testing.assert_array_equal(index, coordinates[:, None] * 2**16 + coordinates)
    assert index.max() == 2**32 - 1


def test_beyond_a_words_count_rows_differ(monkeypatch):
    """With the limit lowered to 8 elements: rows of a (5, 2, 3) shape are 5 different streams."""
    monkeypatch.setattr(noise, "_leading_axes", lambda shape: next(a for a in range(9) if np.prod(shape[a:]) <= 8))
    rows = bits(0, 0, 0, (5, 2, 3)).reshape(5, 6)
    assert len(np.unique(rows)) == 30
