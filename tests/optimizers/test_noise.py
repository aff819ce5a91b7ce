"""The noise: the place of each element, its integers against NumPy, its law, and its independence."""

import contextlib
import math

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy as as_numpy
from scipy import special, stats

from keras_langevin import LSGD, LAdam, Langevin
from keras_langevin.optimizers import draws, gate_layers, noise
from keras_langevin.optimizers.noise import Draw, Place, places
from tests.optimizers.cases import BACKEND, CASES, all_of, make_variables

COUNT = 200_000
# `reference_bits(7, 3, 0, [0, 1, 2, 3])` from when the noise was defined.
GOLDEN = [269830437, 363231139, 3903165418, 3609304952]


# --- the slow, obvious version with NumPy's unsigned arithmetic -------------------------------------------------------


def mix(x):
    """One round of `lowbias32`."""
    x = np.asarray(x, "uint32").copy()
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


@np.errstate(over="ignore")
def reference_bits(seed, update, block, elements):
    """Returns the words of `elements`, an array of ints in [0, 2³²), of one block."""
    first, second = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
    for word in (seed % 2**32, seed // 2**32, update % 2**32, block % 2**32):
        first = mix(first ^ np.uint32(word))
        second = mix(second ^ first)
    x = np.asarray(elements, "uint64").astype("uint32") + first
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    return mix(x ^ second)


# --- the library's --------------------------------------------------------------------------------------------------


def bits(seed, update, draw):
    words = noise.random_bits(keras.ops.convert_to_tensor(noise.split_seed(seed)), update, draw)
    return as_numpy(words).view("uint32")


def normals(seed, update, draw):
    return as_numpy(noise.sample(keras.ops.convert_to_tensor(noise.split_seed(seed)), update, draw)).astype("float64")


def one(shape, block=0, offset=0):
    """Returns the draw of one variable."""
    return Draw((Place(block, offset, tuple(shape)),), flat=False)


# --- places -----------------------------------------------------------------------------------------------------------


def test_variables_lie_one_after_another():
    assert noise.places_of([(2, 3), (), (0, 4), (5,)]) == [(0, 0, (2, 3)), (0, 6, ()), (0, 7, (0, 4)), (0, 7, (5,))]


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(2**32,), (1,)], [(0, 0), (1, 0)]),  # a whole block
        ([(1,), (2**32,), (1,)], [(0, 0), (1, 0), (2, 0)]),  # a variable that does not fit starts a block
        ([(2**32 - 1,), (1,), (1,)], [(0, 0), (0, 2**32 - 1), (1, 0)]),
        ([(5,), (3, 2, 2**31), (1,)], [(0, 0), (1, 0), (4, 0)]),  # a block for each of its 3 rows
        ([(2**16, 2**16), (1,)], [(0, 0), (1, 0)]),
        ([(2**16, 2**16 + 1), (1,)], [(0, 0), (2**16, 0)]),
    ],
)
def test_blocks_hold_no_more_than_a_word_counts(shapes, expected):
    assert [(place.block, place.offset) for place in noise.places_of(shapes)] == expected


@pytest.mark.parametrize(
    ("shape", "leading"),
    [((2**32,), 0), ((2**16, 2**16), 0), ((2, 2**32), 1), ((2**16, 2**16 + 1), 1), ((5, 2**31, 2, 3), 2), ((), 0)],
)
def test_leading_axes_leave_no_more_than_a_word_counts(shape, leading):
    assert Place(0, 0, shape).leading_axes == leading


def test_neighbours_make_one_run():
    a, b, c, d = noise.places_of([(2, 3), (4,), (), (5,)])
    assert Draw((a, b, c, d), flat=True).runs == [(0, 0, 16)]
    assert Draw((a, c, d), flat=True).runs == [(0, 0, 6), (0, 10, 6)]
    assert Draw((a, Place(1, 6, (4,))), flat=True).runs == [(0, 0, 6), (1, 6, 4)]


