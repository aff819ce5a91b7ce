"""What is compared: settings, checked before any work starts, and grids of settings. No Keras.

`Comparison` defines each setting once; the options of `keras-langevin compare` are made from its fields and docstring.
"""

import itertools
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import InitVar, asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from keras_langevin.experiments.optimizer_specs import OptimizerSpec
from keras_langevin.names import digest, plain, shown, unknown
from keras_langevin.values import LARGEST, is_count, is_number, two_thirds

DEFAULT_FOLDER = "keras-langevin-results"
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float64")  # Keras dtype policies
JIT = ("auto", "on", "off")


def _is_name(value) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _one_of(names: tuple[str, ...]) -> tuple:
    return str, f"{', '.join(names[:-1])} or {names[-1]}", lambda value: value in names


# Kinds of values: the type, what a value must be in words, and a function that checks it.
_NAME = str, "a name such as dense-30, or digits for a dataset", _is_name
_NAMES = (
    str,
    "a list of names such as adam and ladam",
    lambda value: isinstance(value, list | tuple) and value and all(map(_is_name, value)),
)
_LENGTH = int, "an int from 1 to 2³¹ − 1", lambda value: is_count(1)(value) and value < 2**31
_RUNS = int, "an int from 1 to 100,000", lambda value: is_count(1)(value) and value <= 100_000  # a list has all
_TRIALS = int, "an int from 0 to 100,000", lambda value: is_count(0)(value) and value <= 100_000
_RATE = float, "a float > 0 that float32 can hold", lambda value: is_number(value) and 0 < value <= LARGEST
_LEVEL = float, "a float >= 0 that float32 can hold", lambda value: is_number(value) and 0 <= value <= LARGEST
_SHARE = float, "a float in (0, 1)", lambda value: is_number(value) and 0 < value < 1
_FLAG = bool, "true or false", lambda value: isinstance(value, bool)
_AUGMENT = (
    str,
    "none, crop-flip (2 pixels), or crop-flip-PIXELS such as crop-flip-4",
    lambda value: isinstance(value, str) and re.fullmatch(r"none|crop-flip(-\d{1,2})?", value, re.ASCII),
)


def _setting(default, kind: tuple, *, is_swept: bool = True):
    return field(default=default, metadata={"kind": kind, "is_swept": is_swept})


