"""A comparison that an engine trains, for the tests of engines."""

from keras_langevin.experiments import runner
from keras_langevin.experiments.store import Store


def trained(comparison, data, folder, engine, **options):
    """The store of a comparison whose runs an engine has trained; their states are kept after every epoch."""
    store = Store(folder, comparison)
    runner.run([runner.Job(comparison, data, store)], engine, checkpoint_seconds=0, **options)
    return store
