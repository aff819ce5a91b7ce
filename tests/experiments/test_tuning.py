import dataclasses
import json
from collections import Counter
from typing import NamedTuple

import keras
import numpy as np
import pytest

from keras_langevin import cli
from keras_langevin.experiments import progress, report, runner, tuning
from keras_langevin.experiments.config import Comparison, OptimizerSpec
from keras_langevin.experiments.engines import Local
from keras_langevin.experiments.progress import Watcher
from keras_langevin.experiments.store import Store
from keras_langevin.experiments.tuning import Search, Stage, Trial
from keras_langevin.names import digest
from tests.experiments.records import created, record
from tests.quick import JIT

SMALL = Comparison(
    jit=JIT,
    model="dense-2",
    optimizers=("sgd", "lsgd@1"),
    epochs=2,
    batch_size=256,
    seeds=2,
    tuning_trials=3,
    tuning_seeds=2,
    limit=600,
)


@pytest.fixture(scope="module")
def data():
    return runner.prepare(SMALL)


def cell_in(folder, data, comparison=SMALL):
    return runner.Job(comparison, data, Store(folder, comparison))


def tune(job, engine):
    return tuning.settled([job], lambda trials, stage: runner.run(trials, engine))[0]


def no_trials(trials, stage):
    pytest.fail("the file already has the choice")


class Searched(NamedTuple):
    """A search and the runs after it.

    Attributes:
        job: the searched job.
        settled: the job that was trained with the chosen values.
        calls: int, how often the runs made a step in Python.
    """

    job: runner.Job
    settled: runner.Job
    calls: int


@pytest.fixture(scope="module")
def searched(data, tmp_path_factory):
    """A search that all tests of its results share."""
    calls, engine = [], Local()
    job = cell_in(tmp_path_factory.mktemp("searched"), data)
    settled = tune(job, engine)
    for trainer in engine.trainers.kept.values():
        step = trainer.model.train_step
        trainer.model.train_step = lambda *a, step=step, **k: calls.append(1) or step(*a, **k)
    runner.run([settled], engine)
    return Searched(job, settled, len(calls))


@pytest.mark.parametrize("given", [{}, {"learning_rate": 0.02, "sigma": 0.5}])
def test_all_optimizers_try_equally_many_points_about_their_own_values(given):
    comparison = Comparison(optimizers=("adadelta", "ladadelta", "ladam@0.3"), tuning_trials=16, **given)
    centres = [(0.1, 0.05), (0.1, 0.05), (1e-3, 1e-3)] if not given else [(0.02, 0.5)] * 3
    multiples = []
    for arm, (rate, sigma) in zip(comparison.arms, centres, strict=True):
        points = tuning.points(comparison, arm)
        names = {"learning_rate", "sigma"} if arm.is_noisy else {"learning_rate"}
        assert all(set(point) == names for point in points)
        assert points[0]["learning_rate"] == pytest.approx(rate)
        assert points[0].get("sigma", sigma) == pytest.approx(sigma)
        multiples.append([point["learning_rate"] / rate for point in points])
        assert len(set(multiples[-1])) == 16
        for centre, name in ((rate, "learning_rate"), (sigma, "sigma")):
            logs = np.log10([point.get(name, centre) / centre for point in points])
            assert np.all(np.abs(logs) <= 1)
            if name in names:  # they fill the range: at least one of 16 in each eighth of it
                assert set(np.clip(np.floor((logs + 1) * 4), 0, 7)) == set(range(8))
    np.testing.assert_allclose(multiples[0], multiples[1], rtol=0.01)
    np.testing.assert_allclose(multiples[0][2:], multiples[2][2:], rtol=0.01)


def test_an_extension_tries_as_many_new_points_for_all_optimizers():
    """Also where the best trial lies such that the points about it fall on those of before."""
    comparison = Comparison(optimizers=("adam", "ladam"), tuning_trials=12)
    for arm in comparison.arms:
        first = tuning.points(comparison, arm)
        for best in range(12):
            trials = tuple(
                Trial(point["learning_rate"], point.get("sigma"), (float(number == best),), (0.0,))
                for number, point in enumerate(first)
            )
            more = tuning.points(comparison, arm, Search(trials))
            assert len(more) == 4 and len({tuple(point.values()) for point in [*first, *more]}) == 16, (arm.spec, best)


