"""Model builders, by function or by name: ordinary Functional models, logits out.

What an argument must be is checked before a layer is made. A wrong one is a `ValueError`.
"""

from keras_langevin.models.dense import conv_dense, dense
from keras_langevin.models.densenet import densenet, densenet121
from keras_langevin.models.highway import Highway, highway
from keras_langevin.models.registry import FAMILIES, build
from keras_langevin.models.resnet import resnet

__all__ = ["FAMILIES", "Highway", "build", "conv_dense", "dense", "densenet", "densenet121", "highway", "resnet"]
