"""What a comparison is, and a grid of them: frozen configurations that are checked before any work starts. No Keras."""

import itertools
import json
import re
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

from keras_langevin.experiments.arms import Arm
from keras_langevin.names import digest, plain, shown, unknown
from keras_langevin.values import LARGEST, is_count, is_number, or_none, two_thirds

# (batch size, epochs) where none is given.
_DEFAULT_LENGTHS = {"digits": (32, 60)}
_DEFAULT_LENGTH = (512, 12)
# Datasets that are augmented where nothing else is said.
_AUGMENTED = ("cifar10", "cifar100")
# Keras dtype policies.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float64")
JIT = ("auto", "on", "off")
_MOST_RUNS = 100_000  # they are listed, one by one


def _is_text(value) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count_to(most: int, least: int = 1):
    return lambda value: is_count(least)(value) and value <= most


# Setting, what it must be, and whether a value is that.
_CHECKS = (
    ("model", "a name such as dense-30", _is_text),
    ("dataset", "a name such as digits", _is_text),
    (
        "optimizers",
        "a list of names such as adam and ladam",
        lambda value: isinstance(value, list | tuple) and all(map(_is_text, value)),
    ),
    *((name, "an int from 1 to 2³¹ − 1", _is_count_to(2**31 - 1)) for name in ("epochs", "batch_size")),
    *((name, "an int from 1 to 100,000", _is_count_to(_MOST_RUNS)) for name in ("seeds", "tuning_seeds")),
    ("tuning_trials", "an int from 0 to 100,000", _is_count_to(_MOST_RUNS, 0)),
    ("learning_rate", "a float > 0 that float32 can hold", or_none(lambda v: is_number(v) and 0 < v <= LARGEST)),
    ("sigma", "a float >= 0 that float32 can hold", or_none(lambda v: is_number(v) and 0 <= v <= LARGEST)),
    ("epsilon", "a float > 0 that float32 can hold", or_none(lambda v: is_number(v) and 0 < v <= LARGEST)),
    ("validation_fraction", "a float in (0, 1)", lambda value: is_number(value) and 0 < value < 1),
    ("limit", "an int >= 2, or left out for all", or_none(is_count(2))),
    (
        "augment",
        "none, crop-flip (2 pixels), or crop-flip-PIXELS such as crop-flip-4",
        or_none(lambda value: isinstance(value, str) and re.fullmatch(r"none|crop-flip(-\d{1,2})?", value, re.ASCII)),
    ),
    ("standardize", "true or false", lambda value: isinstance(value, bool)),
    ("precision", f"{', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}", lambda value: value in PRECISIONS),
    ("jit", f"{', '.join(JIT[:-1])} or {JIT[-1]}", lambda value: value in JIT),
)