def test_runs_in_whole_rows():
    def rows(*chosen, length):
        draw = Draw(chosen, flat=True)
        found, starts = draw.rows(length)
        return [(block, firsts.tolist()) for block, firsts in found], starts, draw.gaps(length)

    a, b, c, d = noise.places_of([(2, 3), (4,), (0,), (5,)])
    far = Place(1, 2**32 - 3, (3,))
    assert rows(a, b, c, d, length=8) == ([(0, [0, 8])], [0, 6, 10, 10], [0, 0, 0, 0, 1])
    assert rows(a, c, d, length=4) == ([(0, [0, 4, 10, 14])], [0, 8, 8], [0, 2, 0, 3])
    assert rows(a, far, d, length=2) == (
        [(0, [0, 2, 4]), (1, [2**32 - 3, 2**32 - 1]), (0, [10, 12, 14])],
        [0, 6, 10],
        [0, 0, 1, 1],
    )
    assert rows(c, length=4) == ([], [0], [0, 0])


def test_small_variables_are_drawn_together_and_each_large_one_alone(monkeypatch):
    monkeypatch.setattr(draws, "_SMALL", 8)
    variables = [*make_variables((2,), (9,), (3,), (0,), (8,)), keras.Variable(np.zeros(4), dtype="bfloat16")]
    places = noise.places_of([tuple(variable.shape) for variable in variables])
    found = draws.draws_of(variables, range(6), places, "normal")
    assert [indices for indices, _ in found] == [(0, 2, 3, 4, 5), (1,)]
    assert [draw.places for _, draw in found] == [tuple(places[i] for i in (0, 2, 3, 4, 5)), (places[1],)]
    assert [draw.flat for _, draw in found] == [True, False]
    assert draws.draws_of([], (), places, "normal") == []


# --- integers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (0,), (1,), (5,), (3, 4), (2, 0, 3), (2, 3, 4), (1000,)])
@pytest.mark.parametrize(
    ("seed", "update", "block", "offset"),
    [(0, 0, 0, 0), (1, 2, 3, 4), (2**64 - 1, 2**31 - 1, 2**31, 2**31 - 500), (5, 6, 0, 2**32 - 1000)],
)
def test_bits_equal_the_numpy_reference(shape, seed, update, block, offset):
    """Also if an element's number exceeds int32, and at the end of a block."""
    elements = offset + np.arange(math.prod(shape))
    expected = reference_bits(seed, update, block, elements).reshape(shape)
    np.testing.assert_array_equal(bits(seed, update, one(shape, block, offset)), expected)


def test_bits_are_the_same_on_every_backend():
    """Every backend and every release must give these stored words."""
    assert reference_bits(7, 3, 0, range(4)).tolist() == GOLDEN
    assert bits(7, 3, one((4,))).tolist() == GOLDEN


@pytest.mark.slow
def test_all_updates_and_blocks_of_a_seed_have_different_keys():
    words = {int(reference_bits(7, update, block, 0)) for update in range(256) for block in range(256)}
    # 2¹⁶ random words of 32 bits coincide in 0.5 pairs on average
    assert len(words) > 2**16 - 5


@pytest.mark.skipif(BACKEND != "torch", reason="only PyTorch computes a key in two ways, on a CPU and elsewhere")
def test_pytorch_kernels_find_the_key_that_integers_find():
    from keras_langevin.optimizers.noise import law, on_torch

    seed, update, block = keras.ops.convert_to_tensor(noise.split_seed(2**63 + 5)), 2**31 - 1, 2**32 - 2
    integers = on_torch._key(seed, keras.ops.convert_to_tensor(update, "int32"), block)
    kernels = law.key(seed, keras.ops.convert_to_tensor(update, "int32"), law.signed(block), on_torch._ops)
    assert [int(word) for word in integers] == [int(word) for word in kernels]


