"""Model builders, by function or by name."""

from keras_langevin.models.conv_dense import conv_dense
from keras_langevin.models.dense import dense
from keras_langevin.models.densenet import densenet
from keras_langevin.models.densenet121 import densenet121
from keras_langevin.models.highway import Highway, highway
from keras_langevin.models.registry import FAMILIES, build
from keras_langevin.models.resnet import resnet

__all__ = ["FAMILIES", "Highway", "build", "conv_dense", "dense", "densenet", "densenet121", "highway", "resnet"]
