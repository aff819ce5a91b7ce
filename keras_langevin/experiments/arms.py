"""The optimizers of a comparison, as they are written. No Keras."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Family:
    """A Langevin optimizer, and the same optimizer without noise.

    Attributes:
        label: str, how the optimizer without noise is shown.
        learning_rate, sigma: floats, where none is given.
        epsilon: float, where none is given: the default of the Langevin class. `None` where there is no ε.
        langevin: str, what the Langevin optimizer is written as; empty for `l` and the family's name.
        langevin_label: str, how it is shown; empty for `L-` and the label.
        optimizer: str, the name of its class in `optimizers.REGISTRY`; empty for what it is written as.
        arguments: dict, what its class is called with besides.
    """

    label: str
    learning_rate: float = 1e-3
    sigma: float = 1e-3
    epsilon: float | None = 1e-6
    langevin: str = ""
    langevin_label: str = ""
    optimizer: str = ""
    arguments: dict = field(default_factory=dict)


# By the name of the optimizer without noise, in lower case and without hyphens.
FAMILIES = {
    "sgd": Family("SGD", learning_rate=0.01, epsilon=None),
    "sgdmomentum": Family(
        "SGD, momentum 0.9", learning_rate=0.01, epsilon=None, langevin="sghmc", langevin_label="SGHMC"
    ),
    "adam": Family("Adam"),
    "adamw": Family("AdamW"),
    "rmsprop": Family("RMSprop"),
    "rmspropepsoutside": Family("RMSprop (ε outside)", optimizer="lrmsprop", arguments={"epsilon_inside_sqrt": False}),
    "adadelta": Family("Adadelta", learning_rate=0.1, sigma=5e-2),
    "adagrad": Family("Adagrad", learning_rate=0.01),
    "nadam": Family("Nadam"),
    "adamax": Family("Adamax"),
    "lamb": Family("Lamb"),
    "lion": Family("Lion", learning_rate=1e-4, epsilon=None),
    "adafactor": Family("Adafactor", epsilon=None),
    "muon": Family("Muon"),
    "schedulefreeadamw": Family("Schedule-Free AdamW", learning_rate=2.5e-3),
}
# From what a Langevin optimizer is written as to its family.
LANGEVIN = {family.langevin or f"l{name}": name for name, family in FAMILIES.items()}
# What stands before an optimizer's name, and how it is shown; what it does is in `controls`. The first two take any
# optimizer, the next two a Langevin one, the others one without noise.
_MODIFIERS = {
    "clip": "{}, clipped",
    "warmup": "{}, warm-up",
    "first": "{} for the first {} updates",
    "always": "{} until the end",
    "isotropic": "{} + isotropic noise",
    "gradientnoise": "{} + gradient noise",
}
_NOISES = ("isotropic", "gradientnoise")
# The standard deviation of gradient noise at the first update, √0.01: the smallest that its authors tried.
_GRADIENT_NOISE = 0.1


@dataclass(frozen=True)
class Arm:
    """One optimizer of a comparison, written `name` or `name@layers`.

    Attributes:
        spec: str, as written: `"adam"`, `"ladam"`, `"ladam@0.3"` (the first 30% of the layers), `"ladam@3"` (the first
            three), `"ladam@0"` (no noise), `"ladam@-3"` (the last three), `"ladam@[0,7,-1]"` (these), `"ladam@dense_1"`
            (a name or regular expression). `"rmsprop"` has ε inside the root, as Keras has it, and
            `"rmsprop-eps-outside"` outside, as the paper and pSGLD have it; `"sgd-momentum"` is what `"sghmc"` is
            without noise. Before the name may stand `clip-` (the gradient's global norm is at most 1) or `warmup-` (the
            learning rate grows over the first 100 updates), as in `"clip-ladam"`; before that of a Langevin optimizer
            `first-35-` (noise in the first 35 updates alone) or `always-` (noise in the last third, too); or, before
            that of an optimizer without noise, `isotropic-` or `gradient-noise-`: other noise than Langevin's, see
            `controls`.
    """

    spec: str

    @property
    def optimizer(self) -> str:
        """The optimizer's name, in lower case and without a hyphen."""
        return self.spec.partition("@")[0].lower().replace("-", "")

    @property
    def modifier(self) -> str:
        """What stands before the name; empty where nothing does.

        >>> Arm("clip-ladam@0.3").modifier, Arm("ladam").modifier
        ('clip', '')
        """
        return next((name for name in _MODIFIERS if self.optimizer.startswith(name)), "")

    @property
    def noisy_updates(self) -> int | None:
        """How many updates have noise, where `first-` says so.

        >>> Arm("first-35-ladam").noisy_updates
        35
        """
        match = re.match(r"first(\d+)", self.optimizer, re.ASCII)
        return int(match[1]) if match else None

    @property
    def unmodified(self) -> str:
        """The optimizer's name without the modifier."""
        name = self.optimizer.removeprefix(self.modifier)
        return re.sub(r"^\d+", "", name) if self.modifier == "first" else name

    @property
    def is_noisy(self) -> bool:
        """Whether the optimizer has noise, of whatever kind: then it has `sigma` and `layers`."""
        return self.modifier in _NOISES or self._is_langevin

    @property
    def parent(self) -> str:
        """The name of the optimizer without noise, with the same remedy, that it is compared with.

        >>> Arm("L-Adam").parent, Arm("clip-ladam").parent, Arm("isotropic-adam").parent, Arm("first-9-ladam").parent
        ('adam', 'clipadam', 'adam', 'adam')
        """
        return self.family if self.modifier in (*_NOISES, "first", "always") else self.modifier + self.family

    @property
    def family(self) -> str:
        """The optimizer without noise that is at the bottom of it, a key of `FAMILIES` if it is known."""
        name = self.unmodified
        return name if name in FAMILIES else LANGEVIN.get(name, name[1:])

    def arguments(self, learning_rate=None, sigma=None, epsilon=None) -> dict[str, float | int | str | list | None]:
        """What its optimizer is called with: what is given, else its own. An arm without noise is called with what the
        Langevin arm is called with, but for `sigma` and `layers`.

        Args:
            learning_rate, sigma, epsilon: floats, or `None` for its own. Default to `None`.

        Example:

        >>> Arm("adam").arguments(), Arm("ladam@0.3").arguments(sigma=0.1)
        ({'learning_rate': 0.001, 'epsilon': 1e-06}, \
{'learning_rate': 0.001, 'epsilon': 1e-06, 'sigma': 0.1, 'layers': 0.3})
        """
        family = FAMILIES.get(self.family, Family(self.family))
        found = {"learning_rate": family.learning_rate if learning_rate is None else float(learning_rate)}
        if family.epsilon is not None:
            found["epsilon"] = family.epsilon if epsilon is None else float(epsilon)
        if self.is_noisy:
            own = _GRADIENT_NOISE if self.modifier == "gradientnoise" else family.sigma
            found |= {"sigma": own if sigma is None else float(sigma), "layers": self.layers}
        return found

    @property
    def _is_langevin(self) -> bool:
        return self.modifier not in _NOISES and self.unmodified not in FAMILIES

    @property
    def layers(self) -> float | int | str | list[int] | None:
        """The `layers` argument.

        >>> Arm("ladam@0.3").layers, Arm("ladam@-3").layers
        (0.3, [-3, -2, -1])
        """
        text = self.spec.partition("@")[2]
        if not text:
            return None
        if re.fullmatch(r"\d+", text):
            return int(text)
        if re.fullmatch(r"-\d+", text):
            return list(range(int(text), 0))
        if re.fullmatch(r"\[-?\d+(,-?\d+)*\]", text):
            return [int(number) for number in text[1:-1].split(",")]
        if re.fullmatch(r"\d*\.\d+(e-?\d+)?", text):
            return float(text)
        return text

    @property
    def label(self) -> str:
        """The name that tables and pictures show, e.g. `30%-Layer L-Adam`.

        >>> Arm("ladam@0").label, Arm("lrmsprop-eps-outside").label, Arm("first-35-ladam").label
        ('L-Adam without noise', 'L-RMSprop (ε outside)', 'L-Adam for the first 35 updates')
        """
        family = FAMILIES.get(self.family, Family(self.family))
        shown = family.label
        if self._is_langevin:
            shown = family.langevin_label or f"L-{shown}"
        shown = _MODIFIERS.get(self.modifier, "{}").format(shown, self.noisy_updates)
        layers = self.layers
        if layers is None:
            return shown
        if layers == 0 and not isinstance(layers, str):
            return f"{shown} without noise"
        if isinstance(layers, float):
            return f"{layers:.3g}-Layer {shown}" if layers < 0.01 else f"{layers:.0%}-Layer {shown}"
        if isinstance(layers, list):
            is_last = layers == list(range(-len(layers), 0))
            return f"{shown} on " + (f"the last {len(layers)}" if is_last else f"layers {', '.join(map(str, layers))}")
        return f"{shown} on {layers if isinstance(layers, str) else f'the first {layers}'}"