def test_a_pool_holds_the_words_of_its_variables():
    """Variables, neighbours or not, in one block or several, get the words that each gets alone."""
    a, b, c = noise.places_of([(2, 3), (7,), (5, 1)])
    far = Place(9, 2**32 - 4, (4,))
    for chosen in ((a, b, c), (a, c), (b, far, c), (Place(0, 0, (0,)), b), ()):
        alone = [bits(3, 1, Draw((place,), flat=False)).ravel() for place in chosen]
        together = bits(3, 1, Draw(chosen, flat=True))
        np.testing.assert_array_equal(together, np.concatenate([*alone, np.zeros(0, "uint32")]))


def test_a_variable_larger_than_a_block_has_a_block_for_each_row(monkeypatch):
    """With blocks of 8 elements: rows of a (5, 2, 3) shape are the streams of blocks 1, 2, ..., 5."""
    monkeypatch.setattr(places, "BLOCK", 8)
    (_, place) = noise.places_of([(7,), (5, 2, 3)])
    assert (place.block, place.leading_axes) == (1, 1)
    expected = [reference_bits(0, 0, block, np.arange(6)) for block in range(1, 6)]
    np.testing.assert_array_equal(bits(0, 0, Draw((place,), flat=False)), np.reshape(expected, (5, 2, 3)))


def test_an_update_number_may_be_of_any_integer_type():
    expected = reference_bits(1, 5, 0, range(3))
    integers = [5, keras.ops.convert_to_tensor(5, "int32")]
    if BACKEND != "jax":  # JAX has no int64 by default
        integers.append(keras.Variable(5, dtype="int64", trainable=False).value)
    for update in integers:
        np.testing.assert_array_equal(bits(1, update, one((3,))), expected)


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
def test_a_seed_is_two_words(seed):
    words = noise.split_seed(seed)
    assert words.dtype == "int32" and words.shape == (2,)
    assert noise.join_seed(words) == seed


# --- the law ----------------------------------------------------------------------------------------------------------


