"""Trains a comparison with an engine, for the tests of engines."""

from keras_langevin.experiments import runner
from keras_langevin.experiments.store import Store


def trained(comparison, data, folder, engine, **options):
    """Trains a comparison with an engine, keeps a state after every epoch, and returns the store."""
    store = Store(folder, comparison)
    runner.run([runner.Job(comparison, data, store)], engine, checkpoint_seconds=0, **options)
    return store