@dataclass(frozen=True)
class Comparison:
    """The settings of a comparison: optimizers side by side, with the same initial weights and batches for each seed.
    An optimizer without noise has the same arguments, including ε, as the Langevin optimizer that it is compared with.
    After two thirds of the epochs, the learning rate is divided by ten and sigma is set to zero.

    Args:
        model: a family and a depth: dense-30, he-dense-30, bn-dense-30, conv-dense-20, highway-80, resnet-20, plain-20,
            densenet-40, narrow-resnet-20, narrow-densenet-22; densenet-121; or only the family, with `depth`. The
            prefixes gain-1.2-, grown-1.2- and lsuv- change the initial kernels. Defaults to dense-30, or to dense if
            `depth` is given.
        depth: the depth of the model's family, as the 30 of dense-30.
        dataset: digits (embedded); mnist, fashion_mnist, cifar10, cifar100, or any image-classification set of
            tensorflow-datasets with a train and a test split.
        optimizers: sgd, adam, adamw, rmsprop, adadelta, adagrad, nadam, adamax, lamb, lion, adafactor, muon,
            schedule-free-adamw; with noise lsgd, ladam, and so on; ladam@0.3 (the first 30% of the layers), ladam@3
            (the first three), ladam@-3 (the last three), ladam@REGEX, ladam@0 (no noise: the same as adam); rmsprop
            (ε inside the root, as in Keras), rmsprop-eps-outside (outside, as in the paper); sgd-momentum, the parent
            of sghmc. Prefixes: clip-, warmup-, first-35- (noise in the first 35 updates), always- (noise until the
            end), kernels-, kernels-35-, biases-, biases-35- (noise only on these), isotropic- and gradient-noise-
            (other noise).
        epochs: the length of a run. Defaults to 60 on digits and 12 elsewhere.
        batch_size: images in a batch. Defaults to 32 on digits and 512 elsewhere.
        learning_rate: γ of all optimizers. Defaults to that of each optimizer: 1e-3 for Adam, AdamW and RMSprop, 0.1
            for Adadelta, 0.01 for SGD and Adagrad.
        sigma: σ of all noise. Defaults to 0.05 with Adadelta and 1e-3 elsewhere.
        epsilon: ε of every optimizer that has one, with and without noise. Defaults to 1e-6.
        seeds: how many, starting at 0; runs on record are reused.
        validation_fraction: the share of the training examples that is held out.
        limit: the number of training examples, stratified by class, including validation. Defaults to all.
        augment: none; crop-flip: pad by 2 pixels, random crop and flip, as in the paper; crop-flip-4: pad by 4.
            Defaults to crop-flip on cifar10 and cifar100, and none elsewhere.
        standardize: bring each channel to mean 0 and variance 1 over the training split, instead of pixels in [0, 1].
        precision: Keras's dtype policy of the model: float32, mixed_bfloat16, mixed_float16, bfloat16 or float64 (on
            JAX with `JAX_ENABLE_X64=1`). The loss is computed in float32, or with float64 in float64.
        jit: whether the training step is compiled: on, off, or auto: by XLA on JAX and TensorFlow (with convolutions,
            Keras chooses), not on PyTorch, where on is `torch.compile` and needs a C++ compiler.
        tuning_trials: before the runs, search the learning rate and sigma on the validation split, with this many
            trials for every optimizer, including parents: the values above, the paper's (5e-3; 0.1 and 0.05 for
            Adadelta), and others from a tenth to ten times the values above. If the best of an optimizer is at the
            edge, all get a third as many more, a factor of ten beyond it, at most twice. 0: no search.
        tuning_seeds: how many seeds each trial has; they are none of those reported.
        tuning_epochs: the length of each trial. Of shorter ones the best three of each optimizer are trained again, as
            long as the runs, and the best of these is chosen. Defaults to `epochs`.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> comparison = Comparison(optimizers=("adam", "ladam@0.3"), dataset="mnist")
    >>> [arm.label for arm in comparison.arms], comparison.batch_size
    (['Adam', '30%-Layer L-Adam'], 512)
    """

    model: str = _setting(None, _NAME)
    depth: InitVar[int | None] = _setting(None, (int, "an int >= 1", is_count(1)))  # noqa: RUF009
    dataset: str = _setting("digits", _NAME)
    optimizers: tuple[str, ...] = _setting(("adam", "ladam", "ladam@0.3"), _NAMES, is_swept=False)
    epochs: int = _setting(None, _LENGTH)
    batch_size: int = _setting(None, _LENGTH)
    learning_rate: float | None = _setting(None, _RATE)
    sigma: float | None = _setting(None, _LEVEL)
    epsilon: float | None = _setting(None, _RATE)
    seeds: int = _setting(3, _RUNS, is_swept=False)
    validation_fraction: float = _setting(0.1, _SHARE, is_swept=False)
    limit: int | None = _setting(None, (int, "an int >= 2", is_count(2)))
    augment: str = _setting(None, _AUGMENT)
    standardize: bool = _setting(False, _FLAG, is_swept=False)
    precision: str = _setting("float32", _one_of(PRECISIONS))
    jit: str = _setting("auto", _one_of(JIT))
    tuning_trials: int = _setting(0, _TRIALS)
    tuning_seeds: int = _setting(1, _RUNS, is_swept=False)
    tuning_epochs: int | None = _setting(None, _LENGTH, is_swept=False)

    def __post_init__(self, depth: int | None):
        given = vars(self) | {"depth": depth}
        for name, setting in SETTINGS.items():
            setting.check(given[name])
        batch_size, epochs = (32, 60) if self.dataset == "digits" else (512, 12)
        augment = "crop-flip" if self.dataset in ("cifar10", "cifar100") else "none"
        otherwise = {"model": "dense" if depth else "dense-30"}
        otherwise |= {"batch_size": batch_size, "epochs": epochs, "augment": augment}
        # through `vars`, because the dataclass is frozen
        vars(self).update({name: value for name, value in otherwise.items() if given[name] is None})
        vars(self)["optimizers"] = tuple(OptimizerSpec(spec).spec for spec in self.optimizers)
        if depth is not None:
            if re.search(r"-\d+$", self.model):
                raise ValueError(
                    "`depth` must go with a model's family, as in model='dense'. "
                    f"Received: model={self.model!r}, depth={depth}. Leave one of them out."
                )
            vars(self)["model"] = f"{self.model}-{depth}"
        if self.tuning_trials and self.sigma == 0:
            raise ValueError(
                "`sigma` must be > 0 where it is tuned: values below and above it are tried. "
                f"Received: sigma={self.sigma}, tuning_trials={self.tuning_trials}. Leave one of them out."
            )
        labels = [arm.label for arm in self.arms]
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        if repeated:
            raise ValueError(f"`optimizers` must differ from one another. Received twice: {', '.join(repeated)}")
        for arm in self.arms:
            if "," in arm.spec.partition("@")[0]:
                raise ValueError(
                    f"`optimizers` must be names, separated by blanks on the command line. Received: {arm.spec!r}. "
                    f"Try: {arm.spec.replace(',', ' ')}"
                )
            if "@" in arm.spec and arm.layers is None:
                raise ValueError(f"Layers must follow the @, as in 'ladam@0.3'. Received: {arm.spec!r}")
            if arm.layers is not None and not arm.is_noisy:
                raise ValueError(
                    f"Layers can be given for a Langevin optimizer only. Received: {arm.spec!r}. "
                    f"Try: 'l{arm.spec}' or '{arm.optimizer}'"
                )

    @cached_property
    def arms(self) -> tuple[OptimizerSpec, ...]:
        return tuple(OptimizerSpec(spec) for spec in self.optimizers)

    @property
    def runs(self) -> list[tuple[OptimizerSpec, int]]:
        """The optimizer and seed of each run, ordered by optimizer, then by seed."""
        return [(arm, seed) for arm in self.arms for seed in range(self.seeds)]

    @property
    def padding(self) -> int | None:
        """The pixels of the random crop, or `None` without augmentation."""
        if self.augment == "none":
            return None
        return int(self.augment.removeprefix("crop-flip").removeprefix("-") or 2)

    @property
    def drop_epoch(self) -> int:
        """The first epoch, counted from 0, in which the learning rate is a tenth and sigma is zero."""
        return two_thirds(self.epochs)

    @property
    def unusual(self) -> dict[str, str]:
        """The settings that differ from their defaults, in words, without model, data, optimizers and seeds."""
        usual = Comparison(self.model, dataset=self.dataset, optimizers=self.optimizers, seeds=self.seeds)
        found = {name: value for name, value in asdict(self).items() if value != getattr(usual, name)}
        return {name: name.replace("_", " ") + ("" if value is True else f" {value}") for name, value in found.items()}

    def arguments(self, arm: OptimizerSpec) -> dict[str, Any]:
        """Returns the arguments of an optimizer before a search: those given, else its defaults."""
        return arm.arguments(self.learning_rate, self.sigma, self.epsilon)

    def as_dict(self, *, trial: bool = False, dataset_note: str = "", backend: str | None = None) -> dict:
        """Returns the content of `config.json`: settings, what was found, and, if not tuned, optimizers' arguments."""
        found = {"trial": trial, "dataset_note": dataset_note, "backend": backend}
        arms = [] if self.tuning_trials else self.arms
        return asdict(self) | found | {"arguments": {arm.spec: self.arguments(arm) for arm in arms}}

    def identity(self, **found) -> str:
        """Returns a text that identifies the configuration: all but the number of seeds. `found` as in `as_dict`."""
        entries = self.as_dict(**found)
        del entries["seeds"]
        if self.tuning_epochs is None:  # older than the setting, the results on record keep their names
            del entries["tuning_epochs"]
        return json.dumps(entries, sort_keys=True)

    def folder_name(self, **found) -> str:
        """Returns a name that is the same only for configurations of equal identity."""
        return f"{plain(self.model)}-{plain(self.dataset)}-{digest(self.identity(**found))}"


