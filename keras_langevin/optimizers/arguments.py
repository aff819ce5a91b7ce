"""The arguments that Langevin optimizers add to their parent's, for type checkers, editors and `help`."""

import re
import textwrap
from collections.abc import Callable
from typing import Literal, TypedDict

import keras

from keras_langevin.optimizers.selection import LayersArgument

# A learning rate or a noise level: a number, a schedule, or a function without arguments.
Level = float | keras.optimizers.schedules.LearningRateSchedule | Callable[[], float]

Law = Literal["normal", "rademacher"]

# The line for the noise's arguments in an optimizer's docstring, which editors show. `help` and the documentation show
# `SPELLED_OUT` instead.
IN_SHORT = "sigma, layers, seed, noise: the noise, see `keras_langevin.Langevin`."
SPELLED_OUT = """\
sigma: σ, the noise level: float >= 0, schedule or callable. Give it by name. Defaults to `1e-3`.
layers: which layers are noisy: a fraction, a count, names, layers or a callable, see `keras_langevin.Langevin`.
    Defaults to `None` (all).
seed: int, or `None` to draw one. Defaults to `None`.
noise: `"normal"` or `"rademacher"`, see `keras_langevin.Langevin`. Defaults to `"normal"`."""


def spelled_out(docstring: str | None) -> str | None:
    """Returns a docstring that lists the noise's arguments one by one. (`python -OO` has no docstrings.)"""
    pattern = re.compile(rf"^( *){re.escape(IN_SHORT)}$", re.MULTILINE)
    return docstring and pattern.sub(lambda line: textwrap.indent(SPELLED_OUT, line[1]), docstring)


class Noise(TypedDict, total=False):
    """The noise's arguments."""

    sigma: Level
    layers: LayersArgument
    seed: int | None
    noise: Law


class NoiseArguments(Noise, total=False):
    """The noise's arguments and those of `keras.optimizers.Optimizer`, except `weight_decay`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


class Arguments(NoiseArguments, total=False):
    """The same with `weight_decay`, for classes whose `__init__` does not name it."""

    weight_decay: float | None
