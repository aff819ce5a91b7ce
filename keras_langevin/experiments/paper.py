"""The figures and tables of arXiv:2212.14718 as comparisons: one preset each, at three scales. No Keras.

All presets differ from the paper and its code as follows. After two thirds of the epochs the learning rate is divided
by ten and sigma is set to zero (the code: at epoch 20 of 40). If rates are tuned, they are tuned for each optimizer, on
the validation split, with equal budgets (the paper tunes nothing). Each seed has its own initial weights and batches,
the same for all optimizers. A batch has 512 images, as in the code, unless the preset has another size.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from keras_langevin.experiments.config import Sweep
from keras_langevin.names import unknown

SCALES = {
    "smoke": "less than a minute: does it run?",
    "cpu": "one or two hours on two cores",
    "full": "on one GPU",
}
_SEEDS = "fixed before the runs (docs/protocol.md); fewer than five conclude nothing"
_EPOCHS = "twelve, as in the first measurements of this project"


@dataclass(frozen=True)
class Preset:
    """One figure or table."""

    title: str  # what is shown
    mirrors: str  # its name in the paper, or that it is not there
    paper: str  # the paper's setting, with what its code adds
    settings: dict  # settings of `Sweep`, at every scale
    smoke: dict  # what a scale adds, as the next two
    cpu: dict = field(default_factory=lambda: {"epochs": 12, "seeds": 10})
    full: dict = field(default_factory=lambda: {"epochs": 12, "seeds": 10})
    why: dict[str, str] = field(default_factory=dict)  # from a setting to the reason for our value

    def reasons(self, scale: str) -> dict[str, str]:
        """Returns the reasons for settings on which the paper is silent or we differ."""
        if scale == "smoke":
            few = {"epochs": "few, with few images and seeds, to see that it runs"}
            return few | {name: why for name, why in self.why.items() if name not in ("epochs", "seeds", "limit")}
        usual = {"epochs": _EPOCHS} if self.cpu.get("epochs") == self.full.get("epochs") == 12 else {}
        return self.why | {name: why for name, why in ({"seeds": _SEEDS} | usual).items() if name not in self.why}

    def at(self, scale: str) -> dict:
        if scale not in SCALES:
            raise unknown("scale", scale, SCALES)
        return self.settings | getattr(self, scale)


def preset(name: str) -> Preset:
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def sweep(name: str, scale: str) -> Sweep:
    return Sweep(preset(name).at(scale))


PRESETS = {
    name: Preset(**entries)
    for name, entries in tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8")).items()
}