class Setting(NamedTuple):
    """A setting of `Comparison`, as a grid and the command line read it."""

    name: str
    type: type  # of one value
    expected: str
    is_right: Callable[[Any], Any]
    default: Any
    is_swept: bool
    text: str

    def check(self, value):
        """Raises `ValueError` if a value is wrong. `None` is right if it is the default."""
        if not (self.is_right(value) or (value is None and self.default is None)):
            default = "the default" if self.default is None or self.name == "optimizers" else repr(self.default)
            raise ValueError(
                f"`{self.name}` must be {self.expected}. Received: {self.name}={shown(value)}. "
                f"Leave it out for {default}."
            )


_TEXTS = dict(re.findall(r"^ {8}(\w+): (.+?)\n(?= {8}\w|\n)", Comparison.__doc__ or "", re.MULTILINE | re.DOTALL))
SETTINGS = {
    name: Setting(
        name, *each.metadata["kind"], each.default, each.metadata["is_swept"], " ".join(_TEXTS.get(name, "").split())
    )
    for name, each in Comparison.__dataclass_fields__.items()
}
SWEPT = tuple(name for name, setting in SETTINGS.items() if setting.is_swept)
NO_SEARCH = {name: setting.default for name, setting in SETTINGS.items() if name.startswith("tuning_")}


