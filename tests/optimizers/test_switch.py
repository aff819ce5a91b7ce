"""From a parent to its Langevin optimizer and back, in the middle of a training: files of weights serve both."""

import warnings
from functools import partial

import numpy as np
import pytest
from keras import ops

from tests.optimizers.cases import CASES, case_name, of_each_kind
from tests.quick import EAGERLY
from tests.reliability import nets
from tests.reliability.nets import fit

make_model = partial(nets.make_model, run_eagerly=EAGERLY)  # what files hold has to do with no trace


def state(optimizer) -> dict[str, np.ndarray]:
    """Slots by the names that parent and child give them."""
    return {
        variable.path.split("/", 1)[1]: np.array(ops.convert_to_numpy(variable)) for variable in optimizer.variables
    }


@pytest.mark.parametrize("case", of_each_kind())
def test_a_parents_file_and_back(case, tmp_path):
    """The training goes on as if the optimizer had not been changed: with no noisy layer, bit for bit. Sigma and seed
    are those that the new optimizer was made with, and a message says so."""
    parent = fit(make_model(case.make_parent()), 2)
    parent.save_weights(tmp_path / "parent.weights.h5")
    ours = fit(make_model(case.make(layers=0, sigma=0.25, seed=7)), 1)
    with pytest.warns(UserWarning, match="no state of the noise: .* moments .* are loaded; seed and sigma stay"):
        ours.load_weights(tmp_path / "parent.weights.h5")
    found = state(ours.optimizer)
    assert int(found["iteration"]) == 8
    for name, value in state(parent.optimizer).items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert (ours.optimizer.seed, float(ours.optimizer.sigma)) == (7, 0.25)
    fit(ours, 1)
    ours.save_weights(tmp_path / "ours.weights.h5")
    back = fit(make_model(case.make_parent()), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        back.load_weights(tmp_path / "ours.weights.h5")
    fit(back, 1)
    whole = fit(parent, 2)
    for one, other in zip(back.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_its_own_file_has_all_of_its_state(case, tmp_path):
    """Seed, sigma and slots, without a message."""
    first = fit(make_model(case.make(sigma=0.5, seed=2**40 + 1)), 1)
    second = fit(make_model(case.make(sigma=0.1, seed=2)), 1)
    first.save_weights(tmp_path / "first.weights.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        second.load_weights(tmp_path / "first.weights.h5")
    expected = state(first.optimizer)
    for name, value in state(second.optimizer).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_an_optimizer_that_is_not_built_takes_nothing(tmp_path):
    """Keras says so; seed and sigma are not taken either."""
    (case,) = (case for case in CASES if case_name(case) == "LAdam")
    fit(make_model(case.make(sigma=0.5, seed=1)), 1).save_weights(tmp_path / "first.weights.h5")
    fresh = make_model(case.make(sigma=0.1, seed=2))
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        fresh.load_weights(tmp_path / "first.weights.h5")
    assert (fresh.optimizer.seed, round(float(fresh.optimizer.sigma), 6)) == (2, 0.1)


def test_a_file_of_a_model_that_was_never_trained(tmp_path):
    """Keras says that it has no slots; seed and sigma are the file's; nothing is said of moments that were loaded."""
    (case,) = (case for case in CASES if case_name(case) == "LAdam")
    make_model(case.make(sigma=0.5, seed=1)).save_weights(tmp_path / "fresh.weights.h5")
    ours = fit(make_model(case.make(sigma=0.1, seed=2)), 1)
    with pytest.warns(UserWarning) as messages:
        ours.load_weights(tmp_path / "fresh.weights.h5")
    (message,) = [str(each.message) for each in messages if each.category is UserWarning]
    assert message.startswith("Skipping variable loading for optimizer")
    assert (ours.optimizer.seed, float(ours.optimizer.sigma), int(ours.optimizer.iterations)) == (1, 0.5, 4)
