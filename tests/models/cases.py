"""A small version of each model of the package: the rows that `test_contract.py` runs over."""

import math
from dataclasses import dataclass, field

import keras
import numpy as np

from keras_langevin import models


@dataclass(frozen=True)
class Case:
    """A model to build.

    Attributes:
        name: str, as `models.build` takes it.
        input_shape: tuple of ints, the shape of one example.
        options: other arguments.
        weighted_shortcut: bool, whether a side branch has weights. Keras orders the layers of two branches by their
            distance from the output, so that they alternate.
    """

    name: str
    input_shape: tuple[int, ...] = (8, 8, 3)
    options: dict = field(default_factory=dict)
    weighted_shortcut: bool = False

    def build(self) -> keras.Model:
        """Builds the model with weights from NumPy; on JAX an initializer takes seconds for each new kernel shape."""
        model = models.build(self.name, self.input_shape, 5, kernel_initializer="zeros", **self.options)
        generator = np.random.default_rng(0)
        for variable in model.trainable_variables:
            if variable.name == "kernel":
                fan_in = math.prod(variable.shape[:-1])
                variable.assign(generator.normal(scale=fan_in**-0.5, size=tuple(variable.shape)))
        return model

    def examples(self, count: int = 4) -> np.ndarray:
        return np.random.default_rng(0).normal(size=(count, *self.input_shape)).astype("float32")


CASES = {
    "dense": Case("dense-4", options={"width": 8}),
    "he-dense": Case("he-dense-4", options={"width": 8}),
    "bn-dense": Case("bn-dense-4", options={"width": 8}),
    "conv-dense": Case("conv-dense-3", options={"filters": 4, "width": 8}),
    "highway": Case("highway-3", options={"width": 8}),
    "resnet": Case("resnet-8", options={"filters": 4}),
    "resnet with projections": Case(
        "resnet-8", options={"filters": 4, "shortcut": "projection"}, weighted_shortcut=True
    ),
    "plain": Case("plain-8", options={"filters": 4}),
    "densenet": Case("densenet-7", options={"growth_rate": 3}),
    "narrow-resnet": Case("narrow-resnet-8"),
    "narrow-densenet": Case("narrow-densenet-7"),
    "densenet-bc": Case("densenet-10", options={"growth_rate": 4, "bottleneck": True, "compression": 0.5}),
}
