import dataclasses
import io

import pytest
from rich.console import Console

from keras_langevin.experiments import runner
from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.progress import RunsProgress
from keras_langevin.experiments.records import State
from keras_langevin.experiments.store import Store
from tests.experiments.records import failed, record

COMPARISON = Comparison(model="dense-2", optimizers=("adam",), epochs=10, seeds=4)


@pytest.fixture
def watched(tmp_path):
    """A progress with the clock `seconds[0]`, and the text that it printed."""
    seconds, text = [0.0], io.StringIO()
    job = job_of(COMPARISON, tmp_path)
    return RunsProgress([job], Console(file=text, width=200), clock=lambda: seconds[0]), seconds, text


def job_of(comparison, folder):
    return runner.Job(comparison, None, Store(folder, comparison))


def train(progress, task, seconds, duration, epochs=10):
    progress.start(task)
    seconds[0] += duration
    progress.epoch(task, epochs, {"val_accuracy": 0.5})


def test_the_time_left_is_by_the_epochs_that_were_trained(watched, tmp_path):
    progress, seconds, text = watched
    first, second, third, last = job_of(COMPARISON, tmp_path).tasks()
    train(progress, first, seconds, 20)
    progress.end(first, record("adam", 0, 0.9))
    assert text.getvalue() == "Adam, seed 0: test accuracy 90.0%, 2.0 s; about 60 s left\n"
    train(progress, second, seconds, 4, epochs=2)
    progress.end(second, failed("adam", 1))
    assert text.getvalue().splitlines()[-1] == "Adam, seed 1: failed: MemoryError: no room; about 40 s left"
    progress.start(third)
    progress.end(third, failed("adam", 2))
    assert text.getvalue().splitlines()[-1].endswith("; about 20 s left"), "the run failed at once"
    train(progress, last, seconds, 20)
    progress.end(last, record("adam", 3, 0.8, status="diverged"))
    assert text.getvalue().splitlines()[-1] == "Adam, seed 3: test accuracy 80.0% (diverged), 2.0 s"


def test_a_trial_shows_its_validation_accuracy(watched, tmp_path):
    progress, seconds, text = watched
    task = job_of(COMPARISON, tmp_path).tasks()[0]
    train(progress, task, seconds, 20)
    progress.end(task, record("adam", 0, None) | {"validation_accuracy": 0.75})
    assert "validation accuracy 75.0%, 2.0 s" in text.getvalue()


def test_a_resumed_run_counts_its_own_epochs_alone(watched, tmp_path):
    progress, seconds, text = watched
    first, *_ = job_of(COMPARISON, tmp_path).tasks()
    train(progress, dataclasses.replace(first, state=State(8, {}, 1.0, [])), seconds, 4)
    progress.end(first, record("adam", 0, 0.9))
    assert text.getvalue().endswith("; about 60 s left\n"), "two epochs took 4 s, and 30 are left"


def test_of_a_grid_each_line_says_what_differs(tmp_path):
    grid = [dataclasses.replace(COMPARISON, epochs=epochs, sigma=0.5) for epochs in (1, 2)]
    jobs, text = [job_of(each, tmp_path / str(each.epochs)) for each in grid], io.StringIO()
    progress = RunsProgress(jobs, Console(file=text, width=200))
    for number, job in enumerate(jobs):
        progress.end(job.tasks(number)[0], record("adam", 0, 0.9))
    assert text.getvalue().splitlines() == [f"epochs {n}, Adam, seed 0: test accuracy 90.0%, 2.0 s" for n in (1, 2)]
