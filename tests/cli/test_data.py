import pytest

from keras_langevin import cli
from tests.datasets.tiny import Text, features, prepare


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    prepare("cifar10", folder, {"id": Text()} | features((32, 32, 3), encoding_format="jpeg"), version="3.0.2")
    return folder


def test_list_shows_what_is_prepared(folder, capsys):
    assert cli.main(["data", "list", "--data-dir", str(folder)]) == 0
    output = capsys.readouterr().out
    lines = [line.split() for line in output.splitlines()]
    assert ["digits", "8×8×1", "10", "1,437", "360", "embedded"] in lines
    assert ["mnist", "-", "-", "-", "-", "not", "prepared"] in lines
    assert ["cifar10", "(JPEG", "copy)", "32×32×3", "10", "50", "50", "cifar10/3.0.2"] in lines
    assert f"Prepared sets are those in {folder}" in output


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_show_writes_a_picture(name, folder, tmp_path, capsys):
    path = tmp_path / "samples.png"
    assert cli.main(["data", "show", name, "--data-dir", str(folder), "--out", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    expected = {
        "digits": "digits: 10 classes, 8×8×1; 1,437 training and 360 test examples",
        "cifar10": "cifar10 (JPEG copy): 10 classes, 32×32×3; 50 training and 50 test examples",
    }
    assert capsys.readouterr().out.splitlines() == [expected[name], f"  {path}"]


def test_export_writes_a_file_that_show_reads(folder, tmp_path, monkeypatch, capsys):
    file, picture = tmp_path / "cifar10.npz", tmp_path / "samples.png"
    assert cli.main(["data", "export", "cifar10", "--data-dir", str(folder), "--out", str(file)]) == 0
    first, where, use = capsys.readouterr().out.splitlines()
    assert first.startswith("cifar10 (JPEG copy): 100 images, ") and first.endswith(" MB")
    assert where == f"  {file}" and use.endswith(f"compare --dataset cifar10 --data-file {file}")
    assert cli.main(["data", "show", "cifar10", "--data-file", str(file), "--out", str(picture)]) == 0
    assert capsys.readouterr().out.startswith("cifar10 (JPEG copy): 10 classes")
    file.write_bytes(file.read_bytes()[:-100])
    assert cli.main(["data", "show", "cifar10", "--data-file", str(file), "--out", str(picture)]) == 2
    assert f"{file} must be a whole data file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data"], "ACTION"),
        (["data", "lost"], "invalid choice"),
        (["data", "show", "digits"], "--out"),
        (["data", "show", "digts", "--out", "x.png"], "Did you mean 'digits'"),
        (["data", "show", "digits", "--out", "no/x.png"], "Make no first"),
        (["data", "show", "digits", "--out", "."], "Received a folder"),
        (["data", "show", "digits", "--out", "/proc/x.png"], "Choose another --out"),
        (["data", "export", "digits", "--out", "x.npz"], "embedded in scikit-learn"),
        (["data", "export", "minst", "--out", "x.npz"], "Did you mean 'mnist'"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert output.err.startswith("keras-langevin: error: ") and output.err.count("\n") == 1
    assert output.out == "" and not list(tmp_path.iterdir())
