"""Every engine makes the same runs as the local one, bit for bit, even if its workers are killed."""

import contextlib
import os
import signal
import tempfile

import numpy as np
import pytest

from keras_langevin.experiments import runner, training
from keras_langevin.experiments.config import Comparison
from keras_langevin.experiments.engines import Local, Processes, RayCluster, processes
from keras_langevin.experiments.progress import Watcher
from keras_langevin.experiments.records import LOG_NAMES
from keras_langevin.experiments.store import Store
from tests.experiments.records import created
from tests.experiments.trained import trained
from tests.experiments.weights import arrays_of, assert_same_weights
from tests.quick import JIT

SMALL = Comparison(jit=JIT, model="dense-2", optimizers=("adam", "ladam@1"), epochs=3, batch_size=64, seeds=2)


@pytest.fixture(scope="module")
def data():
    return runner.prepare(SMALL)


@pytest.fixture(scope="module")
def expected(data, tmp_path_factory):
    return trained(SMALL, data, tmp_path_factory.mktemp("local"), Local(), save_weights=True)


def results(store):
    names = ("optimizer", "seed", "status", "curves", "test_accuracy", "test_loss")
    return [[record[name] for name in names] for record in store.records()]


class Killer(Watcher):
    """Kills worker processes at the given moments, each once.

    Args:
        moments: set of (optimizer, seed, epoch).
    """

    def __init__(self, moments):
        self.moments, self.started, self.ended = set(moments), [], []

    def start(self, task):
        self.started.append((task.arm.spec, task.seed, task.state.epoch if task.state else 0))

    def epoch(self, task, epoch, logs):
        import multiprocessing

        if (task.arm.spec, task.seed, epoch) in self.moments:
            self.moments.remove((task.arm.spec, task.seed, epoch))
            for process in multiprocessing.active_children():
                os.kill(process.pid, signal.SIGKILL)
                process.join()

    def end(self, task, record):
        self.ended.append((task.arm.spec, task.seed))


@pytest.mark.slow
def test_processes_give_the_same_runs_and_go_on_where_one_was_killed(data, tmp_path, expected):
    """Both workers are killed during their runs. Each run resumes from its last state, and ends once."""
    killer = Killer({("adam", 1, 2)})
    store = trained(SMALL, data, tmp_path, Processes(workers=2), watchers=[killer], save_weights=True)
    assert not killer.moments
    assert results(store) == results(expected)
    assert sorted(killer.ended) == [("adam", 0), ("adam", 1), ("ladam@1", 0), ("ladam@1", 1)]
    assert any(epoch > 0 for _, _, epoch in killer.started), "no run resumed from a state"
    for arm in SMALL.arms:
        for seed in range(2):
            assert_same_weights(*(arrays_of(each.weights_path(arm, seed)) for each in (store, expected)))


@pytest.mark.slow
def test_a_run_that_ends_every_worker_has_failed_and_the_others_have_not(data, tmp_path):
    class Each(Killer):
        def epoch(self, task, epoch, logs):
            self.moments = {(task.arm.spec, task.seed, epoch)} if task.seed == 1 else set()
            super().epoch(task, epoch, logs)

    comparison = Comparison(jit=JIT, model="dense-1", optimizers=("sgd",), epochs=200, batch_size=16, seeds=2)
    each = Each(())
    store = trained(comparison, data, tmp_path, Processes(workers=1), watchers=[each])
    assert [record["status"] for record in store.records()] == ["finished", "failed"]
    most = runner.MOST_WORKERS
    assert f"lost {most} times, the last time: its process was killed by signal 9" in store.records()[1]["error"]
    assert [start[1] for start in each.started].count(1) == most


