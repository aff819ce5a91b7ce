"""Records as the runner writes them, made up."""

from keras_langevin.experiments.config import Comparison

COMPARISON = Comparison(optimizers=("adam", "ladam"), epochs=3, seeds=3)


def record(optimizer, seed, test_accuracy, *, status="finished", epochs=3):
    curves = {
        "train_loss": [2.0, 1.0, 0.5],
        "train_accuracy": [0.2, 0.5, 0.9],
        "validation_loss": [2.1, 1.1, 0.6],
        "validation_accuracy": [0.1, 0.4, test_accuracy],
    }
    curves = {name: values[:epochs] for name, values in curves.items()}
    return {
        "optimizer": optimizer,
        "label": optimizer,
        "seed": seed,
        "num_classes": 10,
        "status": status,
        "test_accuracy": test_accuracy,
        "test_loss": 0.5,
        "train_loss": curves["train_loss"][-1] if epochs else None,
        "seconds": 2.0,
        "curves": curves,
    }


def failed(optimizer, seed):
    head = {"optimizer": optimizer, "label": optimizer, "seed": seed, "num_classes": 10}
    return head | {"status": "failed", "error": "MemoryError: no room", "traceback": "..."}


def three_seeds(adam, ladam):
    return [record("adam", i, value) for i, value in enumerate(adam)] + [
        record("ladam", i, value) for i, value in enumerate(ladam)
    ]
