"""The candidate generators: the one in use is the library's, and the published ones return their published words."""

import numpy as np
import pytest

from keras_langevin.optimizers.noise import law
from tests.optimizers.test_noise import reference_bits

jax = pytest.importorskip("jax")


@pytest.fixture
def generators():
    """The module, with JAX's 64-bit integers on."""
    import generators

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield generators
    jax.config.update("jax_enable_x64", before)


def test_the_one_in_use_is_the_librarys(generators):
    seed = 2**40 + 3
    words = generators.GENERATORS["in use"](
        tuple(law.split_seed(seed).view("uint32")), np.uint32(5), np.uint32(1), np.arange(100, dtype="uint32")
    )
    np.testing.assert_array_equal(words, reference_bits(seed, 5, 1, range(100)))


@pytest.mark.parametrize(
    ("name", "expected"),
    # first word for an all-zero key and counter, from the known-answer tests of Random123
    [("threefry-13", 0x9D1C5EC6), ("threefry-20", 0x6B200159), ("philox-7", 0x257A3673), ("philox-10", 0xFF1DAE59)],
)
def test_published_generators_give_their_published_words(name, expected, generators, monkeypatch):
    monkeypatch.setattr(law, "key", lambda *_: (np.uint32(0), np.uint32(0)))
    (word,) = generators.GENERATORS[name](None, None, None, np.zeros(1, "uint32"))
    assert int(word) == expected
    assert word.dtype == "uint32"


def test_squares_is_its_definition(generators, monkeypatch):
    """Compares the words with those of Python's integers."""
    monkeypatch.setattr(law, "key", lambda *_: (np.uint32(0x548C9DEC), np.uint32(0xBCE65DF4)))
    key = (0x548C9DEC << 32) | 0xBCE65DF4 | 1
    words = generators.GENERATORS["squares"](None, None, None, np.arange(50, dtype="uint32"))
    for counter, word in enumerate(np.asarray(words).tolist()):
        x = y = counter * key % 2**64
        z = (y + key) % 2**64
        for add in (y, z, y):
            x = (x * x + add) % 2**64
            x = (x >> 32) | (x << 32) % 2**64
        assert word == (x * x + z) % 2**64 >> 32
