"""Counter-based generators considered for the noise: 32 bits from (seed, update, block, element).

Each is a function `words(seed, update, block, element)` of uint32 arrays (seed: a pair), on JAX with 64-bit integers.

    in use          three multiplications over element + key, the second key word after the first multiplication
    two multiplies  lowbias32 over element + key, the second key word between its two multiplications
    four multiplies lowbias32 twice, with a key word before each
    threefry-13/20  Threefry-2x32 (Salmon et al., SC 2011) with 13 and 20 rounds; JAX uses 20
    philox-7/10     Philox-2x32 (ibid.) with 7 and 10 rounds
    squares         Squares32 (Widynski, arXiv:2004.06278), four rounds of 64-bit squaring

All take their keys from the library's, a hash of (seed, update, block).
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from keras_langevin.optimizers.noise import law
from keras_langevin.optimizers.noise.on_jax import _ops

# The library's, except that `multiply` turns NumPy scalars into arrays: scalars warn on overflow.
OPS = SimpleNamespace(**{**vars(_ops), "multiply": lambda a, factor: jnp.asarray(a) * np.uint32(factor)})


def in_use(seed, update, block, element):
    return law.bits(element, *law.key(seed, update, block, OPS), OPS)


def two_multiplies(seed, update, block, element):
    first, second = law.key(seed, update, block, OPS)
    x = element + first
    x = OPS.multiply(x ^ (x >> np.uint32(16)), law.FIRST)
    x = x ^ (x >> np.uint32(15)) ^ second
    x = OPS.multiply(x, law.SECOND)
    return x ^ (x >> np.uint32(16))


def four_multiplies(seed, update, block, element):
    first, second = law.key(seed, update, block, OPS)
    return law.mix(law.mix(element + first, OPS) ^ second, OPS)


def threefry(rounds):
    rotations = (13, 15, 26, 6, 17, 29, 16, 24)

    def words(seed, update, block, element):
        key = law.key(seed, update, block, OPS)
        keys = (*key, key[0] ^ key[1] ^ np.uint32(0x1BD11BDA))
        x, y = element + keys[0], jnp.zeros_like(element) + keys[1]
        for index in range(rounds):
            rotation = rotations[index % 8]
            x = x + y
            y = ((y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))) ^ x
            if index % 4 == 3:
                turn = index // 4 + 1
                x, y = x + keys[turn % 3], y + keys[(turn + 1) % 3] + np.uint32(turn)
        return x

    return words


def philox(rounds):
    def words(seed, update, block, element):
        key, second = law.key(seed, update, block, OPS)
        x, y = element, jnp.zeros_like(element) + second
        for _ in range(rounds):
            product = x.astype(jnp.uint64) * np.uint64(0xD256D193)
            x, y = (product >> np.uint64(32)).astype(jnp.uint32) ^ key ^ y, product.astype(jnp.uint32)
            key = jnp.asarray(key) + np.uint32(0x9E3779B9)
        return x

    return words


def squares(seed, update, block, element):
    first, second = law.key(seed, update, block, OPS)
    # the paper asks for an odd key with irregular digits: a hash
    key = (jnp.asarray(first).astype(jnp.uint64) << np.uint64(32)) | second | np.uint64(1)
    x = y = element.astype(jnp.uint64) * key
    z = y + key
    for add in (y, z, y):
        x = x * x + add
        x = (x >> np.uint64(32)) | (x << np.uint64(32))
    return ((x * x + z) >> np.uint64(32)).astype(jnp.uint32)


GENERATORS = {
    "in use": in_use,
    "two multiplies": two_multiplies,
    "four multiplies": four_multiplies,
    "threefry-13": threefry(13),
    "threefry-20": threefry(20),
    "philox-7": philox(7),
    "philox-10": philox(10),
    "squares": squares,
}