def compiled(function, jit_compile):
    """Compiles a function with the backend."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=jit_compile)
    if BACKEND == "jax" and jit_compile:
        import jax

        return jax.jit(function)
    return function


@pytest.mark.parametrize("jit_compile", [False] if BACKEND == "torch" else [False, True])
def test_normals_are_the_inverse_of_the_normal_law(jit_compile):
    """The relative error against float64 is below 2e-6, for words over the whole range and for the extreme ones."""
    words = np.random.default_rng(0).integers(-(2**31), 2**31, 200_000, "int64").astype("int32")
    ends = [2**31 - 1, -(2**31), 0, -1, 2**31 - 1 - 2**8, -(2**31) + 2**8]
    words = np.concatenate([words, np.array(ends, "int64").astype("int32")])
    uniform = ((words >> 8) + 0.5) / 2**23
    of_backend = words if BACKEND == "torch" else words.view("uint32")
    z = as_numpy(compiled(noise.normal_from_bits, jit_compile)(keras.ops.convert_to_tensor(of_backend)))
    np.testing.assert_allclose(z, np.sqrt(2) * special.erfinv(uniform), rtol=2e-6)
    assert np.abs(z).max() == pytest.approx(5.42, abs=0.01)


@pytest.mark.slow
def test_ten_million_normals_are_normal():
    """Kolmogorov-Smirnov, Anderson-Darling, the first six moments, and the tails beyond 4 and 5, each with a rate of
    false alarms below 1e-6."""
    z = np.sort(normals(0, 0, one((10_000_000,))))
    count = z.size
    assert stats.kstest(z, "norm").pvalue > 1e-6
    # A² = −n − Σ (2i − 1)/n · (ln Φ(zᵢ) + ln(1 − Φ(zₙ₊₁₋ᵢ))); above 14.4 for one sample in 10⁶ (Marsaglia 2004)
    weights = (2 * np.arange(1, count + 1) - 1) / count
    anderson = -count - np.sum(weights * (special.log_ndtr(z) + special.log_ndtr(-z[::-1])))
    assert anderson < 14.4
    moments = {1: 0, 2: 1, 3: 0, 4: 3, 5: 0, 6: 15}
    variances = {1: 1, 2: 2, 3: 15, 4: 96, 5: 945, 6: 10170}
    for order, moment in moments.items():
        bound = stats.norm.isf(5e-7) * np.sqrt(variances[order] / count)
        assert abs(np.mean(z**order) - moment) < bound, f"moment {order}"
    for limit in (4.0, 5.0):
        for tail in (np.sum(z > limit), np.sum(z < -limit)):
            low, high = stats.binom.ppf([5e-7, 1 - 5e-7], count, stats.norm.sf(limit))
            assert low <= tail <= high, f"tail beyond {limit}"


# --- ±1 ---------------------------------------------------------------------------------------------------------------


def reference_signs(seed, update, block, elements):
    elements = np.asarray(elements, "uint64")
    words = reference_bits(seed, update, block, elements >> np.uint64(5))
    return 1.0 - 2.0 * (words >> (elements & np.uint64(31)).astype("uint32") & 1)


def signs(seed, update, draw):
    words = keras.ops.convert_to_tensor(noise.split_seed(seed))
    return as_numpy(noise.sample(words, update, draw._replace(law="rademacher")))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (31,), (3, 4), (2, 3, 40)])
@pytest.mark.parametrize("offset", [0, 5, 31, 32, 2**31 - 7, 2**32 - 240])
def test_signs_equal_the_numpy_reference(shape, offset):
    expected = reference_signs(2**40 + 1, 2, 3, offset + np.arange(math.prod(shape))).reshape(shape)
    np.testing.assert_array_equal(signs(2**40 + 1, 2, one(shape, 3, offset)), expected)


def test_a_pool_holds_the_signs_of_its_variables():
    a, b, c = noise.places_of([(2, 3), (70,), (5, 1)])
    for chosen in ((a, b, c), (a, c), (b, Place(9, 2**32 - 40, (40,)), c)):
        alone = [signs(3, 1, Draw((place,), flat=False)).ravel() for place in chosen]
        np.testing.assert_array_equal(signs(3, 1, Draw(chosen, flat=True)), np.concatenate(alone))


def test_signs_are_even_and_uncorrelated():
    """At lags within a word and across words, and with the next update and seed; false alarms below 1e-6 each."""
    z = signs(0, 0, one((COUNT,)))
    assert set(np.unique(z)) == {-1.0, 1.0}
    bound = stats.norm.isf(5e-7)
    assert abs(z.sum()) < bound * np.sqrt(COUNT)
    for lag in (*range(1, 34), 64, 1024):
        assert abs(z[lag:] @ z[:-lag]) < bound * np.sqrt(COUNT - lag), f"lag {lag}"
    for other in (signs(0, 1, one((COUNT,))), signs(1, 0, one((COUNT,)))):
        assert abs(z @ other) < bound * np.sqrt(COUNT)


# --- independence -----------------------------------------------------------------------------------------------------

NEIGHBOURS = {
    "update": (10, 21, one((COUNT,), 3, 30)),
    "element": (10, 20, one((COUNT,), 3, 30 + COUNT)),
    "block": (10, 20, one((COUNT,), 4, 30)),
    "seed": (11, 20, one((COUNT,), 3, 30)),
    "high seed": (10 + 2**32, 20, one((COUNT,), 3, 30)),
    "update for block": (10, 3, one((COUNT,), 20, 30)),
}


@pytest.mark.parametrize("other", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_streams_are_uncorrelated(other):
    """The correlation with a neighbouring stream at lags 0 to 3 is within bounds with 1e-6 false alarms each."""
    a, b = normals(10, 20, one((COUNT,), 3, 30)), normals(*other)
    for lag in range(4):
        r = np.corrcoef(a[: COUNT - lag], b[lag:])[0, 1]
        assert abs(r) < stats.norm.isf(5e-7) / np.sqrt(COUNT - lag)


def test_neighbouring_elements_are_uncorrelated():
    z = normals(10, 20, one((500, 500)))
    for a, b in ((z[1:], z[:-1]), (z[:, 1:], z[:, :-1]), (z[1:, 1:], z[:-1, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < stats.norm.isf(5e-7) / np.sqrt(a.size)


def test_an_element_is_independent_from_update_to_update():
    z = np.array([normals(1, update, one((2,))) for update in range(500)])
    assert stats.kstest(z[:, 0], "norm").pvalue > 1e-6
    assert abs(np.corrcoef(z[1:, 0], z[:-1, 0])[0, 1]) < stats.norm.isf(5e-7) / np.sqrt(len(z) - 1)


@pytest.mark.skipif(BACKEND != "torch", reason="a device of PyTorch")
@pytest.mark.parametrize("law", noise.LAWS)
def test_nothing_is_read_back_from_the_device(law):
    """Runs on PyTorch's meta device, from which no number can be read: so on a GPU nothing waits for one."""
    import torch

    seed = torch.zeros(2, dtype=torch.int32, device="meta")
    update = torch.zeros((), dtype=torch.int64, device="meta")
    for draw in (one((3, 4)), one((1000, 1000)), Draw(tuple(noise.places_of([(2, 3), (5,)])), flat=True)):
        z = noise.sample(seed, update, draw._replace(law=law))
        assert z.shape == draw.shape and z.device.type == "meta"


