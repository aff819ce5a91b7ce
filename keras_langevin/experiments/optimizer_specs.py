"""The names of optimizers in a comparison, and what they mean. No Keras."""

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """A Langevin optimizer, and the same optimizer without noise."""

    label: str  # how the optimizer without noise is shown
    learning_rate: float = 1e-3  # the default, as are the next two
    sigma: float = 1e-3
    epsilon: float | None = 1e-6  # the default of the Langevin class; `None` where there is no ε
    paper: tuple[float, float] = (5e-3, 5e-3)  # the learning rate and sigma of arXiv:2212.14718
    langevin: str = ""  # the name of the Langevin optimizer; empty for `l` and the family's name
    langevin_label: str = ""  # how it is shown; empty for `L-` and the label
    optimizer: str = ""  # the name of its class in `optimizers.REGISTRY`; empty if that is its name
    arguments: dict = field(default_factory=dict)  # further arguments of its class


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
    "adadelta": Family("Adadelta", learning_rate=0.1, sigma=5e-2, paper=(0.1, 5e-2)),
    "adagrad": Family("Adagrad", learning_rate=0.01),
    "nadam": Family("Nadam"),
    "adamax": Family("Adamax"),
    "lamb": Family("Lamb"),
    "lion": Family("Lion", learning_rate=1e-4, epsilon=None),
    "adafactor": Family("Adafactor", epsilon=None),
    "muon": Family("Muon"),
    "schedulefreeadamw": Family("Schedule-Free AdamW", learning_rate=2.5e-3),
}
# From the name of a Langevin optimizer to its family.
LANGEVIN = {family.langevin or f"l{name}": name for name, family in FAMILIES.items()}


@dataclass(frozen=True)
class Modifier:
    """A prefix of an optimizer's name. What it does is in `controls`."""

    label: str  # a format for the optimizer's label
    takes_number: bool = False  # may give the number of first updates with noise
    is_remedy: bool = False  # the optimizer without noise that it is compared with has it, too
    is_noise: bool = False  # adds other noise to an optimizer without noise
    sigma: float | None = None  # the default, if it is not the family's


MODIFIERS = {
    "clip": Modifier("{}, clipped", is_remedy=True),
    "warmup": Modifier("{}, warm-up", is_remedy=True),
    "first": Modifier("{}", takes_number=True),
    "kernels": Modifier("{} on kernels", takes_number=True),
    "biases": Modifier("{} on biases", takes_number=True),
    "always": Modifier("{} until the end"),
    "isotropic": Modifier("{} + isotropic noise", is_noise=True),
    # √0.01 at the first update: the smallest that its authors tried
    "gradientnoise": Modifier("{} + gradient noise", is_noise=True, sigma=0.1),
    "": Modifier("{}", is_remedy=True),  # no prefix; the last, because every name begins with it
}
_NAME = re.compile(rf"({'|'.join(MODIFIERS)})(\d*)(.*)", re.DOTALL)
# What may follow the @, and how to convert it to `layers`. Anything else is a name or regular expression.
_LAYERS = (
    (r"", lambda text: None),
    (r"\d+", int),
    (r"-\d+", lambda text: list(range(int(text), 0))),
    (r"\[-?\d+(,-?\d+)*\]", lambda text: [int(number) for number in text[1:-1].split(",")]),
    (r"\d*\.\d+(e-?\d+)?", float),
)


@dataclass(frozen=True)
class OptimizerSpec:
    """One optimizer of a comparison, written `name` or `name@layers`, perhaps with a modifier; see `Comparison`.

    >>> arm = OptimizerSpec("L-Adam@-3")
    >>> arm.spec, arm.parent, arm.layers, arm.label
    ('ladam@-3', 'adam', [-3, -2, -1], 'L-Adam on the last 3')
    """

    spec: str  # in lower case, and `l` for `l-`
    optimizer: str = field(init=False, repr=False, compare=False)  # the name, in lower case and without hyphens
    modifier: str = field(init=False, repr=False, compare=False)  # a key of `MODIFIERS`, or empty
    noisy_updates: int | None = field(init=False, repr=False, compare=False)  # if the modifier has a number
    unmodified: str = field(init=False, repr=False, compare=False)  # the name without the modifier
    family: str = field(init=False, repr=False, compare=False)  # its optimizer without noise, of `FAMILIES` if known
    is_noisy: bool = field(init=False, repr=False, compare=False)  # with noise of any kind: has `sigma` and `layers`
    parent: str = field(init=False, repr=False, compare=False)  # what it is compared with: no noise, the same remedy
    layers: float | int | str | list[int] | None = field(init=False, repr=False, compare=False)  # the argument
    label: str = field(init=False, repr=False, compare=False)  # what tables and pictures show

    def __post_init__(self):
        name, at, text = self.spec.partition("@")
        written = re.sub(r"(?<![^-])l-+", "l", name.lower())  # L-Adam is ladam
        name = written.replace("-", "")
        modifier, number, unmodified = _NAME.fullmatch(name).groups()
        what = MODIFIERS[modifier]
        if not what.takes_number:
            number, unmodified = "", number + unmodified
        is_langevin = unmodified not in FAMILIES
        family = LANGEVIN.get(unmodified, unmodified[1:]) if is_langevin else unmodified
        known = FAMILIES.get(family, Family(family))
        number = int(number) if number else None
        layers = next((convert(text) for pattern, convert in _LAYERS if re.fullmatch(pattern, text)), text)
        label = known.langevin_label or f"L-{known.label}" if is_langevin and not what.is_noise else known.label
        label = what.label.format(label) + (f" for the first {number} updates" if number else "")
        vars(self).update(
            spec=written + at + text,
            optimizer=name,
            modifier=modifier,
            noisy_updates=number,
            unmodified=unmodified,
            family=family,
            is_noisy=is_langevin or what.is_noise,
            parent=modifier + family if what.is_remedy else family,
            layers=layers,
            label=_on_layers(label, layers),
        )

    def arguments(self, learning_rate=None, sigma=None, epsilon=None) -> dict[str, Any]:
        """Returns the arguments of the optimizer: those given, else its defaults.

        >>> OptimizerSpec("ladam@0.3").arguments(sigma=0.1)
        {'learning_rate': 0.001, 'epsilon': 1e-06, 'sigma': 0.1, 'layers': 0.3}
        """
        family = FAMILIES.get(self.family, Family(self.family))
        found = {"learning_rate": family.learning_rate if learning_rate is None else float(learning_rate)}
        if family.epsilon is not None:
            found["epsilon"] = family.epsilon if epsilon is None else float(epsilon)
        if self.is_noisy:
            own = MODIFIERS[self.modifier].sigma or family.sigma
            found |= {"sigma": own if sigma is None else float(sigma), "layers": self.layers}
        return found


def _on_layers(label: str, layers: float | int | str | list[int] | None) -> str:
    if layers is None:
        return label
    if layers == 0:
        return f"{label} without noise"
    if isinstance(layers, float):
        return f"{layers:.3g}-Layer {label}" if layers < 0.01 else f"{layers:.0%}-Layer {label}"
    if isinstance(layers, list):
        is_last = layers == list(range(-len(layers), 0))
        layers = f"the last {len(layers)}" if is_last else f"layers {', '.join(map(str, layers))}"
    return f"{label} on {f'the first {layers}' if isinstance(layers, int) else layers}"