@dataclass(frozen=True)
class Sweep:
    """One comparison for each point of a grid: settings in `SWEPT` may be lists, and the last list varies fastest.

    >>> sweep = Sweep({"model": "dense", "depth": [3, 30], "sigma": [1e-4, 1e-3]})
    >>> [(comparison.model, comparison.sigma) for comparison in sweep.comparisons]
    [('dense-3', 0.0001), ('dense-3', 0.001), ('dense-30', 0.0001), ('dense-30', 0.001)]
    """

    settings: dict
    comparisons: tuple[Comparison, ...] = field(init=False)
    axes: dict[str, list] = field(init=False)  # the settings that have several values

    def __post_init__(self):
        lists = {}
        for name, value in self.settings.items():
            if name not in SETTINGS:
                raise unknown("setting", name, SETTINGS)
            lists[name] = [value]
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
                lists[name] = list(value)
        points = (dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values()))
        object.__setattr__(self, "comparisons", tuple(Comparison(**point) for point in points))
        object.__setattr__(self, "axes", {name: values for name, values in lists.items() if len(values) > 1})

    @property
    def completed(self) -> dict:
        """The settings, with the defaults that all comparisons share: defaults may change in later versions."""
        found = ({"model": "dense"} if "depth" in self.settings else {}) | self.settings
        for name in SETTINGS:
            values = {getattr(comparison, name) for comparison in self.comparisons} if name != "depth" else ()
            if name not in found and len(values) == 1:
                found[name] = values.pop()
        return found

    def folder_name(self, **found) -> str:
        """Returns a name that sweeps share if they differ only in seeds; for a single comparison, its own name."""
        if len(self.comparisons) == 1:
            return self.comparisons[0].folder_name(**found)
        cells = "\n".join(comparison.identity(**found) for comparison in self.comparisons)
        return f"sweep-{'-'.join(self.axes)}-{digest(cells)}"


def read_config(path: str | Path) -> dict:
    """Reads settings from a TOML file such as `config_text` writes. `Sweep` checks them."""
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"The configuration must be a TOML file that can be read. Received: {path} ({error}). Fix it."
        ) from error


def config_text(settings: dict) -> str:
    """Returns the settings as TOML, for `read_config`, without those that are `None`."""

    def written(value) -> str:
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(written, value))}]"
        # TOML and JSON write all values of settings in the same way: text, numbers, true and false
        return json.dumps(value, ensure_ascii=False)

    return "".join(f"{name} = {written(value)}\n" for name, value in settings.items() if value is not None)
