"""TensorFlow's `MultiWorkerMirroredStrategy`, in processes connected by `TF_CONFIG`.

`python -m tests.reliability.distributed.multi_worker equal LOSS STEPS`: workers stay equal, and near one process.
`... seeds`: the first worker draws the seed for all. `... fit`: the error of `fit`.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from keras_langevin import LAdam
from tests.reliability.distributed import trainings


def train(strategy, make, loss: str, steps: int):
    """Returns a model after this many steps of a custom loop, in which each worker takes its share of each batch."""
    with strategy.scope():
        model, optimizer = trainings.network(), make(trainings.SEED)
        optimizer.build(model.trainable_variables)
    function = keras.losses.get(trainings.LOSSES[loss][0])

    def replica_step(features, targets):
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(function(targets, model(features))) / strategy.num_replicas_in_sync
        # `apply` sums the gradients of all replicas
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)

    step = tf.function(lambda *batch: strategy.run(replica_step, args=batch))
    data = tf.data.Dataset.from_tensor_slices(trainings.examples(steps)).batch(trainings.BATCH)
    for batch in strategy.experimental_distribute_dataset(data):
        step(*batch)
    return model, optimizer


def gathered(strategy, variables) -> np.ndarray:
    """Returns all elements of the variables, with a row per worker."""

    def replica():
        flat = tf.concat([tf.reshape(tf.cast(variable.value, tf.float64), [-1]) for variable in variables], 0)
        return tf.distribute.get_replica_context().all_gather(flat[None], axis=0)

    return strategy.experimental_local_results(tf.function(lambda: strategy.run(replica))())[0].numpy()


def equal(strategy, loss: str, steps: str):
    for name, make in trainings.MAKERS.items():
        expected = trainings.fitted(make, loss, int(steps), jit_compile=False).get_weights()
        model, optimizer = train(strategy, make, loss, int(steps))
        for variables in (model.trainable_variables, optimizer.variables):
            first, *others = gathered(strategy, variables)
            assert len(others) == 1
            np.testing.assert_array_equal(others[0], first)
        weights = [variable.value.values[0].numpy() for variable in model.trainable_variables]
        found = trainings.check_distance(name, loss, int(steps), weights, expected)
        print(f"{name}, {loss}, 2 workers: equal, {found:.1e} from one process")


def seeds(strategy):
    with strategy.scope():
        optimizer = LAdam(seed=None)
    first, second = gathered(strategy, [optimizer._own_variables()["seed"]])
    np.testing.assert_array_equal(second, first)
    print(f"seed {optimizer.seed} on both workers")


def fit(strategy):
    """Checks the error of `fit` with one of Keras's optimizers."""
    with strategy.scope():
        model = trainings.network()
        model.compile(optimizer="adam", loss="mse", jit_compile=False)
    try:
        model.fit(*trainings.examples(2), batch_size=trainings.BATCH, verbose=0)
    except ValueError as error:
        message = str(error)
        assert "Attempt to convert a value (PerReplica:" in message, message
        print("Keras: " + message.partition(":")[0])
    else:
        raise AssertionError("`fit` works under MultiWorkerMirroredStrategy: say so in docs/distribution.md")


if __name__ == "__main__":
    strategy = tf.distribute.MultiWorkerMirroredStrategy()  # must come before any other use of TensorFlow
    {"equal": equal, "seeds": seeds, "fit": fit}[sys.argv[1]](strategy, *sys.argv[2:])
