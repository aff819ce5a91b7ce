"""The paper's figures and tables as comparisons: one preset each, at three scales. No Keras.

P. Bras, Langevin algorithms for very deep neural networks with application to image classification, arXiv:2212.14718.

What holds of all of them, and why it differs from the paper and its code:

- The learning rate is divided by ten and sigma set to zero when two thirds of the epochs are done (the code: at epoch
  20 of 40). Noise has longer to help, and there is enough time without it to settle.
- Where rates are tuned, the learning rate of each optimizer, and sigma of each Langevin optimizer, are searched on the
  validation split, with equally many trials about the defaults of `Comparison`; the paper's own (5e-3 for Adam and
  RMSprop) are in that range. The paper tunes nothing, so that an optimizer without noise may merely have the wrong
  learning rate there.
- A batch is 512 images, as in the code, but where it says otherwise.
- Each seed has its own initial weights and batches, equal for all optimizers, and 10% of the training images are the
  validation split. The paper does not say how many runs its curves are of.
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
_SEEDS = "five: the fewest whose interval may be concluded from"
_EPOCHS = "twelve, as in the measurements that the project began with"


@dataclass(frozen=True)
class Preset:
    """One figure or table."""

    title: str  # what is shown
    mirrors: str  # what it is in the paper; or that it is not there
    paper: str  # the paper's setting, with what its code adds
    settings: dict  # as `compare` and `Sweep` take them, at every scale
    smoke: dict  # what a scale adds, as with the next two
    cpu: dict = field(default_factory=lambda: {"epochs": 12, "seeds": 5})
    full: dict = field(default_factory=lambda: {"epochs": 12, "seeds": 10})
    why: dict[str, str] = field(default_factory=dict)  # from a setting to why ours is as it is

    def reasons(self, scale: str) -> dict[str, str]:
        """Why each setting is as it is, where the paper is silent or we differ."""
        if scale == "smoke":
            few = {"epochs": "few, with few images and seeds, to see that it runs"}
            return few | {name: why for name, why in self.why.items() if name not in ("epochs", "seeds", "limit")}
        usual = {"epochs": _EPOCHS} if self.cpu.get("epochs") == self.full.get("epochs") == 12 else {}
        return self.why | {name: why for name, why in ({"seeds": _SEEDS} | usual).items() if name not in self.why}

    def at(self, scale: str) -> dict:
        """All settings at a scale.

        >>> PRESETS["figure-3"].at("cpu")["model"]
        'dense-30'
        """
        if scale not in SCALES:
            raise unknown("scale", scale, SCALES)
        return self.settings | getattr(self, scale)


def preset(name: str) -> Preset:
    """The preset of that name, or a `ValueError` with a suggestion.

    >>> preset("figure-1").at("smoke")["depth"]
    [3, 10]
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def sweep(name: str, scale: str) -> Sweep:
    """The comparisons of a preset."""
    return Sweep(preset(name).at(scale))


PRESETS = {
    name: Preset(**entries)
    for name, entries in tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8")).items()
}