@dataclass(frozen=True)
class Comparison:
    """What was asked for: optimizers side by side, with equal initial weights and batches for each seed, and for an
    optimizer without noise every argument of the Langevin optimizer that it is compared with, ε among them.

    Both the learning rate is divided by ten and sigma set to zero when two thirds of the epochs are done.

    Args:
        model: str, a name that `models.build` takes. Defaults to `"dense-30"`.
        dataset: str, a name that `datasets.load` takes. Defaults to `"digits"`.
        optimizers: tuple of str, see `Arm`. Defaults to Adam, L-Adam and 30%-Layer L-Adam.
        epochs: int >= 1, or `None` for 60 on digits and 12 elsewhere.
        batch_size: int >= 1, or `None` for 32 on digits and 512 elsewhere.
        learning_rate: float > 0, or `None` for each optimizer's own: 1e-3 for Adam, AdamW and RMSprop, 0.1 for
            Adadelta, 0.01 for SGD and Adagrad.
        sigma: float >= 0, or `None` for 0.05 with Adadelta and 1e-3 elsewhere.
        epsilon: float > 0, ε of every optimizer that has one, with noise and without, or `None` for the default of the
            Langevin classes, 1e-6. Defaults to `None`.
        seeds: int >= 1: seeds 0, 1, ..., seeds − 1. Defaults to `3`.
        validation_fraction: float in (0, 1), the share of the training examples. Defaults to `0.1`.
        limit: int >= 2, so many training examples, validation among them, or `None` for all. Defaults to `None`.
        augment: str, `"none"`; `"crop-flip"`: pad by 2 pixels, random crop, random flip, as in the paper; with
            another padding `"crop-flip-4"`; or `None` for crop-flip on CIFAR-10 and CIFAR-100 and none elsewhere.
        standardize: bool, whether each channel is brought to mean 0 and variance 1 by the statistics of the training
            split, in place of pixels in [0, 1] alone. Defaults to `False`.
        precision: str, the Keras dtype policy of the model: `"float32"`, `"mixed_bfloat16"`, `"mixed_float16"` (with
            Keras's `LossScaleOptimizer`), `"bfloat16"` or `"float64"` (on JAX with `JAX_ENABLE_X64=1`). Pixels are
            prepared and the loss is computed in float32, under `"float64"` in float64. The initial weights of a seed
            are those of float32, rounded. Defaults to `"float32"`.
        jit: str, whether a step is compiled as one: `"on"`, `"off"`, or `"auto"`: by XLA on JAX and TensorFlow (but for
            nets with convolutions, where Keras chooses), and not at all on PyTorch. There `"on"` is `torch.compile`,
            which needs a C++ compiler on the machine. Defaults to `"auto"`.
        tuning_trials: int >= 0. Where it is not 0, the learning rate of every optimizer, and its sigma, are searched on
            the validation split before the runs, with so many trials for each optimizer (`tuning`). Defaults to `0`.
        tuning_seeds: int >= 1, so many runs are a trial; their seeds are not those of the runs that are reported.
            Defaults to `1`.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> comparison = Comparison(optimizers=("adam", "ladam@0.3"), dataset="mnist")
    >>> [arm.label for arm in comparison.arms], comparison.batch_size
    (['Adam', '30%-Layer L-Adam'], 512)
    """

    model: str = "dense-30"
    dataset: str = "digits"
    optimizers: tuple[str, ...] = ("adam", "ladam", "ladam@0.3")
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    sigma: float | None = None
    epsilon: float | None = None
    seeds: int = 3
    validation_fraction: float = 0.1
    limit: int | None = None
    augment: str | None = None
    standardize: bool = False
    precision: str = "float32"
    jit: str = "auto"
    tuning_trials: int = 0
    tuning_seeds: int = 1

    def __post_init__(self):
        batch_size, epochs = _DEFAULT_LENGTHS.get(str(self.dataset), _DEFAULT_LENGTH)
        object.__setattr__(self, "batch_size", batch_size if self.batch_size is None else self.batch_size)
        object.__setattr__(self, "epochs", epochs if self.epochs is None else self.epochs)
        for name, expected, is_right in _CHECKS:
            if not is_right(getattr(self, name)):
                default = type(self).__dataclass_fields__[name].default
                raise ValueError(
                    f"`{name}` must be {expected}. Received: {name}={shown(getattr(self, name))}. Leave it out for "
                    + ("the default." if default is None or isinstance(default, tuple) else f"{default!r}.")
                )
        object.__setattr__(self, "optimizers", tuple(self.optimizers))
        if self.augment is None:
            object.__setattr__(self, "augment", "crop-flip" if self.dataset in _AUGMENTED else "none")
        if self.tuning_trials and self.sigma == 0:
            raise ValueError(
                "`sigma` must be > 0 where it is tuned: values below and above it are tried. "
                f"Received: sigma={self.sigma}, tuning_trials={self.tuning_trials}. Leave one of them out."
            )
        if not self.optimizers:
            raise ValueError("`optimizers` must name at least one optimizer, e.g. adam ladam. Received none.")
        labels = [arm.label for arm in self.arms]
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        if repeated:
            raise ValueError(f"`optimizers` must differ from one another. Received twice: {', '.join(repeated)}")
        for arm in self.arms:
            if "@" in arm.spec and arm.layers is None:
                raise ValueError(f"Layers must follow the @, as in 'ladam@0.3'. Received: {arm.spec!r}")
            if arm.layers is not None and not arm.is_noisy:
                raise ValueError(
                    f"Layers can be given for a Langevin optimizer only. Received: {arm.spec!r}. "
                    f"Try: 'l{arm.spec}' or '{arm.optimizer}'"
                )

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(Arm(spec) for spec in self.optimizers)

    @property
    def runs(self) -> list[tuple[Arm, int]]:
        """Optimizer and seed of each run: by optimizer, then by seed."""
        return [(arm, seed) for arm in self.arms for seed in range(self.seeds)]

    @property
    def padding(self) -> int | None:
        """The pixels of the random crop, or `None` without augmentation."""
        if self.augment == "none":
            return None
        return int(self.augment.removeprefix("crop-flip").removeprefix("-") or 2)

    def arguments(self, arm: Arm) -> dict[str, float | int | str | list[int] | None]:
        """The arguments of an arm's optimizer before a search: what is given, else its own."""
        return arm.arguments(self.learning_rate, self.sigma, self.epsilon)

    @property
    def drop_epoch(self) -> int:
        """The epoch, counted from 0, from which on the learning rate is a tenth and sigma is zero."""
        return two_thirds(self.epochs)

    def has_step_of(self, other: "Comparison") -> bool:
        """Whether their training steps are one: they differ in numbers that a step reads from variables, or in nothing
        that a step sees."""
        free = {"learning_rate": None, "sigma": None, "epochs": 1, "seeds": 1, "optimizers": ("adam",)}
        free |= {"tuning_trials": 0, "tuning_seeds": 1}
        return replace(self, **free) == replace(other, **free)

    def run_key(self, arm: Arm, seed: int, arguments: dict) -> tuple:
        """What tells a run from all others, of other comparisons too. In a grid over sigma a run without noise is the
        same at each value."""
        free = {"learning_rate": None, "sigma": None, "epsilon": None, "seeds": 1, "optimizers": ("adam",)}
        free |= {"tuning_trials": 0, "tuning_seeds": 1}
        return replace(self, **free), arm, json.dumps(arguments, sort_keys=True), seed

    def as_dict(self, *, trial: bool = False, dataset_note: str = "", backend: str | None = None) -> dict:
        """The entries of `config.json`: what was asked for; whether it is a trial of a search, how the data differ from
        the official release, and what trains; and what each optimizer is called with, unless that is to be tuned."""
        found = {"trial": trial, "dataset_note": dataset_note, "backend": backend}
        arms = [] if self.tuning_trials else self.arms
        return asdict(self) | found | {"arguments": {arm.spec: self.arguments(arm) for arm in arms}}

    def identity(self, **found) -> str:
        """What tells this configuration from others: all but the number of seeds, of which there can be more later.
        `found` is as `as_dict` takes it."""
        entries = self.as_dict(**found)
        return json.dumps({name: value for name, value in entries.items() if name != "seeds"}, sort_keys=True)

    def folder_name(self, **found) -> str:
        """A name that configurations of equal identity share and others do not."""
        return f"{plain(self.model)}-{plain(self.dataset)}-{digest(self.identity(**found))}"


