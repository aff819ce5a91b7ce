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

from dataclasses import dataclass, field

from keras_langevin.experiments.config import Sweep
from keras_langevin.names import unknown

SCALES = {
    "smoke": "less than a minute: does it run?",
    "cpu": "one or two hours on two cores",
    "full": "on one GPU",
}


@dataclass(frozen=True)
class Preset:
    """One figure or table.

    Attributes:
        title: str, what is shown.
        mirrors: str, what it is in the paper; or that it is not there.
        paper: str, the paper's setting, with what its code adds.
        settings: dict, as `compare` and `Sweep` take them, at every scale.
        smoke, cpu, full: dicts, what a scale adds. Default to 12 epochs with five and ten seeds.
        why: dict from a setting to why ours is as it is. Defaults to none.
    """

    title: str
    mirrors: str
    paper: str
    settings: dict
    smoke: dict
    cpu: dict = field(default_factory=lambda: {"epochs": 12, "seeds": 5})
    full: dict = field(default_factory=lambda: {"epochs": 12, "seeds": 10})
    why: dict[str, str] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each setting is as it is, where the paper is silent or we differ."""
        usual = {"seeds": _SEEDS}
        if self.cpu.get("epochs") == self.full.get("epochs") == 12:
            usual["epochs"] = _EPOCHS
        return self.why | {name: why for name, why in usual.items() if name not in self.why}

    def at(self, scale: str) -> dict:
        """All settings at a scale.

        Raises:
            ValueError: there is no such scale.

        Example:

        >>> PRESETS["figure-3"].at("cpu")["model"]
        'dense-30'
        """
        if scale not in SCALES:
            raise unknown("scale", scale, SCALES)
        return self.settings | getattr(self, scale)


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        ValueError: there is none; the error has a suggestion.

    Example:

    >>> preset("figure-1").at("smoke")["depth"]
    [3, 10]
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]


def sweep(name: str, scale: str, backend: str | None = None) -> Sweep:
    """The comparisons of a preset.

    Args:
        name: str, of `PRESETS`.
        scale: str, of `SCALES`.
        backend: str, the Keras backend that trains, or `None` where it does not matter yet.
    """
    return Sweep(preset(name).at(scale), backend)


# The paper's RMSprop has ε outside the root.
_ALL = ["adam", "ladam", "rmsprop-eps-outside", "lrmsprop-eps-outside", "adadelta", "ladadelta", "sgd", "lsgd"]
_LAYER = ["adam", "ladam@0.3", "rmsprop-eps-outside", "lrmsprop-eps-outside@0.3", "adadelta", "ladadelta@0.3"]
NINE_AT_RANDOM = "ladam@[1,8,12,13,15,16,24,27,29]"  # of the 31 layers of dense-30, drawn once
# Two epochs of few images, so that a preset runs through within a minute.
_SMOKE = {"limit": 1000, "epochs": 2, "seeds": 2, "batch_size": 100}
# What two cores can do with convolutions.
_FEW = {"batch_size": 64, "seeds": 5, "tuning_trials": 4}
_SEEDS = "five: the fewest whose interval may be concluded from"
_EPOCHS = "twelve, as in the measurements that the project began with"

PRESETS = {
    "figure-1": Preset(
        title="Gain against depth: dense nets on MNIST",
        mirrors="Figure 1",
        paper="Dense nets with 3, 20, 30 and 40 hidden layers of 64 units, batch 512, γ = σ = 5e-3.",
        settings={"model": "dense", "dataset": "mnist", "optimizers": _ALL},
        smoke=_SMOKE | {"depth": [3, 10], "optimizers": _ALL[:4]},
        cpu={"depth": [3, 20, 30, 40], "epochs": 12, "seeds": 5, "tuning_trials": 4},
        full={"depth": [3, 20, 30, 40], "epochs": 12, "seeds": 10, "tuning_trials": 12},
        why={"optimizers": "SGD is added: the update without a preconditioner"},
    ),
    "figure-2": Preset(
        title="A highway net with 80 layers on CIFAR-10",
        mirrors="Figure 2",
        paper="80 highway layers of 64 units, gate bias −3, CIFAR-10, crop and flip, batch 512.",
        settings={"model": "highway-80", "dataset": "cifar10", "optimizers": _ALL[:6]},
        smoke=_SMOKE | {"model": "highway-5", "optimizers": _ALL[:4]},
        cpu={"limit": 10000, "epochs": 12, "seeds": 5, "optimizers": _ALL[:2], "tuning_trials": 4},
        full={"epochs": 40, "seeds": 5, "tuning_trials": 6},
        why={
            "limit": "a fifth of the images, for twelve epochs, and Adam alone, at scale cpu",
        },
    ),
    "figure-3": Preset(
        title="Layer Langevin: how many of the first layers? Dense-30 on MNIST",
        mirrors="Figure 3",
        paper="Adam, L-Adam, and Layer Langevin L-Adam on parts of a dense net with 30 hidden layers, MNIST.",
        settings={
            "model": "dense-30",
            "dataset": "mnist",
            "optimizers": ["adam", *(f"ladam@{part}" for part in (0.1, 0.3, 0.5, 0.9)), "ladam", "ladam@-9"],
        },
        smoke=_SMOKE | {"model": "dense-10"},
        why={
            "optimizers": "the last nine layers are added: as many as 30% from the other side",
            "learning_rate": "the default, 1e-3, with sigma 1e-3: were they tuned for each fraction, its effect could "
            "not be told from theirs",
        },
    ),
    "table-1": Preset(
        title="ResNet-20 on CIFAR-10 and CIFAR-100, 30%-Layer Langevin",
        mirrors="Table 1",
        paper="ResNet-20, crop and flip, batch 512, γ = σ = 5e-3 (Adadelta: 0.1 and 0.05), noise on the first 30%.",
        settings={"model": "resnet-20", "dataset": ["cifar10", "cifar100"], "optimizers": _LAYER},
        smoke=_SMOKE
        | {"model": "resnet-8", "limit": 300, "epochs": 1, "seeds": 1, "optimizers": _LAYER[:2], "dataset": "cifar10"},
        cpu=_FEW | {"dataset": "cifar10", "limit": 10000, "epochs": 8, "optimizers": _LAYER[:4]},
        full={"epochs": 40, "seeds": 5, "tuning_trials": 6},
        why={
            "limit": "10,000 images for 8 epochs at scale cpu, a twenty-fifth of a full training; batches of 64, for "
            "more updates",
        },
    ),
    "table-2": Preset(
        title="DenseNet on CIFAR-10, 30%-Layer Langevin",
        mirrors="Table 2",
        paper="DenseNet, growth rate 5 and three blocks of 6 layers in its code, crop and flip, batch 512.",
        settings={"model": "densenet-40", "dataset": "cifar10", "optimizers": _LAYER},
        smoke=_SMOKE | {"model": "densenet-7", "limit": 300, "epochs": 1, "seeds": 1, "optimizers": _LAYER[:2]},
        cpu=_FEW | {"model": "densenet-13", "limit": 5000, "epochs": 6, "optimizers": _LAYER[:2]},
        full={"epochs": 40, "seeds": 5, "tuning_trials": 6},
        why={
            "model": "DenseNet-40 with growth rate 12 of its authors (Huang et al. 2017): a net that others know; at "
            "scale cpu DenseNet-13",
            "limit": "5,000 images for 6 epochs at scale cpu; batches of 64",
        },
    ),
    "highway-depth": Preset(
        title="Highway nets of growing depth on MNIST",
        mirrors="no figure: the paper has a highway net of one depth",
        paper="Highway layers of 64 units, gate bias −3.",
        settings={"model": "highway", "dataset": "mnist", "optimizers": _ALL[:2]},
        smoke=_SMOKE | {"depth": [3, 10]},
        cpu={"depth": [10, 40, 80], "epochs": 6, "seeds": 5, "limit": 20000, "tuning_trials": 4},
        full={"depth": [10, 20, 40, 80], "epochs": 12, "seeds": 10, "tuning_trials": 6},
        why={"limit": "a third of the images at scale cpu"},
    ),
    "conv-dense-depth": Preset(
        title="Two convolutions and a dense net of growing depth, on MNIST",
        mirrors="no figure: the paper has nets of this kind on CIFAR-10",
        paper="Two convolutions of 32 filters 4 × 4 with max-pooling, and 20 dense layers of 64 units.",
        settings={"model": "conv-dense", "dataset": "mnist", "optimizers": _ALL[:2]},
        smoke=_SMOKE | {"depth": [3, 5], "limit": 300, "seeds": 1},
        cpu={"depth": [3, 20, 30], "epochs": 6, "seeds": 5, "limit": 10000, "batch_size": 128, "tuning_trials": 4},
        full={"dataset": ["mnist", "cifar10"], "depth": [3, 20, 30, 40], "epochs": 12, "seeds": 10, "tuning_trials": 6},
        why={"limit": "a sixth of the images at scale cpu"},
    ),
    "learning-rates": Preset(
        title="Is it the learning rate? Dense-40 on MNIST at several",
        mirrors="no figure: a control of Figure 1",
        paper="One learning rate for all depths.",
        settings={
            "model": "dense-40",
            "dataset": "mnist",
            "optimizers": _ALL[:2],
            "learning_rate": [1e-4, 3e-4, 1e-3],
        },
        smoke=_SMOKE | {"model": "dense-10", "learning_rate": [3e-4, 1e-3]},
        why={
            "learning_rate": "a search tries each once, and where some seeds fail to train it may choose by luck",
            "sigma": "the default, 1e-3, at each learning rate",
        },
    ),
    "equal-epsilon": Preset(
        title="Noise or no noise, all else equal: dense nets on MNIST",
        mirrors="no figure: a control of Figure 1",
        paper="Both arms are the same class, one of them with σ = 0, so that they have the same ε (1e-6).",
        settings={
            "model": "dense",
            "dataset": "mnist",
            "optimizers": [*_ALL[:2], "rmsprop", "lrmsprop", *_ALL[2:6]],
        },
        smoke=_SMOKE | {"depth": [5, 10]},
        cpu={"depth": [3, 20, 30, 40], "epochs": 12, "seeds": 5},
        full={"depth": [3, 20, 30, 40], "epochs": 12, "seeds": 10},
        why={
            "optimizers": "RMSprop with ε inside the root, as in Keras, and outside, as in the paper",
            "learning_rate": "the default of each optimizer, and its sigma: nothing is searched",
        },
    ),
    "adadelta-rates": Preset(
        title="Adadelta with less noise: dense-30 and dense-40 on MNIST",
        mirrors="no figure: a control of Figure 1",
        paper="γ = 0.1 and σ = 0.05.",
        settings={
            "model": "dense",
            "dataset": "mnist",
            "optimizers": _ALL[4:6],
            "learning_rate": 0.316,
            "sigma": 0.00834,
        },
        smoke=_SMOKE | {"depth": [5, 10]},
        cpu={"depth": [30, 40], "epochs": 12, "seeds": 5},
        full={"depth": [30, 40], "epochs": 12, "seeds": 10},
        why={
            "learning_rate": "what an earlier search chose for L-Adadelta with 30 layers, with its sigma; the default "
            "rates are in `equal-epsilon`",
        },
    ),
    "first-updates": Preset(
        title="Noise in the first updates alone, and larger initial kernels without noise: dense-40 on MNIST",
        mirrors="no figure: a control of Figure 1",
        paper="Noise in the first half of the training.",
        settings={
            "model": ["dense-40", "gain-1.12-dense-40"],
            "dataset": "mnist",
            "optimizers": ["adam", "first-35-ladam", "ladam"],
        },
        smoke=_SMOKE | {"model": ["dense-10", "gain-1.12-dense-10"]},
        why={
            "optimizers": "35 updates are a third of the first epoch",
            "model": "1.12 times the initial kernels: about what 35 noisy updates add to their root mean square",
            "learning_rate": "the default, 1e-3, with sigma 1e-3",
        },
    ),
    "controls": Preset(
        title="What is it about the noise? Other noise and other layers, dense-30 on MNIST",
        mirrors="no figure: controls",
        paper="It compares with the parent alone.",
        settings={
            "model": "dense-30",
            "dataset": "mnist",
            "optimizers": [
                *("adam", "ladam", "ladam@0.3", "ladam@-9", NINE_AT_RANDOM),
                *("isotropic-adam", "gradient-noise-adam"),
            ],
        },
        smoke=_SMOKE
        | {
            "model": "dense-10",
            "optimizers": ["adam", "ladam@-3", "ladam@[1,8]", "isotropic-adam", "gradient-noise-adam"],
        },
        why={
            "learning_rate": "the default, 1e-3, with sigma 1e-3: noise is of equal size only where it is not tuned",
            "optimizers": "nine layers at either end, and nine drawn once at random; noise of equal power, alike "
            "for all weights of a variable; noise on the gradient (Neelakantan et al. 2015)",
        },
    ),
    "gradient-noise": Preset(
        title="Noise on the gradient, of several sizes, dense-30 on MNIST",
        mirrors="no figure: a control",
        paper="It compares with the parent alone.",
        settings={
            "model": "dense-30",
            "dataset": "mnist",
            "optimizers": ["adam", "gradient-noise-adam"],
            "sigma": [1e-4, 1e-3, 1e-2],
        },
        smoke=_SMOKE | {"model": "dense-10"},
        why={
            "sigma": "its authors' smallest, 0.1 at the first update, is in `controls`",
        },
    ),
    "remedies": Preset(
        title="Is noise worth it where depth is treated otherwise? Dense nets of 30 layers on MNIST",
        mirrors="no figure: controls",
        paper="It has Keras's default initial weights, and no normalization.",
        settings={
            "model": ["dense-30", "he-dense-30", "bn-dense-30"],
            "dataset": "mnist",
            "optimizers": ["adam", "ladam", "clip-adam", "clip-ladam", "warmup-adam", "warmup-ladam"],
        },
        smoke=_SMOKE | {"model": ["he-dense-5", "bn-dense-5"]},
        cpu={"epochs": 12, "seeds": 5, "tuning_trials": 4},
        full={"epochs": 12, "seeds": 10, "tuning_trials": 12},
        why={
            "model": "He's initialization, and batch normalization",
            "optimizers": "gradients clipped to a global norm of 1; a learning rate that grows over 100 updates",
        },
    ),
}
