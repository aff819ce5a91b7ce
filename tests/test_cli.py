import csv
import os
import signal
import subprocess
import sys

import keras
import pytest

from keras_langevin import cli
from tests.real_data import FOLDER, needs_mnist

QUICK = ["compare", "--model", "dense-2", "--epochs", "2", "--batch-size", "256", "--seeds", "2"]


def test_compare_trains_shows_and_writes(tmp_path, capsys):
    out = tmp_path / "results"
    assert cli.main([*QUICK, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    for shown in ("Adam", "L-Adam", "30%-Layer L-Adam", "±", "95% interval", str(out / "curves.png")):
        assert shown in text
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "curves.csv", "curves.png", "runs"]
    assert len(list((out / "runs").iterdir())) == 3 * 2
    with open(out / "curves.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * 2 * 2


def test_the_same_command_again_trains_nothing(tmp_path, capsys):
    arguments = [*QUICK, "--optimizers", "adam", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert cli.main(arguments) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == before
    assert "2 runs are finished already; 0 are left." in capsys.readouterr().out


def test_a_failed_run_gives_exit_status_1(tmp_path, monkeypatch, capsys):
    from keras_langevin.experiments import runner

    def fail(self, seed, *arguments):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(runner.Trainer, "train", fail)
    assert cli.main([*QUICK, "--out", str(tmp_path)]) == 1
    assert "Adam, seed 0, ended with an error: RuntimeError: out of luck" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "dens-2"], "Did you mean 'dense-2'"),
        (["--dataset", "minst"], "Did you mean 'mnist'"),
        (["--optimizers", "ladm"], "Did you mean 'ladam'"),
        (["--optimizers", "adam", "adam"], "Received twice: Adam"),
        (["--optimizers", "ladam@99"], "at most 3"),
        (["--optimizers", "ladam@1.5"], "[0, 1]"),
        (["--optimizers", "ladam@nosuch"], "The layers are: dense_1, dense_2, logits"),
        (["--sigma", "-1"], "`sigma` must be a finite float >= 0"),
        (["--epochs", "0"], "`epochs` must be an int >= 1"),
        (["--epochs", "many"], "invalid int value"),
        (["--backend", "tpu"], "invalid choice"),
        (["--out", "/proc/nowhere"], "Choose another --out"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*QUICK, *arguments]) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.err.startswith("keras-langevin: error: ") and output.err.count("\n") == 1
    assert output.out == ""
    assert not list(tmp_path.iterdir())


def test_a_dataset_that_is_not_there_says_what_to_set(tmp_path, monkeypatch, capsys):
    from keras_langevin import datasets

    def no_network(*arguments):
        raise OSError("Name or service not known")

    monkeypatch.setattr(datasets.socket, "getaddrinfo", no_network)
    monkeypatch.setattr(datasets, "getproxies", dict)
    assert cli.main([*QUICK, "--dataset", "mnist", "--data-dir", str(tmp_path)]) == 2
    assert "set TFDS_DATA_DIR" in capsys.readouterr().err


def test_another_backend_than_the_running_one_is_refused(capsys):
    other = next(name for name in cli.BACKENDS if name != keras.backend.backend())
    assert cli.main([*QUICK, "--backend", other]) == 2
    assert f"KERAS_BACKEND={other}" in capsys.readouterr().err


def test_interrupted_it_goes_on_where_it_stopped(tmp_path):
    """A real process, interrupted after its first run, and the same command again."""
    command = [sys.executable, "-m", "keras_langevin", *QUICK, "--optimizers", "adam", "lsgd", "--out", str(tmp_path)]
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("Adam, seed 0"):
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130, rest
    assert "the same command goes on from there" in rest
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert "adam-seed-0.json" in kept and len(kept) < 4
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert again.returncode == 0, again.stderr
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert len(after) == 4
    assert kept.items() <= after.items()


@needs_mnist
def test_mnist_through_the_same_command(tmp_path, capsys):
    arguments = ["compare", "--model", "dense-1", "--dataset", "mnist", "--optimizers", "ladam", "--epochs", "1"]
    assert cli.main([*arguments, "--seeds", "1", "--data-dir", str(FOLDER), "--out", str(tmp_path)]) == 0
    assert "dense-1 on mnist" in capsys.readouterr().out
