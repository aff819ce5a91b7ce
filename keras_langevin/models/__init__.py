"""Builders of models, by function or by name. They return ordinary Functional models with logits as output.

They check their arguments before they make a layer. A wrong argument raises `ValueError`.
"""

from keras_langevin.models.dense import conv_dense, dense
from keras_langevin.models.densenet import densenet, densenet121
from keras_langevin.models.highway import Highway, highway
from keras_langevin.models.registry import FAMILIES, build
from keras_langevin.models.resnet import resnet

__all__ = ["FAMILIES", "Highway", "build", "conv_dense", "dense", "densenet", "densenet121", "highway", "resnet"]
