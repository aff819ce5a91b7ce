"""Trains the runs of a comparison."""

import traceback
from collections.abc import Callable
from pathlib import Path

from keras_langevin import datasets, models, optimizers
from keras_langevin.experiments import precision
from keras_langevin.experiments.config import Arm, Comparison
from keras_langevin.experiments.store import Store
from keras_langevin.experiments.training import CHECKPOINT_SECONDS, Trainer
from keras_langevin.files import StorageError
from keras_langevin.optimizers.describe import describe


def prepare(
    comparison: Comparison,
    *,
    data_dir: str | Path | None = None,
    data_file: str | Path | None = None,
    data: datasets.Data | None = None,
) -> datasets.Data:
    """Loads the data and tries everything that the comparison names, before anything is trained.

    Args:
        comparison: the configuration.
        data_dir, data_file: as in `datasets.load`. Default to `None`.
        data: the data, where a comparison on the same was prepared before. Defaults to `None`.

    Returns:
        The data, with uint8 pixels. Where they have a note, the comparison must have it, too, before it is run:
        `dataclasses.replace(comparison, dataset_note=data.note)`.

    Raises:
        ValueError: an unknown name, layers that the model does not have, examples of a shape that it does not take,
            too large a batch, no data, a precision that the backend does not have.
    """
    precision.check(comparison.precision)
    for arm in comparison.arms:
        optimizers.get(arm.optimizer, **comparison.arguments(arm))
    models.build(comparison.model, input_shape=(32, 32, 3), num_classes=10)  # a wrong name, before data is downloaded
    if data is None:
        data = datasets.load(
            comparison.dataset,
            validation_fraction=comparison.validation_fraction,
            data_dir=data_dir,
            data_file=data_file,
            limit=comparison.limit,
            dtype="uint8",  # a quarter of the memory, and of what is sent to the accelerator
        )
    if comparison.batch_size > len(data.train.x):
        raise ValueError(
            f"`batch_size` must be at most {len(data.train.x)}, the number of training examples. "
            f"Received: batch_size={comparison.batch_size}"
        )
    model = models.build(comparison.model, data.input_shape, data.num_classes)
    for arm in comparison.arms:
        describe(model, optimizers.get(arm.optimizer, **comparison.arguments(arm)))
    return data


def run(
    comparison: Comparison,
    data: datasets.Data,
    store: Store,
    *,
    on_start: Callable[[Arm, int], None] = lambda arm, seed: None,
    on_epoch: Callable[[Arm, int, int, dict], None] = lambda arm, seed, epoch, logs: None,
    on_end: Callable[[Arm, dict], None] = lambda arm, record: None,
    save_weights: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    trainers: dict[str, Trainer] | None = None,
):
    """Trains every run that `store` does not hold yet, and writes each record as its run ends.

    A run that was interrupted goes on from its last state, and ends as if it had not been. An exception in a run is
    recorded and does not end the others. The compiled step of an optimizer is reused over the seeds.

    Args:
        comparison: the configuration.
        data: what `prepare` returned.
        store: where the records are and go.
        on_start: called with the arm and the seed as a run begins.
        on_epoch: called with the arm, the seed, the number of epochs done and Keras's logs.
        on_end: called with the arm and the record as a run ends.
        save_weights: bool, whether the trained weights are written beside the record. Defaults to `False`.
        checkpoint_seconds: float, the state of a run is kept at the end of an epoch, at most so often. Defaults to 10.
        trainers: dict, empty at first, in which compiled steps are kept from one comparison to the next that they
            serve: one with another learning rate, sigma, number of epochs or of seeds. Defaults to `None`.

    Raises:
        ValueError: the data have a note that the comparison does not have.
        StorageError: the store cannot be written; what it holds stays.
    """
    if data.note != comparison.dataset_note:
        raise ValueError(
            f"A comparison must say how its data differ from the official release: dataset_note={data.note!r}. "
            f"Received: {comparison.dataset_note!r}. Use dataclasses.replace(comparison, dataset_note=data.note)."
        )
    kept = {} if trainers is None else trainers
    for arm in comparison.arms:
        trainer = kept.pop(arm.spec, None)
        if trainer and trainer.serves(comparison, arm):
            trainer.rebind(comparison)
        else:
            trainer = None
        for seed in range(comparison.seeds):
            if store.finished(arm, seed):
                continue
            on_start(arm, seed)

            def on_epoch_of_run(epoch, logs, arm=arm, seed=seed):
                store.append_epoch(arm, seed, epoch, logs)
                on_epoch(arm, seed, epoch, logs)

            try:
                trainer = trainer or Trainer(comparison, data, arm)
                record = _head(arm, seed, data) | trainer.train(
                    seed, on_epoch_of_run, store.checkpoint(arm, seed), checkpoint_seconds
                )
                if save_weights:
                    trainer.save_weights(store.weights_path(arm, seed))
            except StorageError:
                raise
            except Exception as error:
                trainer = None  # its state is unknown
                record = _head(arm, seed, data) | {
                    "status": "failed",
                    "error": f"{type(error).__name__}: {error}".splitlines()[0],
                    "traceback": traceback.format_exc(),
                }
            store.write(arm, seed, record)
            on_end(arm, record)
        if trainer:
            kept[arm.spec] = trainer


def _head(arm: Arm, seed: int, data: datasets.Data) -> dict:
    return {"optimizer": arm.spec, "label": arm.label, "seed": seed, "num_classes": data.num_classes}
