"""The optimizers of a comparison, as they are written. No Keras."""

import re
from dataclasses import dataclass

# (learning rate, sigma) of each parent and its Langevin optimizer where none is given, and the name it is shown by.
_DEFAULT_RATES = {
    "sgd": (0.01, 1e-3),
    "adam": (1e-3, 1e-3),
    "adamw": (1e-3, 1e-3),
    "rmsprop": (1e-3, 1e-3),
    "adadelta": (0.1, 5e-2),
    "adagrad": (0.01, 1e-3),
}
_SHOWN = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
}
# What stands before an optimizer's name, and how it is shown; what it does is in `controls`. The first two take any
# optimizer, the others one without noise.
_MODIFIERS = {
    "clip": "{}, clipped",
    "warmup": "{}, warm-up",
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
            three), `"ladam@-3"` (the last three), `"ladam@[0,7,-1]"` (these), `"ladam@dense_1"` (a name or regular
            expression). Before the name may stand `clip-` (the gradient's global norm is at most 1) or `warmup-` (the
            learning rate grows over the first 100 updates), as in `"clip-ladam"`, or, before that of an optimizer
            without noise, `isotropic-` or `gradient-noise-`: other noise than Langevin's, see `controls`.
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
    def unmodified(self) -> str:
        """The optimizer's name without the modifier."""
        return self.optimizer.removeprefix(self.modifier)

    @property
    def is_noisy(self) -> bool:
        """Whether there is noise, of whatever kind: then it has `sigma` and `layers`."""
        return self.modifier in _NOISES or self._is_langevin

    @property
    def parent(self) -> str:
        """The name of the optimizer without noise, with the same remedy, that it is compared with.

        >>> Arm("L-Adam").parent, Arm("clip-ladam").parent, Arm("isotropic-adam").parent
        ('adam', 'clipadam', 'adam')
        """
        return self._family if self.modifier in _NOISES else self.modifier + self._family

    @property
    def default_rates(self) -> tuple[float, float]:
        """Learning rate and sigma where none is given."""
        learning_rate, sigma = _DEFAULT_RATES.get(self._family, (1e-3, 1e-3))
        return learning_rate, _GRADIENT_NOISE if self.modifier == "gradientnoise" else sigma

    @property
    def _is_langevin(self) -> bool:
        return self.modifier not in _NOISES and self.unmodified not in _SHOWN

    @property
    def _family(self) -> str:
        """The optimizer of Keras that is at the bottom of it."""
        return self.unmodified[1:] if self._is_langevin else self.unmodified

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
        """The name that tables and pictures show, e.g. `30%-Layer L-Adam`."""
        shown = _SHOWN.get(self._family, self._family)
        if self._is_langevin:
            shown = f"L-{shown}"
        shown = _MODIFIERS.get(self.modifier, "{}").format(shown)
        layers = self.layers
        if layers is None:
            return shown
        if isinstance(layers, float):
            return f"{layers:.3g}-Layer {shown}" if layers < 0.01 else f"{layers:.0%}-Layer {shown}"
        if isinstance(layers, list):
            is_last = layers == list(range(-len(layers), 0))
            return f"{shown} on " + (f"the last {len(layers)}" if is_last else f"layers {', '.join(map(str, layers))}")
        return f"{shown} on {layers if isinstance(layers, str) else f'the first {layers}'}"
