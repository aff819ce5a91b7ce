"""PyTorch's `DistributedDataParallel`, in processes connected by torchrun's environment variables.

`python -m tests.reliability.distributed.ddp equal LOSS STEPS`: ranks stay equal, and near one process. `... seeds`:
ranks that draw their own seeds drift apart; the remedy works.
"""

import sys

import keras
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from keras_langevin import LAdam
from tests.reliability.distributed import trainings


def train(optimizer, loss: str, steps: int, rank: int = 0, size: int = 1) -> keras.Model:
    """Returns a model after this many steps with a process's share of each batch."""
    model = trainings.network()
    optimizer.build(model.trainable_variables)
    wrapped = DistributedDataParallel(model) if size > 1 else model
    function = keras.losses.get(trainings.LOSSES[loss][0])
    features, targets = (torch.as_tensor(array) for array in trainings.examples(steps))
    for step in range(steps):
        own = slice(step * trainings.BATCH + rank, (step + 1) * trainings.BATCH, size)
        wrapped.zero_grad()
        function(targets[own], wrapped(features[own])).mean().backward()
        optimizer.apply([variable.value.grad for variable in model.trainable_variables], model.trainable_variables)
    return model


def are_equal(variables) -> bool:
    """Whether all processes have the same bits."""
    flat = torch.cat([variable.value.detach().to(torch.float64).reshape(-1) for variable in variables])
    copies = [torch.empty_like(flat) for _ in range(dist.get_world_size())]
    dist.all_gather(copies, flat)
    return all(torch.equal(copy, copies[0]) for copy in copies)


def equal(loss: str, steps: str):
    rank, size = dist.get_rank(), dist.get_world_size()
    for name, make in trainings.MAKERS.items():
        expected = train(make(trainings.SEED), loss, int(steps)).get_weights()
        optimizer = make(trainings.SEED)
        model = train(optimizer, loss, int(steps), rank, size)
        assert are_equal(model.trainable_variables) and are_equal(optimizer.variables), name
        found = trainings.check_distance(name, loss, int(steps), model.get_weights(), expected)
        print(f"{name}, {loss}, {size} processes: equal, {found:.1e} from one process")


def seeds():
    def stay_equal(optimizer) -> bool:
        return are_equal(train(optimizer, "mse", 2, dist.get_rank(), dist.get_world_size()).trainable_variables)

    assert not stay_equal(LAdam(seed=None)), "does a drawn seed reach all ranks now? Say so in docs/distribution.md"
    assert stay_equal(LAdam(seed=trainings.SEED))
    keras.utils.set_random_seed(0)
    assert stay_equal(LAdam(seed=None))
    keras.utils.set_random_seed(dist.get_rank())
    optimizer = LAdam(seed=None)
    seed = [optimizer.seed]
    dist.broadcast_object_list(seed)
    optimizer.seed = seed[0]
    assert stay_equal(optimizer)
    print("ranks with seeds of their own drift apart; with a common seed they do not")


if __name__ == "__main__":
    dist.init_process_group("gloo")
    {"equal": equal, "seeds": seeds}[sys.argv[1]](*sys.argv[2:])
    dist.destroy_process_group()