def test_the_rates_of_the_paper_are_tried_second():
    """As in docs/protocol.md: γ = σ = 5e-3; for Adadelta 0.1 and 0.05, which are its defaults."""
    comparison = Comparison(optimizers=("adam", "ladam@0.3", "lrmsprop-eps-outside", "ladadelta"), tuning_trials=12)
    tried = {arm.spec: tuning.points(comparison, arm) for arm in comparison.arms}
    for spec, points in tried.items():
        assert len(points) == 12 and len({point["learning_rate"] for point in points}) == 12, spec
    assert tried["adam"][:2] == [{"learning_rate": 1e-3}, {"learning_rate": 5e-3}]
    default, paper = ({"learning_rate": rate, "sigma": rate} for rate in (1e-3, 5e-3))
    assert tried["ladam@0.3"][:2] == tried["lrmsprop-eps-outside"][:2] == [default, paper]
    assert tried["ladadelta"][0] == {"learning_rate": 0.1, "sigma": 0.05} not in tried["ladadelta"][1:]
    for settings in ({"learning_rate": 0.1}, {"sigma": 1e-4}, {"tuning_trials": 1}):
        other = dataclasses.replace(comparison, **settings)
        assert paper not in tuning.points(other, other.arms[1]), "beyond ten times the given value, or no room"


def test_the_best_on_the_validation_split_is_chosen():
    def trial(rate, accuracies, losses):
        return Trial(rate, None, accuracies, losses)

    default, best, close = (
        trial(1.0, (0.5, 0.7), (1, 1)),
        trial(2.0, (0.9, 0.8), (1, 2)),
        trial(3.0, (0.8, 0.9), (3, 2)),
    )
    assert Search((default, close, best)).chosen is best, "on a tie of accuracies the lower loss"
    assert Search((best, dataclasses.replace(best, learning_rate=5.0))).chosen is best, "on a full tie the first"
    half = trial(4.0, (1.0, None), (0.1, None))
    assert half.validation_accuracy == 0.5 and Search((half, default)).chosen is default, "a diverged run counts as 0"
    lost = trial(1.0, (None, None), (None, None))
    assert Search((lost, dataclasses.replace(lost, learning_rate=9.0))).chosen is lost, "no trial ended: the default"


def test_trials_choose_what_the_runs_are_trained_with(searched):
    job, settled, _ = searched
    for arm in SMALL.arms:
        means, found = [], tuning.read(job.store.folder / tuning.FILE)[arm.spec].trials
        assert [trial.arguments for trial in found[:3]] == tuning.points(SMALL, arm)
        for number, point in enumerate(trial.arguments for trial in found):
            folder = job.store.folder / "tuning" / f"{job.store.name(arm)}-{number}"
            records = [json.loads(path.read_text()) for path in sorted((folder / "runs").glob("*.json"))]
            assert [run["seed"] for run in records] == [1_000_000, 1_000_001]
            for run in records:
                assert run["test_accuracy"] is None and run["test_loss"] is None
                assert {name: run["arguments"][name] for name in point} == point
            means.append((np.mean([run["validation_accuracy"] for run in records]), point))
        best = max(means, key=lambda pair: pair[0])[1]
        chosen = settled.arguments(arm)
        assert {name: chosen[name] for name in best} == best
    for run in job.store.records():
        arguments = settled.arguments(OptimizerSpec(run["optimizer"]))
        assert run["arguments"] == arguments and run["test_accuracy"] is not None
    assert tuning.settled([job], no_trials)[0].chosen == settled.chosen


def test_the_test_split_is_not_looked_at(data, tmp_path):
    small = dataclasses.replace(SMALL, optimizers=("sgd",), epochs=1, seeds=1, tuning_seeds=1)
    job = cell_in(tmp_path, dataclasses.replace(data, test=None), small)
    settled = tune(job, Local())
    runner.run([settled], Local())
    assert {run["status"] for run in job.store.records()} == {"failed"}, "only the runs may look at it"