# `depth` goes with a model's family: "dense" and 30 are "dense-30". Of the others these may have several values.
SWEPT = (
    *("model", "depth", "dataset", "epochs", "batch_size", "learning_rate", "sigma", "epsilon", "limit"),
    *("augment", "precision", "jit", "tuning_trials"),
)
SETTINGS = ("depth", *(f.name for f in fields(Comparison)))


@dataclass(frozen=True)
class Sweep:
    """One comparison for each point of a grid.

    Args:
        settings: dict of the settings of `Comparison`, and `depth`: an int that is joined to the model's family. Those
            in `SWEPT` may be lists; each combination of their values is a comparison.

    Raises:
        ValueError: an unknown setting, a list where there can be none, or a value out of its range.

    Example:

    >>> sweep = Sweep({"model": "dense", "depth": [3, 30], "sigma": [1e-4, 1e-3]})
    >>> [(comparison.model, comparison.sigma) for comparison in sweep.comparisons]
    [('dense-3', 0.0001), ('dense-3', 0.001), ('dense-30', 0.0001), ('dense-30', 0.001)]
    """

    settings: dict
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
        return Comparison(**point)

    def folder_name(self, **found) -> str:
        """A name that sweeps share that are equal but for their seeds; of a single comparison its own."""
        if len(self.comparisons) == 1:
            return self.comparisons[0].folder_name(**found)
        cells = "\n".join(comparison.identity(**found) for comparison in self.comparisons)
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
