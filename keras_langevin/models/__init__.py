"""Model builders, by function or by name."""

from keras_langevin.models.dense import dense
from keras_langevin.models.registry import FAMILIES, build

__all__ = ["FAMILIES", "build", "dense"]
