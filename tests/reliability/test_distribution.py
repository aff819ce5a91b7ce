"""Several devices and several processes: replicas stay equal, and the noise is that of one device.

The tests start child processes, because the number of devices must be set before the backend starts.
"""

import json
import socket
from contextlib import ExitStack

import pytest

from tests.optimizers.cases import BACKEND
from tests.reliability import children
from tests.reliability.distributed import page

STEPS = 200
# Enough threads for XLA: with only one per device, on a machine with fewer cores all can wait for one another, and XLA
# then ends the process.
THREADS = {"NPROC": "32"}

tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="a strategy of TensorFlow")
jax = pytest.mark.skipif(BACKEND != "jax", reason="a distribution of JAX")
torch = pytest.mark.skipif(BACKEND != "torch", reason="processes of PyTorch")
losses = pytest.mark.parametrize("loss", ["noise", "mse"])


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def run_workers(module: str, *arguments) -> list[str]:
    """Returns what each of two connected TensorFlow processes prints."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    configs = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(2)]
    return children.run_together(
        [children.start(module, *arguments, TF_CONFIG=json.dumps(config)) for config in configs]
    )


def run_ranks(module: str, *arguments) -> list[str]:
    """Returns what each of two connected PyTorch processes prints, started as by torchrun."""
    (port,) = free_ports(1)
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return children.run_together(
        [children.start(module, *arguments, RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in range(2)]
    )


def run_devices(module: str, *arguments) -> list[str]:
    """Returns what a process prints in which JAX sees eight devices."""
    return [children.run(module, *arguments, devices=8, **THREADS)]


# --- TensorFlow -------------------------------------------------------------------------------------------------------


@tensorflow
@pytest.mark.ci
def test_mirrored_replicas_in_a_few_steps():
    children.run("distributed.mirrored", "noise", 2, 2, "LAdam")


@tensorflow
@pytest.mark.slow
@losses
@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_mirrored_replicas_stay_equal(devices, loss):
    """Bit for bit equal to each other, and equal to one device's run within rounding."""
    children.run("distributed.mirrored", loss, STEPS, devices)


@tensorflow
@pytest.mark.slow
@losses
def test_workers_stay_equal(loss):
    """Two processes run a custom loop."""
    run_workers("distributed.multi_worker", "equal", loss, STEPS)


@tensorflow
@pytest.mark.slow
def test_workers_have_the_seed_that_the_first_drew():
    first, second = run_workers("distributed.multi_worker", "seeds")
    assert first == second


@tensorflow
@pytest.mark.slow
def test_fit_refuses_workers():
    """Keras 3 also raises this error for its own optimizers: https://github.com/keras-team/keras/issues/20585."""
    run_workers("distributed.multi_worker", "fit")


# --- JAX --------------------------------------------------------------------------------------------------------------


@jax
def test_meshes_in_a_few_steps():
    run_devices("distributed.meshes", "noise", 2, "2x2")


@jax
@pytest.mark.slow
@losses
@pytest.mark.parametrize("meshes", [("1", "2", "4", "8"), ("1x8", "2x4", "4x2")], ids=["data", "model"])
def test_copies_on_a_mesh_stay_equal(meshes, loss):
    """Bit for bit equal to each other, and equal to one device's run within rounding."""
    run_devices("distributed.meshes", loss, STEPS, *meshes)


@jax
@pytest.mark.slow
def test_a_checkpoint_of_one_mesh_goes_on_on_others(tmp_path):
    """Weights and optimizer state are equal bit for bit; then training equals an uninterrupted run to rounding."""
    run_devices("distributed.restored", STEPS, tmp_path, "2x4", "4x2", "1x8", "8")


@jax
def test_devices_that_share_variables_say_nothing_to_each_other():
    children.run("distributed.collectives", devices=4)


# --- PyTorch ----------------------------------------------------------------------------------------------------------


@torch
def test_ranks_in_a_few_steps():
    run_ranks("distributed.ddp", "equal", "noise", 2)


@torch
@pytest.mark.slow
@losses
def test_ranks_stay_equal(loss):
    """Bit for bit equal to each other, and equal to one process's run within rounding."""
    run_ranks("distributed.ddp", "equal", loss, STEPS)


@torch
@pytest.mark.slow
def test_ranks_with_seeds_of_their_own_drift_apart():
    """No process can notice this, because each is right by itself. The page's remedy works."""
    run_ranks("distributed.ddp", "seeds")


# --- the page ---------------------------------------------------------------------------------------------------------

# Heading -> the backend, how the program is started, what it prints.
PROGRAMS = {
    "TensorFlow, devices of one machine": ("tensorflow", lambda *a: [children.run(*a)], "2 replicas, loss"),
    "TensorFlow, several machines": ("tensorflow", run_workers, "2 replicas, loss"),
    "JAX, the batch split over devices": ("jax", run_devices, "8 devices, loss"),
    "JAX, variables split over devices": ("jax", run_devices, "8 devices, update 64, loss"),
    "PyTorch, a process for each device": ("torch", run_ranks, "2 processes, loss"),
}


def test_every_program_of_the_page_is_known():
    assert list(page.programs()) == list(PROGRAMS)
    assert page.PAGE.read_text("utf-8").count("```python") == len(PROGRAMS)


@pytest.mark.slow
@pytest.mark.parametrize("heading", PROGRAMS)
def test_programs_of_the_page(heading, tmp_path):
    backend, run, printed = PROGRAMS[heading]
    if backend != BACKEND:
        pytest.skip(f"a program for {backend}")
    for output in run("distributed.page", tmp_path, heading):
        assert printed in output