@pytest.mark.ci
def test_an_error_in_a_worker_is_a_failed_run(data, tmp_path):
    """Tested with a state of another model, and with a file that is not a state."""
    comparison = Comparison(jit=JIT, model="dense-1", optimizers=("adam",), epochs=1, batch_size=256, seeds=1)
    store = created(Store(tmp_path, comparison))
    store.checkpoint(comparison.arms[0], 0).write(
        training.State(1, {name: [0.5] for name in LOG_NAMES}, 1.0, [np.zeros(3)])
    )
    runner.run([runner.Job(comparison, data, store)], Processes(workers=1))
    (record,) = store.records()
    assert record["status"] == "failed" and "must hold the state of this model" in record["error"]
    store.checkpoint(comparison.arms[0], 0).path.write_bytes(b"no state")
    runner.run([runner.Job(comparison, data, store)], Processes(workers=1))
    assert "must hold the state of an unfinished run" in store.records()[0]["error"]


@pytest.mark.ci
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="elsewhere the data are a named file during training")
def test_a_killed_parent_leaves_no_data_behind(data, tmp_path, monkeypatch):
    """The folder for temporary files is empty while runs are trained."""
    temporary, found = tmp_path / "temporary", []
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    class Looking(Watcher):
        def end(self, task, record):
            found.append((record["status"], os.listdir(temporary)))

    comparison = Comparison(jit=JIT, model="dense-1", optimizers=("adam",), epochs=1, batch_size=256, seeds=1)
    trained(comparison, data, tmp_path / "results", Processes(workers=1), watchers=[Looking()])
    assert found == [("finished", [])]


@pytest.mark.parametrize("has_proc", [True, False])
def test_shared_data_are_equal_and_cannot_be_written(has_proc, data, monkeypatch):
    if not has_proc:
        monkeypatch.setattr(processes.os.path, "isdir", lambda path: False)
    with contextlib.ExitStack() as files:
        copy = processes.shared(processes.share(files, data))
    for name in ("train", "validation", "test"):
        for one, other in zip(getattr(copy, name), getattr(data, name), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
            with pytest.raises(ValueError, match="read-only"):
                one[...] = 0
    assert copy.class_names == data.class_names


@pytest.mark.parametrize(("own", "threads"), [("1", "1"), ("8", "2"), ("", "2")])
def test_a_worker_has_no_more_threads_than_cores_and_than_the_user_allows(own, threads, monkeypatch):
    """On a busy machine, two threads that spin while they wait trained a small net ten times slower than one."""
    monkeypatch.setenv("OMP_NUM_THREADS", own)
    with processes._as_a_child_starts([*processes.available_cores()[:1]] * 2):
        assert os.environ["OMP_NUM_THREADS"] == threads and os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert os.environ["OMP_NUM_THREADS"] == own


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_a_wrong_number_of_workers_is_an_error(workers):
    with pytest.raises(ValueError, match=r"`workers` must be an int >= 1.*Received"):
        Processes(workers)


@pytest.mark.parametrize("wrong", [{"cpus_per_run": 0}, {"gpus_per_run": -1}, {"gpus_per_run": float("nan")}])
def test_wrong_resources_are_an_error(wrong):
    with pytest.raises(ValueError, match=r"must be a finite float.*Received"):
        RayCluster(**wrong)


@pytest.mark.slow
def test_a_ray_cluster_that_loses_a_node_gives_the_same_runs(data, tmp_path, expected):
    """In a real cluster of two nodes, the node that trains two of the runs is killed during them."""
    pytest.importorskip("ray")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        doomed = cluster.add_node(num_cpus=2)
        ray.init(cluster.address, log_to_driver=False)
        cluster.wait_for_nodes()

        class NodeKiller(Killer):
            def epoch(self, task, epoch, logs):
                nonlocal doomed
                busy = len(self.started) - len(self.ended)
                if doomed and busy >= 2 and epoch >= 2:
                    cluster.remove_node(doomed, allow_graceful=False)
                    doomed = None

        killer = NodeKiller(())
        store = trained(SMALL, data, tmp_path, RayCluster(), watchers=[killer], save_weights=True)
        assert doomed is None
        assert len(killer.started) > 4, "no run was lost with the node"
        assert sorted(killer.ended) == [("adam", 0), ("adam", 1), ("ladam@1", 0), ("ladam@1", 1)]
        assert results(store) == results(expected)
    finally:
        ray.shutdown()
        cluster.shutdown()
