"""A real fit that is killed without warning, and a write that is interrupted."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from keras_langevin import PosteriorSamples
from keras_langevin.files import StorageError
from keras_langevin.sampling.ring import DiskRing, Sample
from tests.sampling.cases import BACKEND, assert_equal_arrays, classifier, data, fit, iterations, sample_arrays

FIT = """
import pathlib, sys
import keras
import numpy as np
from keras_langevin import PosteriorSamples, archive
from tests.sampling.cases import BATCH, classifier, data

folder, epochs = pathlib.Path(sys.argv[1]), int(sys.argv[2])

# Keras's own BackupAndRestore leaves a file that cannot be read when it is killed in the middle of writing it.
class AtomicBackup(keras.callbacks.Callback):
    path = folder / "state.npz"

    def variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def on_train_begin(self, logs=None):
        if self.path.exists():
            for variable, array in zip(self.variables(), archive.read(self.path)[1], strict=True):
                variable.assign(array)

    def on_epoch_end(self, epoch, logs=None):
        if epoch % 2:
            archive.write(self.path, {}, [np.array(keras.ops.convert_to_numpy(v)) for v in self.variables()])

samples = PosteriorSamples(burn_in=3, thinning=1, max_samples=6, directory=folder / "samples")
model, (x, y) = classifier(), data()
arguments = {"epochs": epochs, "batch_size": BATCH, "shuffle": False, "verbose": 0}
model.fit(x, y, callbacks=[AtomicBackup(), samples], **arguments)
"""
EPOCHS = 2000  # longer than any test waits


def start(folder, epochs):
    environment = os.environ | {"KERAS_BACKEND": BACKEND}
    return subprocess.Popen([sys.executable, "-c", FIT, str(folder), str(epochs)], env=environment)


def heads(folder):
    return DiskRing(folder / "samples", 6).heads if (folder / "samples").exists() else []


def kill_after(process, folder, number):
    """Kills the fit as soon as it has taken sample `number`, counted from its first."""
    while process.poll() is None and not any(head["number"] >= number for head in heads(folder)):
        time.sleep(0.01)
    assert process.poll() is None, "it ended by itself"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def kill_and_check(folder, moments):
    """Kills a fit at each of the moments and restarts it. All samples in the ring are always complete, and equal those
    of an uninterrupted fit."""
    for number in moments:
        kill_after(start(folder, EPOCHS), folder, number)
        ring = DiskRing(folder / "samples", 6)
        assert len(ring) == 6 and ring.heads[-1]["number"] >= number
        updates = [settings["iteration"] for settings in ring.settings]
        assert len(set(updates)) == 6
    reference = PosteriorSamples(burn_in=0, max_samples=100_000)
    fit(classifier(), reference, epochs=max(updates) // 3 + 1)
    every = sample_arrays(reference)
    for index, update in enumerate(updates):
        for array, other in zip(ring.arrays(index), every[update], strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)


@pytest.mark.ci
def test_a_killed_fit_leaves_whole_samples(tmp_path):
    kill_and_check(tmp_path, [8])


@pytest.mark.slow
def test_a_fit_that_is_killed_ten_times_goes_on_with_the_ring(tmp_path):
    kill_and_check(tmp_path, [8, 9, 15, 40, 41, 60, 61, 80, 101, 120])


@pytest.mark.slow
def test_a_write_that_is_cut_off_leaves_the_old_sample_and_is_cleaned_away(tmp_path):
    """The process hangs after half of a file, and is then killed."""
    fit(classifier(), PosteriorSamples(burn_in=0, max_samples=3, directory=tmp_path), epochs=1)
    before = sample_arrays(PosteriorSamples(burn_in=0, max_samples=3, directory=tmp_path))
    code = """
import sys, time
import numpy as np
from keras_langevin.sampling import ring
def half(file, *arrays, **named):
    file.write(b"PK half of a file")
    file.flush()
    print("now", flush=True)
    time.sleep(600)
np.savez = half
samples = ring.DiskRing(sys.argv[1], 3)
samples.append(ring.Sample({"seed": 5, "iteration": 4}, samples.arrays(0)))
"""
    environment = os.environ | {"KERAS_BACKEND": BACKEND}
    command = [sys.executable, "-c", code, str(tmp_path)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "now\n"
    process.kill()
    process.communicate()
    assert list(tmp_path.glob(".sample-*"))
    samples = PosteriorSamples(burn_in=0, max_samples=3, directory=tmp_path)
    assert iterations(samples) == [1, 2, 3]
    for update, arrays in sample_arrays(samples).items():
        assert_equal_arrays(arrays, before[update])
    fit(classifier(), samples, epochs=1)
    assert not list(tmp_path.glob(".sample-*"))


def test_a_full_disk_ends_the_fit_and_keeps_what_there_is(tmp_path, monkeypatch):
    samples = PosteriorSamples(burn_in=0, max_samples=2, directory=tmp_path)
    written = []

    def full(file, *arrays, **named):
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        written.append(file)
        return savez(file, *arrays, **named)

    savez = np.savez
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match=r"No space left.*kept"):
        fit(classifier(), samples)
    again = PosteriorSamples(burn_in=0, max_samples=2, directory=tmp_path)
    assert iterations(again) == iterations(samples) == [3, 4]
    again.set_model(classifier())
    assert np.isfinite(again.predict(data()[0], verbose=0)).all()


def test_a_ring_keeps_the_latest(tmp_path):
    ring = DiskRing(tmp_path, 3)
    for iteration in range(7):
        ring.append(Sample({"seed": 0, "iteration": iteration}, [np.full(2, iteration)]))
    for found in (ring, DiskRing(tmp_path, 3)):
        assert [found.arrays(index)[0][0] for index in range(3)] == [4, 5, 6]
    assert len(list(tmp_path.iterdir())) == 3
