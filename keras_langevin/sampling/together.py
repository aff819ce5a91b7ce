"""Trains several chains at once, on JAX."""

import itertools
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from keras_langevin.batches import as_fed
from keras_langevin.optimizers.stacked import StackedSteps
from keras_langevin.sampling import chain
from keras_langevin.sampling.samples import PosteriorSamples
from keras_langevin.sampling.settings import iteration_of
from keras_langevin.sampling.weights import assign_all
from keras_langevin.values import check_int

if keras.backend.backend() == "jax":
    from jax import numpy as jnp

_MOST_INDICES = 2**20  # of examples, for all updates of one call
_OWN = ("seed=", "other weights at update")  # may differ between chains
_FIT = {"epochs": 1, "batch_size": 32, "shuffle": True, "verbose": "auto"}


def check_fit(x, y, arguments: dict) -> dict:
    """Returns the arguments of a fit with Keras's defaults. Raises a `ValueError` if `fit_together` cannot run it."""
    if unknown := sorted(set(arguments) - set(_FIT)):
        raise ValueError(
            f"With `vectorized=True` `fit` takes {', '.join(_FIT)}. Received: {', '.join(unknown)}. Leave them out, or "
            "use `vectorized=False`."
        )
    arguments = _FIT | arguments
    check_int("epochs", arguments["epochs"], 1)
    check_int("batch_size", arguments["batch_size"], 1)
    shapes = [tuple(getattr(leaf, "shape", ())) for leaf in keras.tree.flatten((x, y))]
    sizes = {shape[0] if shape else 0 for shape in shapes}
    if len(sizes) != 1 or sizes == {0} or sizes.pop() % arguments["batch_size"]:
        raise ValueError(
            "With `vectorized=True` `x` and `y` must be arrays whose number of examples is a multiple of `batch_size`. "
            f"Received: arrays of shapes {shapes} and batch_size={arguments['batch_size']}. Choose a divisor, or use "
            "`vectorized=False`."
        )
    return arguments


def fit_together(models: Sequence, samples: Sequence[PosteriorSamples], seeds: Sequence[int], x, y, arguments: dict):
    """Trains each model as `fit` does, with its samples as the only callback.

    Args:
        models: list of compiled and built models that differ only in their values.
        samples: list of callbacks, one for each model. All take samples at the same updates.
        seeds: list of ints, one for each model, for the order of its batches.
        x, y: arrays, or structures of them.
        arguments: dict from `check_fit`.
    """
    variables = []
    for model, of_chain in zip(models, samples, strict=True):
        model.optimizer.build(model.trainable_variables)
        parts = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
        variables.append(list(itertools.chain(*parts)))
        _check_alike(models[0], model, variables)
        of_chain.set_model(model)
        of_chain.on_train_begin()
        of_chain.on_train_batch_begin(0)
    data = keras.tree.map_structure(jnp.asarray, as_fed((x, y)))
    size, batch_size = len(keras.tree.flatten(data)[0]), arguments["batch_size"]
    models[0].test_on_batch(*keras.tree.map_structure(lambda array: array[:batch_size], data))  # creates its metrics
    steps = StackedSteps(models[0], variables[0])
    stack = [jnp.stack([each.value for each in of_each]) for of_each in zip(*variables, strict=True)]
    batches = [_batches(size, batch_size, seed, arguments["shuffle"]) for seed in seeds]
    left, verbose = arguments["epochs"] * (size // batch_size), arguments["verbose"]
    bar = keras.utils.Progbar(left, verbose=1 if verbose == "auto" else verbose, unit_name="update")
    while left:
        due = samples[0].due - iteration_of(models[0].optimizer)
        count = min(due, left, max(_MOST_INDICES // batch_size, 1))
        indices = np.stack([list(itertools.islice(of_chain, count)) for of_chain in batches])
        stack, _ = steps.train(stack, indices, data)
        for number, of_chain in enumerate(samples):
            assign_all(variables[number], [values[number] for values in stack])
            of_chain.take()
        left -= count
        bar.add(count)
    for of_chain in samples:
        of_chain.on_train_end()


def _batches(size: int, batch_size: int, seed: int, shuffle: bool) -> Iterator[np.ndarray]:
    """Yields the indices of the examples of each batch. If shuffled, each epoch has its own order."""
    generator = np.random.default_rng(seed)
    while True:
        order = generator.permutation(size) if shuffle else np.arange(size)
        yield from order.reshape(-1, batch_size).astype("int32")


def _check_alike(first, model, variables: Sequence):
    """Checks that a model is of the same kind as the first. `variables` are those of all models so far."""
    kinds = [[(tuple(v.shape), v.dtype) for v in of_model] for of_model in (variables[0], variables[-1])]
    begun, now = (chain.begun(each, chain.levels_of(each.optimizer)) for each in (first, model))
    different = ["other weights"] * (kinds[0] != kinds[1])
    different += [line for line in chain.differences(begun, now, now["levels"], []) if not line.startswith(_OWN)]
    if different:
        raise ValueError(
            "With `vectorized=True` `build_model` must return the same model for every seed, except for its initial "
            f"weights. Received: in chain {len(variables) - 1} {'; '.join(different)}. Build them in the same way, or "
            "use `vectorized=False`."
        )
