"""A real command is killed without warning at random moments."""

import os
import random
import subprocess
import sys
import time

import keras
import pytest

from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.store import Store
from tests.experiments.weights import arrays_of, assert_same_weights
from tests.quick import JIT

RUN = {"jit": JIT, "model": "dense-2", "epochs": 30, "batch_size": 64, "seeds": 2}
COMMAND = [sys.executable, "-m", "keras_langevin_command", "compare", "--jit", JIT, "--optimizers", "adam", "ladam"]
COMMAND += ["--model", "dense-2", "--epochs", "30", "--batch-size", "64", "--seeds", "2"]
COMMAND += ["--save-weights", "--checkpoint-seconds", "0"]


def weights(folder):
    """Returns the arrays of each run's HDF5 file, by file."""
    return {path.name: arrays_of(path) for path in sorted((folder / "runs").glob("*.weights.h5"))}


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_ends_with_the_same_weights(tmp_path):
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    begin = time.monotonic()
    subprocess.run([*COMMAND, "--out", str(whole)], env=environment, check=True, capture_output=True, timeout=600)
    seconds = time.monotonic() - begin
    moments = random.Random(0)
    killed, states = 0, 0
    while killed < 20:
        process = subprocess.Popen(
            [*COMMAND, "--out", str(broken)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            process.communicate(timeout=moments.uniform(0.1, 1) * seconds)
            if process.returncode == 0:  # it ended: start again from the beginning
                assert len(weights(broken)) == 4
                for path in broken.rglob("*.*"):
                    if path.is_file():
                        path.unlink()
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            states += any((broken / "runs").glob("*.checkpoint.npz")) if broken.exists() else 0
    assert states, "no run was ever killed between its first epoch and its last"
    result = subprocess.run(
        [*COMMAND, "--out", str(broken)], env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    expected, found = weights(whole), weights(broken)
    assert list(found) == list(expected) and len(found) == 4
    for name in expected:
        assert_same_weights(found[name], expected[name], name)


def test_two_commands_do_not_share_a_folder(tmp_path):
    comparison = Comparison(**RUN, optimizers=("adam",))
    first, second = (Store(tmp_path, comparison) for _ in range(2))
    refused = pytest.raises(ValueError, match=r"Another process is writing into .*choose another --out")
    with first.locked(), refused, second.locked():
        pass
    with second.locked():
        pass
