"""`SigmaScheduler`: σ of each epoch, in the step and in the logs."""

import keras
import numpy as np
import pytest

from keras_langevin import LAdam, SigmaScheduler
from tests.callbacks.models import EXECUTIONS, eager_model, fit, policy
from tests.optimizers.cases import of_each_kind, with_each
from tests.optimizers.test_fit import SIGMA, assert_close, expected_noise, noise_model, noisy, run_epochs


@keras.saving.register_keras_serializable(package="tests")
def halved(epoch, sigma):
    return sigma / 2 if epoch else sigma


@pytest.mark.parametrize(("case", "steps_per_execution"), with_each(EXECUTIONS, of_each_kind()))
def test_each_epoch_has_its_noise(case, steps_per_execution):
    """In one compiled fit, the noise of every step is σ_epoch√γ√P·Z: with σ, σ/2, then 0, except for what a momentum
    keeps."""
    levels = [SIGMA, SIGMA / 2, 0.0]
    model = noise_model(noisy(case), steps_per_execution=steps_per_execution)
    draws = run_epochs(model, 3, SigmaScheduler(lambda epoch, sigma: levels[epoch]), steps=3)
    expected = expected_noise(case, 9, np.repeat(levels, 3).tolist()).reshape(3, 3, *draws.shape[1:])
    assert_close(draws, expected.sum(axis=1))
    if not case.kept():
        np.testing.assert_array_equal(draws[2], 0)


@pytest.mark.parametrize("name", ["float32", "mixed_float16"])
def test_logs_and_what_the_schedule_is_told(name):
    with policy(name):
        told = []
        callback = SigmaScheduler(lambda epoch, sigma: told.append((epoch, sigma)) or halved(epoch, sigma))
        history = fit(eager_model(LAdam(1e-3, sigma=0.5)), callback, epochs=3).history
    assert history["sigma"] == [0.5, 0.25, 0.125]
    assert told == [(0, 0.5), (1, 0.5), (2, 0.25)]


def test_verbose(capsys):
    fit(eager_model(LAdam(1e-3, sigma=0.5)), SigmaScheduler(halved, verbose=1), epochs=2)
    assert "\nEpoch 2: SigmaScheduler setting sigma to 0.25.\n" in capsys.readouterr().out


@pytest.mark.parametrize("output", [-1.0, float("nan"), float("inf"), "0.1", None, True])
def test_what_is_no_level_is_refused(output):
    model = eager_model(LAdam(1e-3))
    with pytest.raises(ValueError, match=r"should be a finite float >= 0\. Received: .* for epoch 0\. Fix"):
        fit(model, SigmaScheduler(lambda epoch, sigma: output))


def test_a_schedule_that_cannot_be_called_is_refused():
    with pytest.raises(ValueError, match=r"Received: schedule=0\.5\. Pass one, as in"):
        SigmaScheduler(0.5)


def test_a_schedule_may_take_the_epoch_alone():
    """Like `keras.callbacks.LearningRateScheduler`; another number of arguments is refused before the fit."""
    history = fit(eager_model(LAdam(1e-3)), SigmaScheduler(lambda epoch: 0.5 * epoch), epochs=2)
    assert history.history["sigma"] == [0.0, 0.5]
    with pytest.raises(ValueError, match=r"`schedule` must be a function of \(epoch, sigma\), or of the epoch alone"):
        SigmaScheduler(lambda: 0.5)


def test_it_is_serializable():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(SigmaScheduler(halved, verbose=1))
    )
    assert (again.schedule, again.verbose) == (halved, 1)