@pytest.mark.skipif(BACKEND != "torch", reason="a device of PyTorch")
@pytest.mark.parametrize("case", all_of(CASES))
def test_the_noise_of_a_step_reads_nothing_back(monkeypatch, case):
    """Like the test before, with P, σ√γ and a gate. Some of Keras's own steps read a number back and are left out. If P
    uses Python's operators, no number is copied to the device either, for which PyTorch would also wait."""
    import torch

    def only_tensors(value, *arguments, real=torch.as_tensor, **options):
        assert isinstance(value, torch.Tensor), value
        return real(value, *arguments, **options)

    monkeypatch.setattr(draws, "_SMALL", 10)
    with keras.device("meta"):
        variables = make_variables((2, 3), (3,), (4, 5))
        optimizer = case.make(sigma=0.1, seed=1)
        gate_layers(optimizer)
        optimizer.build(variables)
        for parent in type(optimizer).__mro__:
            if "_backend_update_step" in vars(parent) and parent is not Langevin:
                monkeypatch.setattr(parent, "_backend_update_step", lambda *_: None)
        add = type(optimizer)._add_noise

        def add_noise(*arguments):
            if case.langevin.__name__ not in ("LAdafactor", "LLamb", "LMuon", "SGNHT"):
                monkeypatch.setattr(torch, "as_tensor", only_tensors)
            add(*arguments)
            monkeypatch.setattr(torch, "as_tensor", only_tensors.__kwdefaults__["real"])
            added.extend(arguments[1])

        added = []
        monkeypatch.setattr(type(optimizer), "_add_noise", add_noise)
        optimizer.apply([keras.ops.zeros(variable.shape) for variable in variables], variables)
    assert len(added) == 3


@pytest.mark.skipif(BACKEND != "jax", reason="transformations of JAX")
def test_under_vmap_and_scan_the_noise_is_the_same():
    import jax

    draw = one((3, 4))
    seeds = np.stack([noise.split_seed(seed) for seed in (5, 2**40)])
    together = jax.vmap(lambda seed: noise.sample(seed, 2, draw))(seeds)
    _, one_by_one = jax.lax.scan(lambda t, _: (t + 1, noise.sample(seeds[0], t, draw)), 0, None, 3)
    for seed, z in zip((5, 2**40), together, strict=True):
        np.testing.assert_allclose(z, normals(seed, 2, draw), rtol=1e-6)
    np.testing.assert_allclose(one_by_one[2], together[0], rtol=1e-6)


