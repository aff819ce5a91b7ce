"""A search for sigma before training."""

from keras_langevin.sigma.finding import find_sigma
from keras_langevin.sigma.result import SigmaSearch

__all__ = ["SigmaSearch", "find_sigma"]
