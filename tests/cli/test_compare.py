import csv
import json
import os
import signal
import subprocess
import sys
from functools import partial

import keras
import pytest

from keras_langevin import cli
from keras_langevin.cli.terminal import BACKENDS
from tests.quick import JIT
from tests.real_data import FOLDER, needs_cifar10, needs_mnist

AT_ONCE = ["--jit", JIT]
QUICK = ["compare", *AT_ONCE, "--model", "dense-2", "--epochs", "2", "--batch-size", "256", "--seeds", "2"]
TRAINED = [*QUICK, "--limit", "600"]  # few steps: most tests stop before the first
ONE_EPOCH = ["compare", *AT_ONCE, "--model", "dense-1", "--optimizers", "ladam", "--epochs", "1"]


def test_compare_trains_shows_and_writes(tmp_path, capsys):
    out = tmp_path / "results"
    assert cli.main([*TRAINED, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    for shown in ("Adam", "L-Adam", "30%-Layer L-Adam", "±", "95% interval"):
        assert shown in text
    names = [
        "config.json", "curves.csv", "differences.csv", "experiment.toml", "figures", "report.html", "report.md",
        "results.csv", "runs", "table.tex",
    ]  # fmt: skip
    pictures = ("dense-2-digits-train-loss", "dense-2-digits-validation-accuracy", "differences")
    assert {path.name for path in (out / "figures").iterdir()} == {
        f"{name}.{ending}" for name in pictures for ending in ("pdf", "png", "svg")
    }
    assert sorted(path.name for path in out.iterdir() if path.name != ".lock") == names
    *others, last = text.splitlines()
    assert last == f"Open {out / 'report.html'}", "the last line must say what to open"
    (files,) = (line.removeprefix(f"In {out}: ") for line in others if line.startswith("In "))
    assert sorted(files.split(", ")) == names
    assert "<h1>dense-2 on digits: Adam, L-Adam, 30%-Layer L-Adam</h1>" in (out / "report.html").read_text("utf-8")
    assert len(list((out / "runs").iterdir())) == 3 * 2
    with open(out / "curves.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3 * 2 * 2


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.ci
def test_more_seeds_are_added_and_the_same_command_again_trains_nothing(tmp_path, capsys):
    def trained():
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}

    arguments = [*TRAINED, "--optimizers", "sgd", "--out", str(tmp_path)]
    assert cli.main([*arguments, "--seeds", "1"]) == 0
    first = trained()
    assert cli.main(arguments) == 0
    both = trained()
    assert first.items() < both.items() and len(both) == 2
    capsys.readouterr()
    for seeds in ("2", "1"):
        assert cli.main([*arguments, "--seeds", seeds]) == 0
        assert trained() == both
        assert " 0 left." in capsys.readouterr().out
        with open(tmp_path / "results.csv", newline="") as file:
            assert [line["seed"] for line in csv.DictReader(file)] == ["0", "1"]
        assert "seeds = 2\n" in (tmp_path / "experiment.toml").read_text("utf-8")


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.ci
def test_several_values_make_a_grid_and_its_file_repeats_it(tmp_path, capsys):
    sweep = ["compare", *AT_ONCE, "--model", "dense", "--depth", "1", "2", "--sigma", "1e-3", "1e-2", "--epochs", "1"]
    sweep += ["--batch-size", "256", "--seeds", "1", "--optimizers", "lsgd", "--limit", "600"]
    out = tmp_path / "sweep"
    assert cli.main([*sweep, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "4 comparisons" in shown
    assert "dense-2, sigma 0.01, L-SGD, seed 0: test accuracy" in shown
    records = {path: path.stat().st_mtime_ns for path in out.glob("*/runs/*.json")}
    assert len(records) == 4
    assert cli.main(["compare", "--config", str(out / "experiment.toml"), "--out", str(out)]) == 0
    assert "4 runs finished already; 0 left." in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/runs/*.json")} == records


@pytest.mark.usefixtures("blank_pictures")
def test_options_go_before_the_file(tmp_path, capsys):
    config = tmp_path / "experiment.toml"
    lines = ['model = "dense-1"', "epochs = 1", "batch_size = 256", "seeds = 2", 'optimizers = ["sgd"]']
    config.write_text("\n".join([*lines, f'jit = "{JIT}"']) + "\n", "utf-8")
    out = tmp_path / "out"
    assert cli.main(["compare", "--config", str(config), "--seeds", "1", "--out", str(out)]) == 0
    assert [path.name for path in (out / "runs").iterdir()] == ["sgd-seed-0.json"]
    config.write_text("sedes = 2", "utf-8")
    capsys.readouterr()
    assert cli.main(["compare", "--config", str(config)]) == 2
    assert "Unknown setting 'sedes'. Did you mean 'seeds'?" in capsys.readouterr().err


@pytest.mark.usefixtures("blank_pictures")
def test_a_failed_run_gives_exit_status_1(tmp_path, monkeypatch, capsys):
    from keras_langevin.experiments import training

    def fail(self, *arguments, **options):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(training.Trainer, "train", fail)
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
        (["--sigma", "-1"], "`sigma` must be a float >= 0"),
        (["--epochs", "0"], "`epochs` must be an int from 1 to"),
        (["--epochs", "many"], "invalid int value"),
        (["--limit", "1"], "`limit` must be an int >= 2"),
        (["--limit", "5000"], "`limit` must be at most 1437"),
        (["--limit", "100"], "`batch_size` must be at most 90"),
        (["--augment", "flip"], "Received: augment='flip'"),
        (["--precision", "float31"], "`precision` must be float32, mixed_bfloat16, mixed_float16, bfloat16 or float"),
        (["--jit", "yes"], "`jit` must be auto, on or off. Received: jit='yes'"),
        (["--tuning-trials", "-1"], "`tuning_trials` must be an int from 0 to"),
        (["--tuning-trials", "2", "--sigma", "0"], "`sigma` must be > 0 where it is tuned"),
        (["--data-file", "nowhere.npz", "--dataset", "mnist"], "The data file does not exist. Received: nowhere.npz"),
        (["--data-file", "nowhere.npz", "--data-dir", "."], "not both"),
        (["--backend", "tpu"], "invalid choice"),
        (["--out", "/proc/nowhere"], "choose another folder"),
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
    from keras_langevin.datasets import prepared

    def no_network(*arguments):
        raise OSError("Name or service not known")

    monkeypatch.setattr(prepared.socket, "getaddrinfo", no_network)
    monkeypatch.setattr(prepared, "getproxies", dict)
    assert cli.main([*QUICK, "--dataset", "mnist", "--data-dir", str(tmp_path)]) == 2
    assert "set TFDS_DATA_DIR" in capsys.readouterr().err


def test_a_shape_that_the_model_does_not_take_is_an_error_before_training(tmp_path, monkeypatch, capsys):
    from keras_langevin import models

    def build(name, input_shape, num_classes, **options):
        if input_shape == (8, 8, 1):
            raise ValueError("Images must be at least 16 × 16.\nReceived: (8, 8, 1)")
        return original(name, input_shape, num_classes, **options)

    original = models.build
    monkeypatch.setattr(models, "build", build)
    assert cli.main([*QUICK, "--out", str(tmp_path / "results")]) == 2
    assert capsys.readouterr().err == ("keras-langevin: error: Images must be at least 16 × 16. Received: (8, 8, 1)\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("blank_pictures")
def test_how_it_is_trained_is_part_of_the_configuration(tmp_path, capsys):
    arguments = ["compare", *AT_ONCE, "--model", "dense-1", "--optimizers", "adam", "--epochs", "1", "--seeds", "1"]
    options = ["--limit", "200", "--augment", "crop-flip-1", "--standardize", "--jit", "off"]
    options += ["--precision", "mixed_bfloat16"]
    assert cli.main([*arguments, *options, "--out", str(tmp_path)]) == 0
    recipe = "epochs 1, limit 200, augment crop-flip-1, standardize, precision mixed_bfloat16, jit off"
    assert recipe in capsys.readouterr().out
    config = json.loads((tmp_path / "config.json").read_text())
    settings = ("limit", "augment", "standardize", "precision", "jit")
    assert [config[name] for name in settings] == [200, "crop-flip-1", True, "mixed_bfloat16", "off"]
    assert cli.main([*arguments, *options, "--limit", "300", "--out", str(tmp_path)]) == 2
    assert "differs in limit" in capsys.readouterr().err


@pytest.mark.slow
def test_where_the_data_are_is_no_part_of_the_configuration(tmp_path, monkeypatch, capsys):
    """With the data on the device or not, a command resumes in the same folder, with the same numbers."""
    from keras_langevin.experiments.examples import ImageTable

    made = []
    monkeypatch.setattr(ImageTable, "of", lambda data, of=ImageTable.of: made.append(1) or of(data))
    arguments = [*QUICK, "--optimizers", "ladam", "--out"]
    records = []
    for option in ("--data-on-device", "--no-data-on-device"):
        out = tmp_path / option
        assert cli.main([*arguments, str(out), option]) == 0
        assert len(made) == 1
        records.append([json.loads(path.read_text())["curves"] for path in sorted((out / "runs").iterdir())])
        capsys.readouterr()
    assert records[0] == records[1]
    assert cli.main([*arguments, str(tmp_path / "--data-on-device")]) == 0
    assert "2 runs finished already; 0 left." in capsys.readouterr().out


@pytest.mark.usefixtures("blank_pictures")
def test_a_data_file_takes_the_place_of_tensorflow_datasets(tmp_path, monkeypatch, capsys):
    from keras_langevin import datasets
    from tests.datasets.tiny import features, prepare

    prepare("colours", tmp_path, features())
    datasets.export("colours", tmp_path / "colours.npz", data_dir=tmp_path)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    arguments = [*ONE_EPOCH, "--dataset", "colours"]
    file = ["--data-file", str(tmp_path / "colours.npz"), "--batch-size", "20", "--seeds", "1"]
    assert cli.main([*arguments, *file, "--out", str(tmp_path / "results")]) == 0
    (record,) = [json.loads(path.read_text()) for path in (tmp_path / "results" / "runs").iterdir()]
    assert record["provenance"]["data"] == "colours.npz"
    assert cli.main([*arguments, "--batch-size", "20", "--seeds", "1"]) == 2
    assert "keras-langevin data export colours --out FILE" in capsys.readouterr().err


def test_another_backend_than_the_running_one_is_refused(capsys):
    other = next(name for name in BACKENDS if name != keras.backend.backend())
    assert cli.main([*QUICK, "--backend", other]) == 2
    assert f"KERAS_BACKEND={other}" in capsys.readouterr().err


@pytest.mark.slow
def test_interrupted_it_goes_on_where_it_stopped(tmp_path):
    """A real process is interrupted after its first run, and the same command is run again."""
    command = [
        sys.executable,
        "-m",
        "keras_langevin_command",
        *QUICK,
        "--optimizers",
        "adam",
        "lsgd",
        "--out",
        str(tmp_path),
    ]
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    # SIGINT may be ignored if the tests were started in the background
    heed = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=heed)
    for line in process.stdout:
        if line.startswith("Adam, seed 0"):
            process.send_signal(signal.SIGINT)
            break
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130, rest
    assert "the same command resumes from there" in rest
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*.json")}
    assert "adam-seed-0.json" in kept and len(kept) < 4
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert again.returncode == 0, again.stderr
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert len(after) == 4
    assert kept.items() <= after.items()


@pytest.mark.slow
@needs_mnist
def test_mnist_through_the_same_command(tmp_path, capsys):
    arguments = [*ONE_EPOCH, "--dataset", "mnist"]
    assert cli.main([*arguments, "--seeds", "1", "--data-dir", str(FOLDER), "--out", str(tmp_path)]) == 0
    assert "dense-1 on mnist" in capsys.readouterr().out


@pytest.mark.parametrize("size", ["tiny", pytest.param("whole", marks=[pytest.mark.slow, needs_cifar10])])
@pytest.mark.usefixtures("blank_pictures")
def test_cifar10_stored_as_jpeg_says_so_everywhere(size, tmp_path, capsys):
    """Tested with a hundred random images, because reading the whole set takes long."""
    from tests.datasets.tiny import features, prepare

    data_dir, few = FOLDER, ["--limit", "2000"]
    if size == "tiny":
        data_dir, few = tmp_path / "data", ["--batch-size", "20"]
        prepare("cifar10", data_dir, features((32, 32, 3), encoding_format="jpeg"), version="3.0.2")
    arguments = [*ONE_EPOCH, "--dataset", "cifar10", *few]
    arguments += ["--seeds", "1", "--data-dir", str(data_dir), "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "dense-1 on cifar10 (JPEG copy): " in shown and "dense-1 on cifar10 (JPEG copy), 1 epoch " in shown
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["dataset_note"], config["augment"]) == ("JPEG copy", "crop-flip")
