"""The output of commands on any terminal."""

import gc
import io
import os
import signal
import subprocess
import sys
import time

import keras
import pytest

from keras_langevin import cli
from keras_langevin.experiments import claims
from tests.experiments.records import COMPARISON, of_seeds, write_folder


@pytest.fixture
def results(tmp_path):
    return write_folder(tmp_path / "figure-1", COMPARISON, of_seeds([0.9, 0.8, 0.85], [0.5, 0.6, 0.7]))


def run(*arguments, **variables):
    command = [sys.executable, "-m", "keras_langevin_command", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=os.environ | variables, check=False)


@pytest.mark.parametrize(
    "command", ["", "compare", "reproduce", "claims", "report", "data", "data show", "bench", "uncertainty"]
)
def test_every_command_explains_itself(command, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        cli.main([*command.split(), "--help"])
    shown = capsys.readouterr().out
    assert not ended.value.code and "%%" not in shown and "None" not in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("command", ["report", "claims"])
def test_any_encoding_will_do(encoding, command, results, monkeypatch):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    assert cli.main([command, str(results if command == "report" else results.parent)]) == 0
    written = {}
    for name, stream in streams.items():
        stream.flush()
        written[name] = stream.buffer.getvalue()
    assert len(written["stdout"].decode(encoding).splitlines()) > 10 and not written["stderr"]


@pytest.mark.ci
def test_any_encoding_will_do_in_a_process(results):
    ended = run("report", results, PYTHONIOENCODING="ascii")
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) > 10 and not ended.stderr
    ended.stdout.decode("ascii")


def test_an_error_can_be_written_in_any_encoding(tmp_path):
    ended = run("report", tmp_path / "na\u0131ve", PYTHONIOENCODING="ascii")
    assert ended.returncode == 2 and len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "compare --optimizers adam,ladam",
            "separated by blanks on the command line. Received: 'adam,ladam'. Try: adam",
        ),
        ("compare --modl dense-30", "unrecognized arguments: --modl dense-30. See: keras-langevin compare --help"),
    ],
)
def test_an_error_says_what_to_type(command, said, capsys):
    assert cli.main(command.split()) == 2
    assert said in capsys.readouterr().err


def test_a_long_value_in_an_error_is_cut_and_the_way_out_stays(capsys):
    assert cli.main(["report", "x" * 50_000]) == 2
    error = capsys.readouterr().err
    assert len(error) < 1500 and len(error.splitlines()) == 1 and error.endswith("Check the name.\n")


@pytest.mark.parametrize("columns", ["60", "20"])
def test_sixty_columns_are_enough(columns, results, monkeypatch, capsys):
    """No line of a table is longer, and none is truncated. A narrower terminal wraps the lines."""
    monkeypatch.setenv("COLUMNS", columns)
    assert cli.main(["report", str(results)]) == 0
    assert cli.main(["claims", str(results.parent)]) == 0
    text = capsys.readouterr().out
    table = [line for line in text.splitlines() if line[:1] in "│┃┏┡└"]
    assert table and all(len(line) <= 60 and line[-1] in "│┃┓┩┘" for line in table)
    assert "…" not in text and "optimizer" in text and "85.00 ± 5.00" in text


@pytest.mark.ci
def test_log_lines_are_dropped_and_all_else_passes(tmp_path):
    lines = [
        b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        b"I0000 00:00:1795934418.783888    5165 cudart_stub.cc:31] Could not find cuda drivers on your machine",
        b"W0000 00:00:1795934418.783888    5165 gpu_device.cc:2342] Cannot dlopen some GPU libraries.",
        b"2026-11-29 06:37:42.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary is optimized",
        b"To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow",
        b"E0000 00:00:1795934418.783888    5165 cuda_executor.cc:1] an error",
        b"Traceback (most recent call last):",
        b"2026-11-29 06:37:42.123456: F tensorflow/core/platform/statusor.cc:33] a crash",
    ]
    code = f"""
import os, subprocess, sys, time
from keras_langevin.quiet import without_log_lines
with without_log_lines():
    for line in {lines}:
        os.write(2, line + b"{chr(92)}n")
    child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
os.write(2, b"I0000 00:00:17.1 after{chr(92)}n")
child.wait()
time.sleep(0.2)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=os.environ | QUICK)
    found = ended.stderr.splitlines()
    assert sorted(found) == sorted([*lines[5:], b"I0000 00:00:17.1 after", b"late"])


CHILD = "import os, time; time.sleep(0.4); os.write(2, b'I0000 00:00:17.1 x] y' + bytes([10]) + b'late' + bytes([10]))"
QUICK = {"KERAS_BACKEND": "jax" if keras.backend.backend() == "tensorflow" else keras.backend.backend()}


@pytest.mark.ci
def test_a_process_without_a_standard_error_works():
    code = (
        "import os; os.close(2)\nfrom keras_langevin.quiet import without_log_lines\nwith without_log_lines(): print(1)"
    )
    environment = os.environ | QUICK
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert ended.stdout == "1\n"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's log lines")
@pytest.mark.ci
def test_tensorflow_is_imported_without_its_lines():
    code = "from keras_langevin.cli.terminal import start_keras; print(start_keras('tensorflow'))"
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    code = f"import keras_langevin_command\n{code}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert (ended.stdout, ended.stderr) == ("tensorflow\n", "")


def test_sigterm_ends_a_command_as_ctrl_c_does(results, monkeypatch, capsys):
    monkeypatch.setattr(claims, "judge", lambda folder: os.kill(os.getpid(), signal.SIGTERM))
    assert cli.main(["claims", str(results.parent)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("sigint", [signal.default_int_handler, signal.SIG_IGN], ids=["terminal", "background"])
def test_a_sigterm_that_comes_in_a_callback_of_the_garbage_collector_is_not_lost(sigint, results, monkeypatch, capsys):
    """Python ignores an exception there. A shell's background job ignores SIGINT."""

    def interrupt(phase, info):
        if phase == "start":
            gc.callbacks.remove(interrupt)
            os.kill(os.getpid(), signal.SIGTERM)

    begun = []  # the time before it goes to imports, which may come from a slow disk

    def judge(folder):
        begun.append(time.monotonic())
        gc.callbacks.append(interrupt)
        gc.collect(0)  # not the garbage of earlier tests
        for _ in range(300):
            time.sleep(0.1)

    monkeypatch.setattr(claims, "judge", judge)
    report, earlier = sys.unraisablehook, signal.signal(signal.SIGINT, sigint)
    try:
        assert cli.main(["claims", str(results.parent)]) == 130
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert time.monotonic() - begun[0] < 20
    assert "interrupted" in capsys.readouterr().err
    assert sys.unraisablehook is report