def test_trials_and_runs_share_a_step(searched):
    assert len(searched.job.store.records()) == 4
    assert searched.calls == (2 * 2 * 2 * 2 if keras.backend.backend() == "torch" else 0)


def test_runs_without_the_search_are_refused(data, tmp_path):
    job = cell_in(tmp_path, data)
    with pytest.raises(ValueError, match=r"Train the jobs that tuning\.settled returns"):
        runner.run([job], Local())
    with pytest.raises(ValueError, match="Received: 0 of 2"):
        tuning.settled([job], lambda trials, stage: None)


REST = '"sigma": null, "validation_accuracies": [1], "validation_losses": [1]}]}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "not an object"),
        ("{}", "not an object"),
        ('{"made_for": {}, "adam": []}', "not an object of lists"),
        ('{"made_for": {}, "adam": [{"learning_rate": 1}]}', "KeyError: 'sigma'"),
        ('{"made_for": {}, "adam": [{"learning_rate": NaN, ' + REST, "nan"),
        ('{"made_for": {}, "adam": [{"learning_rate": 1, ' + REST, "3 tr"),
    ],
)
def test_a_file_that_is_none_of_this_search_is_an_error(content, message, data, tmp_path):
    job = cell_in(tmp_path, data)
    (tmp_path / tuning.FILE).write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        tuning.settled([job], no_trials)
    assert "Remove it to choose again" in str(error.value)


def test_a_file_of_another_comparison_or_of_other_data_is_an_error(data, tmp_path):
    """Also if its trials are the same: `tuning.json` was copied from another folder."""
    job = runner.Job(SMALL, data, created(Store(tmp_path / "here", SMALL, "1" * 64)))
    trials = {
        arm.spec: [
            {"sigma": None} | values | {"validation_accuracies": [0.5, 0.5], "validation_losses": [1.0, 1.0]}
            for values in tuning.points(job.comparison, arm)
        ]
        for arm in job.comparison.arms
    }
    path = tmp_path / "here" / tuning.FILE

    def settle(made_for):
        path.write_text(json.dumps({"made_for": made_for} | trials))
        return tuning.settled([job], no_trials)

    here = {"configuration": digest(job.comparison.identity()), "data_sha256": job.store.data_sha256}
    (settled,) = settle(here)
    assert settled.chosen
    other = dataclasses.replace(job.comparison, epochs=job.comparison.epochs + 1)
    wrong = [
        ({"configuration": digest(other.identity())}, "another configuration"),
        ({"data_sha256": "0" * 64}, "another data_sha256"),
    ]
    for change, message in wrong:
        with pytest.raises(ValueError, match=rf"{message}\. Remove it to choose again"):
            settle(here | change)
    with pytest.raises(ValueError, match="is not an object"):
        settle([1])


COMMAND = ["compare", "--model", "dense-2", "--epochs", "2", "--batch-size", "256", "--seeds", "1"]
COMMAND += ["--optimizers", "adam", "ladam", "--tuning-trials", "3"]


