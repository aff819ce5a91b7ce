"""The measurements that wait for a GPU run, at a tiny size and on a CPU."""

import os
import subprocess
import sys

import gpu
import pytest

from keras_langevin import datasets
from tests.benchmarks.test_tables import ROOT
from tests.datasets.tiny import features, prepare

SETS = {"mnist": ("3.0.1", (28, 28, 1), 1000), "cifar10": ("3.0.2", (32, 32, 3), 300)}


def run(*arguments, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", *arguments]
    environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, text=True, capture_output=True, env=environment)


@pytest.fixture(scope="module")
def data_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, (version, shape, examples) in SETS.items():
        prepare(name, folder, features(shape), version=version, examples=examples)
    return [datasets.export(name, folder / f"{name}.npz", data_dir=folder).file for name in SETS]


@pytest.mark.ci
@pytest.mark.parametrize("part", gpu.PARTS)
def test_each_part_runs(part, tmp_path, request):
    data = ["--data", *request.getfixturevalue("data_files")] if part == "presets" else []
    backend, _ = gpu.PARTS[part]
    ended = run("--out", tmp_path, "--rehearsal", "--part", part, *data, KERAS_BACKEND=backend)
    assert ended.returncode == 0, ended.stderr
    cases = gpu.read(tmp_path)["cases"][part]
    assert cases
    assert not [case for case, found in cases.items() if "error" in found], ended.stderr


def test_a_data_file_that_does_not_exist_is_refused_before_any_measurement(tmp_path):
    ended = run("--out", tmp_path / "out", "--data", tmp_path / "mnist.npz")
    assert ended.returncode == 2
    assert f"--data must be files that exist. Received: {tmp_path / 'mnist.npz'}" in ended.stderr
    assert not (tmp_path / "out").exists()
