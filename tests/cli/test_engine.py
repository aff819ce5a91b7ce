import pytest

from keras_langevin.cli import main
from tests.quick import JIT

QUICK = ["compare", "--jit", JIT, "--model", "dense-1", "--optimizers", "sgd"]
QUICK += ["--epochs", "1", "--batch-size", "256", "--seeds", "2"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--workers", "2"], "--workers goes with --engine processes. Received: --engine local"),
        (["--engine", "processes", "--address", "auto"], "--address goes with --engine ray"),
        (["--engine", "processes", "--workers", "0"], "`workers` must be an int >= 1"),
        (["--engine", "ray", "--gpus-per-run", "-1"], "`gpus_per_run` must be a finite float >= 0"),
    ],
)
def test_a_wrong_engine_is_an_error_before_anything_is_trained(options, message, tmp_path, capsys):
    assert main([*QUICK, *options, "--out", str(tmp_path / "out")]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("blank_pictures")
def test_logs_for_tensorboard_hold_the_curves(tmp_path, capsys):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from keras_langevin.experiments.report.collecting import collect

    out = tmp_path / "out"
    assert main([*QUICK, "--epochs", "3", "--tensorboard", "--out", str(out)]) == 0
    assert "s left" in capsys.readouterr().out
    (setting,) = collect([out])
    for run in setting.runs:
        events = EventAccumulator(str(out / "tensorboard" / f"sgd-seed-{run.seed}"))
        events.Reload()
        points = [(event.step, event.tensor_proto.float_val[0]) for event in events.Tensors("validation_loss")]
        assert points == [
            (epoch, pytest.approx(value)) for epoch, value in enumerate(run.curves["validation_loss"], start=1)
        ]
        (last,) = events.Tensors("test_accuracy")
        assert last.tensor_proto.float_val[0] == pytest.approx(run.test_accuracy)
