"""Langevin optimizers, their parents, and a registry of both."""

from keras_langevin.optimizers import keras_classes
from keras_langevin.optimizers.adadelta import LAdadelta
from keras_langevin.optimizers.adafactor import LAdafactor
from keras_langevin.optimizers.adagrad import LAdagrad
from keras_langevin.optimizers.adam import LAdam, LAdamW
from keras_langevin.optimizers.adamax import LAdamax
from keras_langevin.optimizers.baoab import BAOAB
from keras_langevin.optimizers.conversion import without_noise
from keras_langevin.optimizers.cyclical import CyclicalCosine, CyclicalNoise
from keras_langevin.optimizers.describe import describe
from keras_langevin.optimizers.gamma_correction import GammaCorrection
from keras_langevin.optimizers.lamb import LLamb
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.optimizers.layer_noise import layer_noise
from keras_langevin.optimizers.lion import LLion
from keras_langevin.optimizers.nadam import LNadam
from keras_langevin.optimizers.noisy_layers import gate_layers
from keras_langevin.optimizers.registry import NEWER, REGISTRY, get
from keras_langevin.optimizers.rmsprop import LRMSprop
from keras_langevin.optimizers.schedules import LogSchedule, NoiseBurst, posterior_sigma
from keras_langevin.optimizers.sgd import LSGD
from keras_langevin.optimizers.sghmc import SGHMC
from keras_langevin.optimizers.sgnht import SGNHT

keras_classes.install()
globals().update(NEWER)

__all__ = [
    "BAOAB",
    "LSGD",
    "REGISTRY",
    "SGHMC",
    "SGNHT",
    "CyclicalCosine",
    "CyclicalNoise",
    "GammaCorrection",
    "LAdadelta",
    "LAdafactor",
    "LAdagrad",
    "LAdam",
    "LAdamW",
    "LAdamax",
    "LLamb",
    "LLion",
    "LNadam",
    "LRMSprop",
    "Langevin",
    "LogSchedule",
    "NoiseBurst",
    "describe",
    "gate_layers",
    "get",
    "layer_noise",
    "posterior_sigma",
    "without_noise",
    *NEWER,
]
