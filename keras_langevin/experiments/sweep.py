"""Comparisons over a grid: settings of which some have several values, from Python, the command line or a TOML file."""

import itertools
import json
import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from keras_langevin.experiments.config import Comparison
from keras_langevin.names import digest, unknown
from keras_langevin.values import is_count

# `depth` goes with a model's family: "dense" and 30 are "dense-30". Of the others these may have several values.
SWEPT = (
    *("model", "depth", "dataset", "epochs", "batch_size", "learning_rate", "sigma", "epsilon", "limit"),
    *("augment", "precision", "jit", "tuning_trials"),
)
_NOT_GIVEN = ("backend", "dataset_note", "trial", "tuned")  # they are found out
SETTINGS = ("depth", *(f.name for f in fields(Comparison) if f.name not in _NOT_GIVEN))


@dataclass(frozen=True)
class Sweep:
    """One comparison for each point of a grid.

    Args:
        settings: dict of the settings of `Comparison`, and `depth`: an int that is joined to the model's family. Those
            in `SWEPT` may be lists; each combination of their values is a comparison.
        backend: str, the Keras backend that trains, or `None` where it does not matter yet.

    Raises:
        ValueError: an unknown setting, a list where there can be none, or a value out of its range.

    Example:

    >>> sweep = Sweep({"model": "dense", "depth": [3, 30], "sigma": [1e-4, 1e-3]})
    >>> [(comparison.model, comparison.sigma) for comparison in sweep.comparisons]
    [('dense-3', 0.0001), ('dense-3', 0.001), ('dense-30', 0.0001), ('dense-30', 0.001)]
    """

    settings: dict
    backend: str | None = None
    comparisons: tuple[Comparison, ...] = field(init=False)

    def __post_init__(self):
        for name, value in self.settings.items():
            if name not in SETTINGS:
                raise unknown("setting", name, SETTINGS)
            if isinstance(value, list | tuple) and name != "optimizers":
                if name not in SWEPT:
                    raise ValueError(
                        f"`{name}` must have one value. Received: {value!r}. "
                        f"Several are allowed for {', '.join(SWEPT)}."
                    )
                if not value:
                    raise ValueError(f"`{name}` must have at least one value. Received none.")
                if any(value.count(each) > 1 for each in value):
                    raise ValueError(f"The values of `{name}` must differ. Received: {value!r}")
        object.__setattr__(self, "comparisons", tuple(self._comparison(point) for point in self.points))

    @property
    def axes(self) -> dict[str, list]:
        """The settings that have several values."""
        return {
            name: list(value)
            for name, value in self.settings.items()
            if name != "optimizers" and isinstance(value, list | tuple) and len(value) > 1
        }

    @property
    def points(self) -> list[dict]:
        """The settings of each comparison, in the order of the grid: the last axis runs fastest."""
        lists = {
            name: [value] if name == "optimizers" or not isinstance(value, list | tuple) else list(value)
            for name, value in self.settings.items()
        }
        return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]

    def _comparison(self, point: dict) -> Comparison:
        point = dict(point)
        depth = point.pop("depth", None)
        if depth is not None:
            family = point.get("model", "")
            if not is_count(1)(depth):
                raise ValueError(f"`depth` must be an int >= 1. Received: depth={depth!r}")
            if not isinstance(family, str) or not family or re.search(r"-\d+$", family):
                raise ValueError(
                    "`depth` must go with a model's family, as in model='dense'. "
                    f"Received: model={family!r}, depth={depth}"
                )
            point["model"] = f"{family}-{depth}"
        return Comparison(**point, backend=self.backend)

    @property
    def folder_name(self) -> str:
        """A name that sweeps share that are equal but for their seeds; of a single comparison its own."""
        if len(self.comparisons) == 1:
            return self.comparisons[0].folder_name
        cells = "\n".join(comparison.identity for comparison in self.comparisons)
        return f"sweep-{'-'.join(self.axes)}-{digest(cells)}"


def read_config(path: str | Path) -> dict:
    """The settings in a TOML file.

    Raises:
        ValueError: there is no such file, it is no TOML, or it has tables.

    Example of a file:

        model = "dense"
        depth = [3, 20, 30]
        optimizers = ["adam", "ladam", "ladam@0.3"]
        seeds = 5
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            settings = tomllib.load(file)
    except OSError as error:
        raise ValueError(
            f"The configuration must be a file that can be read. Received: {path} ({error.strerror})"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"The configuration must be a TOML file. Received: {path} ({error})") from error
    tables = [name for name, value in settings.items() if isinstance(value, dict)]
    if tables:
        raise ValueError(f"The configuration has no tables, only settings. Received in {path}: [{tables[0]}]")
    return settings


def config_text(settings: dict) -> str:
    """The settings as TOML, for `read_config`; what is `None` is left out."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in settings.items() if value is not None)


def _toml(value) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # of what settings can be, TOML and JSON write all alike: text, numbers, true and false
    return json.dumps(value, ensure_ascii=False)
