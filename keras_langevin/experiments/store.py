"""Results on disk: one record per run, each replaced atomically, so that no finished run is ever lost."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from keras_langevin.experiments.config import Comparison, OptimizerSpec
from keras_langevin.experiments.records import CURVES, Checkpoint, checked_run
from keras_langevin.files import check_name, read_json, remove_pieces, replaced, writing_to
from keras_langevin.names import digest, file_name, shown
from keras_langevin.values import is_count

FIRST_TRIAL_SEED = 1_000_000  # far from the seeds of reported runs
_DATA = "data_sha256"
_WRITING_SECONDS = 60.0  # writing a file takes less


class Store:
    """A folder with `config.json`, `runs/*.json` (one record per run), `curves.csv` and pictures. During training,
    `runs/` also has the state from which a run resumes (`*.checkpoint.npz`).

    Nothing is written before it is `locked`. If more seeds are on record, `comparison` gets them. `found`: arguments of
    `Comparison.as_dict`. Raises `ValueError` if the folder holds results of another configuration or of other data
    (`Data.sha256`), or a file that is not a record.
    """

    def __init__(self, folder: str | Path, comparison: Comparison, data_sha256: str = "", **found):
        self.folder, self.comparison, self.data_sha256 = check_name(folder), comparison, data_sha256
        self.found = {"trial": False, "dataset_note": "", "backend": None} | found
        self._config = self.folder / "config.json"
        if self._config.exists():
            self._merge()
        self.records()  # raises now for a corrupt record, not after training

    @property
    def identity(self) -> str:
        """A text that identifies the configuration and what was found out, whatever the number of seeds."""
        return self.comparison.identity(**self.found)

    @property
    def is_trial(self) -> bool:
        return self.found["trial"]

    def planned(self, comparison: Comparison) -> list[tuple[OptimizerSpec, int]]:
        """Returns the runs of a comparison. A trial has its own seeds."""
        return [(arm, seed + FIRST_TRIAL_SEED * self.is_trial) for arm, seed in comparison.runs]

    def _settings(self) -> dict:
        """Returns the content of `config.json`, converted through JSON so that tuples compare equal to lists read."""
        data = {_DATA: self.data_sha256} if self.data_sha256 else {}
        return json.loads(json.dumps(self.comparison.as_dict(**self.found) | data))

    def _merge(self) -> bool:
        """Takes over the seeds and the data on record. Returns whether `config.json` must be written again."""
        on_record, wanted = read_json(self._config, "the configuration of a comparison"), self._settings()
        if not isinstance(on_record, dict):
            raise ValueError(f"{self._config} must be what `compare` wrote. Received other JSON. Choose another --out.")
        data, given = on_record.get(_DATA, ""), self.data_sha256
        differ = sorted(n for n in {*on_record, *wanted} - {_DATA} if on_record.get(n) != wanted.get(n))
        if differ and not (differ == ["seeds"] and is_count(1)(on_record.get("seeds"))):
            raise ValueError(
                f"{self.folder} holds results of another configuration (it differs in {', '.join(differ)}). "
                "Choose another --out, or move that folder away."
            )
        if data and given and data != given:
            raise ValueError(
                f"{self.folder} holds results that were trained on other data of the same name. Received data with "
                f"SHA-256 {given}, where config.json has {shown(data)}. Give the data that it was started with "
                "(--data-file, --data-dir), or choose another --out."
            )
        self.data_sha256 = data or given
        self.comparison = replace(self.comparison, seeds=max(on_record["seeds"], wanted["seeds"]))
        return self._settings() != on_record

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder against other processes. Makes it if missing, and writes `config.json` with all seeds."""
        lock = FileLock(self.folder / ".lock")
        try:
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(
                f"Another process is writing into {self.folder}. Wait until it has ended, or choose another --out."
            ) from error
        except OSError as error:
            raise ValueError(
                f"The folder for the results cannot be written, or {lock.lock_file} must be a plain file. Received: "
                f"{error.strerror}. Choose another --out."
            ) from error
        try:
            if not self._config.exists() or self._merge():
                with writing_to(self.folder), replaced(self._config) as file:
                    json.dump(self._settings(), file, indent=2)
            remove_pieces(self.folder / "runs")
            remove_pieces(self.folder, seconds=_WRITING_SECONDS)  # a report may be written there without the lock
            yield
        finally:
            lock.release()

    def name(self, arm: OptimizerSpec) -> str:
        """Returns a unique name of an optimizer, in characters that every file system accepts."""
        return file_name(arm.spec)

    def path(self, arm: OptimizerSpec, seed: int, suffix: str = ".json") -> Path:
        return self.folder / "runs" / f"{self.name(arm)}-seed-{seed}{suffix}"

    def weights_path(self, arm: OptimizerSpec, seed: int) -> Path:
        return self.path(arm, seed, ".weights.h5")

    def checkpoint(self, arm: OptimizerSpec, seed: int, chosen: dict[str, float] | None = None) -> Checkpoint:
        """Returns the file of a run's state. `chosen`: what a search chose for the optimizer."""
        owner = {"optimizer": arm.spec, "seed": seed, "configuration": digest(self.identity), "data": self.data_sha256}
        owner |= {"choice of the search": chosen} if chosen else {}
        return Checkpoint(self.path(arm, seed, ".checkpoint.npz"), owner, self.comparison.epochs)

    def finished(self, arm: OptimizerSpec, seed: int) -> bool:
        """Returns whether that run is on record. A failed run is not finished: it is tried again."""
        return self.path(arm, seed).exists() and self._record(arm, seed)["status"] != "failed"

    def read(self, arm: OptimizerSpec, seed: int) -> tuple[dict, bytes | None]:
        """Returns the record of a run, and its trained weights if they were kept, as `write` takes them."""
        weights = self.weights_path(arm, seed)
        return self._record(arm, seed), weights.read_bytes() if weights.exists() else None

    def write(self, arm: OptimizerSpec, seed: int, record: dict, weights: bytes | None = None):
        """Writes the record of a run, its weights, and all curves. Raises `StorageError` if the disk is full."""
        with writing_to(self.folder):
            if weights is not None:  # first: a run with a record is not trained again
                with replaced(self.weights_path(arm, seed), "wb") as file:
                    file.write(weights)
            with replaced(self.path(arm, seed)) as file:
                json.dump(record, file, indent=1)
            if record["status"] != "failed":
                for suffix in (".checkpoint.npz", ".epochs.csv"):  # the second is of an earlier version
                    self.path(arm, seed, suffix).unlink(missing_ok=True)
            self.write_curves()

    def records(self) -> list[dict]:
        """Returns all records in the order of the configuration: by optimizer, then by seed."""
        return [self._record(*run) for run in self.planned(self.comparison) if self.path(*run).exists()]

    def _record(self, arm: OptimizerSpec, seed: int) -> dict:
        path = self.path(arm, seed)
        run = checked_run(read_json(path, "the record of a run"), path, trial=self.is_trial)
        if (run.arm.spec, run.seed) != (arm.spec, seed):
            raise ValueError(
                f"{path} must be the record of {arm.spec}, seed {seed}. Received one of {shown(run.arm.spec)}, seed "
                f"{shown(run.seed)}. Remove it to train that run."
            )
        return run.record

    def write_curves(self):
        """Writes `curves.csv`: a line for each optimizer, seed and epoch."""
        with replaced(self.folder / "curves.csv") as file:
            writer = csv.writer(file)
            writer.writerow(["optimizer", "seed", "epoch", *CURVES])
            for record in self.records():
                curves = [record.get("curves", {}).get(name, []) for name in CURVES]
                for epoch, values in enumerate(zip(*curves, strict=True), start=1):
                    writer.writerow([record["optimizer"], record["seed"], epoch, *values])