@pytest.mark.slow
def test_an_interrupted_search_goes_on_and_ends_with_the_same_report(tmp_path, monkeypatch, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert cli.main([*COMMAND, "--out", str(whole)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "6 trials, 6 runs" in shown and "validation accuracy" in shown
    extensions = shown.count("at the edge of its range: the search continues: 2 trials, 2 runs")
    assert extensions == 2 and "of 5 trials on the validation split" in shown

    class Interrupted(Watcher):
        def __init__(self):
            self.ended = 0

        def end(self, task, record):
            self.ended += 1
            if self.ended == 4:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(progress, "TensorBoardLogs", lambda jobs: Interrupted())
        assert cli.main([*COMMAND, "--tensorboard", "--out", str(broken)]) == 130
    capsys.readouterr()
    assert cli.main([*COMMAND, "--out", str(broken)]) == 0
    resumed = capsys.readouterr().out
    assert "4 runs finished already; 2 left." in resumed and resumed.count("the search continues") == extensions
    for name in (tuning.FILE, "config.json", "curves.csv"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    assert cli.main([*COMMAND, "--out", str(broken)]) == 0
    assert "2 runs finished already; 0 left." in capsys.readouterr().out
    (found,) = report.collect([tmp_path])
    assert len(found.runs) == 2, "trials are not results, and equal runs count once"


def test_a_report_says_what_was_chosen(searched):
    folder = searched.job.store.folder
    (result,) = report.analyse(report.collect([folder]))
    said = " ".join(report.about_setting(result, 1))
    for arm in SMALL.arms:
        chosen = tuning.read(folder / tuning.FILE)[arm.spec].chosen.arguments
        assert f"{arm.label}: learning rate {chosen['learning_rate']:g}" in said
    assert "2 seeds each, none of those below" in said
    with pytest.raises(ValueError, match="trials of a search alone"):
        report.collect([folder / "tuning"])


def test_trials_may_be_shorter_than_the_runs(data, tmp_path):
    comparison = dataclasses.replace(SMALL, optimizers=("sgd",), epochs=3, tuning_epochs=1)
    job = cell_in(tmp_path, data, comparison)
    runner.run([tune(job, Local())], Local())
    trials = [json.loads(path.read_text()) for path in (tmp_path / "tuning").rglob("runs/*.json")]
    epochs = Counter(len(run["curves"]["train_loss"]) for run in trials)
    assert epochs.keys() == {1, 3} and epochs[3] == 3 * 2, "three final trials of two seeds"
    assert {len(run["curves"]["train_loss"]) for run in job.store.records()} == {3}
    (result,) = report.analyse(report.collect([tmp_path]))
    said = " ".join(report.about_setting(result, 1))
    tried = len(tuning.read(tmp_path / tuning.FILE)["sgd"].trials) - 3
    assert f"of 3 trials as long as the runs, which were the best of {tried} trials of 1 epoch (the default" in said


def test_a_choice_at_the_edge_is_said():
    trials = tuple(Trial(rate, 1 / rate, (rate,), (1.0,)) for rate in (0.2, 0.1, 0.9))
    assert Search(trials).edges == {"learning_rate": "highest", "sigma": "lowest"}
    assert Search(trials[:1]).edges == {}


class Made:
    """Stands in for training: records every trial with an accuracy that is a function of its learning rate."""

    def __init__(self, accuracy):
        self.accuracy, self.rounds = accuracy, []

    def __call__(self, trials, stage):
        self.rounds.append((stage, Counter(job.comparison.optimizers[0] for job in trials)))
        for job in trials:
            store = created(job.store)
            for arm, seed in store.planned(job.comparison):
                accuracy = self.accuracy(arm, job.comparison.learning_rate)
                store.write(arm, seed, record(arm.spec, seed, None) | {"validation_accuracy": accuracy})


def test_where_the_best_is_at_the_edge_the_search_goes_on_there_with_equal_budgets(data, tmp_path):
    """One optimizer's best rate is a hundred times its default, the other's is the default."""
    wants = {"sgd": 1.0, "lsgd@1": 0.01}
    made = Made(lambda arm, rate: 1 / (1 + abs(np.log10(rate / wants[arm.spec]))))
    comparison = dataclasses.replace(SMALL, tuning_trials=5, tuning_seeds=1)
    job = cell_in(tmp_path, data, comparison)
    (settled,) = tuning.settled([job], made)
    assert [stage for stage, _ in made.rounds] == [Stage.FIRST, Stage.WIDER, Stage.WIDER]
    for _, trials in made.rounds:
        assert len(set(trials.values())) == 1 and trials.keys() == wants.keys()
    assert sum(trials["sgd"] for _, trials in made.rounds) == 5 + 2 + 2, "a third more, rounded up, at most twice"
    found = tuning.read(tmp_path / tuning.FILE)
    assert 0.2 < settled.chosen["sgd"]["learning_rate"] < 5, "the first range ends at 0.1"
    assert settled.chosen["lsgd@1"]["learning_rate"] == 0.01
    assert {len(search.trials) for search in found.values()} == {9}
    for spec, (least, most) in {"lsgd@1": (1e-3, 0.1), "sgd": (1e-3, 10)}.items():
        assert all(least <= trial.learning_rate <= most for trial in found[spec].trials)
    before = (tmp_path / tuning.FILE).read_bytes()
    (tmp_path / tuning.FILE).unlink()
    tried = {(s, t.learning_rate): t.validation_accuracy for s, search in found.items() for t in search.trials}
    again = Made(lambda arm, rate: tried[arm.spec, rate])
    tuning.settled([job], again)
    assert again.rounds == made.rounds and (tmp_path / tuning.FILE).read_bytes() == before


def test_a_best_within_its_range_ends_the_search(data, tmp_path):
    made = Made(lambda arm, rate: 1 / (1 + abs(np.log10(rate / 0.01))))
    comparison = dataclasses.replace(SMALL, optimizers=("sgd",), tuning_trials=4)
    tuning.settled([cell_in(tmp_path, data, comparison)], made)
    assert made.rounds == [(Stage.FIRST, {"sgd": 4})]


def test_of_short_trials_the_best_three_are_trained_again_in_full_length(data, tmp_path):
    """What is best in a short training may be the worst in a long one, as noise often is."""

    class Longer(Made):
        def __call__(self, trials, stage):
            self.epochs = {job.comparison.epochs for job in trials}
            if stage is Stage.FINAL:
                self.accuracy = lambda arm, rate: rate
            super().__call__(trials, stage)

    made = Longer(lambda arm, rate: 1 / (1 + abs(np.log10(rate / 0.01))))
    comparison = dataclasses.replace(SMALL, optimizers=("sgd", "lsgd@1"), tuning_trials=4, epochs=6, tuning_epochs=2)
    job = cell_in(tmp_path, data, comparison)
    (settled,) = tuning.settled([job], made)
    assert made.rounds == [(Stage.FIRST, {"sgd": 4, "lsgd@1": 4}), (Stage.FINAL, {"sgd": 3, "lsgd@1": 3})]
    assert made.epochs == {6}
    for spec, search in tuning.read(tmp_path / tuning.FILE).items():
        short, finals = search.trials[:4], search.finals
        nearest = sorted(short, key=lambda trial: abs(np.log10(trial.learning_rate / 0.01)))
        assert [trial.arguments for trial in finals] == [trial.arguments for trial in nearest[:3]]
        assert settled.chosen[spec] == max(finals, key=lambda trial: trial.learning_rate).arguments
    assert tuning.settled([job], no_trials)[0].chosen == settled.chosen
    path = tmp_path / tuning.FILE
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: own[:4] if name != "made_for" else own for name, own in content.items()}))
    with pytest.raises(ValueError, match=r"Received one with no final trials\. Remove it"):
        tuning.settled([job], no_trials)


def test_runs_with_an_earlier_choice_are_not_taken_for_those_of_the_new_one(searched):
    job = searched.settled
    other = {spec: chosen | {"learning_rate": 3 * chosen["learning_rate"]} for spec, chosen in job.chosen.items()}
    with pytest.raises(
        ValueError, match=r"sgd.*-seed-0\.json must be of a run with what the search chose.*Move it away"
    ):
        runner.run([job._replace(chosen=other)], Local())


def test_a_run_does_not_resume_from_the_state_of_an_earlier_choice(data, tmp_path):
    comparison = dataclasses.replace(SMALL, optimizers=("sgd",), seeds=1)
    job = cell_in(tmp_path, data, comparison)._replace(chosen={"sgd": {"learning_rate": 0.01}})

    class Interrupted(Watcher):
        def epoch(self, task, epoch, logs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run([job], Local(), watchers=[Interrupted()], checkpoint_seconds=0)
    runner.run([job._replace(chosen={"sgd": {"learning_rate": 0.1}})], Local())
    (record,) = job.store.records()
    assert "another choice of the search" in record["error"] and "Remove it to restart" in record["error"]
    runner.run([job], Local())
    assert [record["status"] for record in job.store.records()] == ["finished"]