@pytest.mark.skipif(BACKEND != "jax", reason="transformations of JAX")
@pytest.mark.parametrize("mapped", ["seed", "sigma", "both"])
def test_runs_that_are_mapped_get_the_noise_that_each_gets_alone(mapped):
    """Updates of several small variables, `vmap` around `scan`. When steps are traced for it, the draw stays in a
    conditional, also if the runs differ only in sigma."""
    import jax

    from keras_langevin.optimizers.stacked import mapped_over_runs

    weights = [keras.Variable(np.ones(shape, "float32")) for shape in [(2, 3), (3,), (40, 50)]]
    optimizer = LSGD(0.1, sigma=1.0, seed=3)
    optimizer.build(weights)
    gradients = [np.zeros(weight.shape, "float32") for weight in weights]
    names = [id(variable) for variable in optimizer.variables]
    places = {name: names.index(id(variable)) for name, variable in optimizer._own_variables().items()}

    def updated(seed, sigma):
        state = [variable.value for variable in optimizer.variables]
        state[places["seed"]], state[places["sigma"]] = seed, sigma

        def step(carried, _):
            return optimizer.stateless_apply(carried[1], gradients, carried[0]), None

        return jax.lax.scan(step, ([weight.value for weight in weights], state), None, 2)[0][0]

    seeds = np.stack([noise.split_seed(seed) for seed in ((5, 6) if mapped != "sigma" else (5, 5))])
    sigmas = np.float32([0.0, 2.0] if mapped != "seed" else [2.0, 2.0])
    axes = (None if mapped == "sigma" else 0, None if mapped == "seed" else 0)
    arguments = [values if axis == 0 else values[0] for values, axis in zip((seeds, sigmas), axes, strict=True)]
    alone = [jax.jit(updated)(seeds[number], sigmas[number]) for number in range(2)]
    for context in (contextlib.nullcontext, mapped_over_runs):
        with context():
            together = jax.jit(jax.vmap(lambda *values: updated(*values), in_axes=axes))(*arguments)
        for number in range(2):
            for found, expected in zip(together, alone[number], strict=True):
                np.testing.assert_allclose(found[number], expected, rtol=1e-6, atol=1e-6)
    with mapped_over_runs():
        assert " cond[" in str(jax.make_jaxpr(jax.vmap(lambda *values: updated(*values), in_axes=axes))(*arguments))


@pytest.mark.skipif(BACKEND == "torch", reason="XLA compiles no step on PyTorch")
def test_xla_computes_a_pool_once():
    """It keeps the draw of the small variables in a conditional. A selection would let it compute the draw again in the
    loop of each variable."""
    weights = [keras.Variable(np.ones(shape, "float32")) for shape in [(64, 64), (64,)] * 3]
    optimizer = LAdam(0.1, sigma=1.0, seed=3)
    optimizer.build(weights)
    gradients = [keras.ops.ones(weight.shape) for weight in weights]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        step = tf.function(lambda: optimizer.apply(gradients, weights), jit_compile=True)
        compiled = step.experimental_get_compiler_ir()(stage="optimized_hlo")
    else:
        import jax

        state = [[variable.value for variable in variables] for variables in (optimizer.variables, weights)]
        step = jax.jit(lambda state, values: optimizer.stateless_apply(state, gradients, values))
        compiled = step.lower(*state).compile().as_text()
    assert compiled.count(" conditional(") == 1


@pytest.mark.skipif(BACKEND == "jax", reason="JAX has no int64 by default")
def test_the_noise_does_not_come_again_after_two_to_the_32_updates():
    """The counter's upper word changes the key. Below 2³² the integers are those of a one-word counter."""
    for upper in (0, 1, 2**31 - 1):
        update = keras.ops.convert_to_tensor(np.int64(upper * 2**32 + 3), dtype="int64")
        for draw in (one((64,)), Draw((Place(0, 0, (60,)), Place(0, 60, (4,))), flat=True)):
            expected = reference_bits(7 + 2**32 * int(mix(upper)), 3, 0, range(64))
            np.testing.assert_array_equal(bits(7, update, draw), expected)
    assert int(mix(0)) == 0
