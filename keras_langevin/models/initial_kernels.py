"""Other initial kernels, by a prefix of the model's name: `gain-1.12-dense-40`, `grown-1.12-...`, `lsuv-...`."""

import math
import re

import keras
import numpy as np
from keras import ops

from keras_langevin.values import LARGEST

_PREFIX = re.compile(r"(?:(gain|grown)-(\d+(?:\.\d+)?)|(lsuv))-", re.ASCII)
LSUV_IMAGES = 512


def split(name: str) -> tuple[str, float, str]:
    """Splits a name into the change, its factor and the model's name. Without a prefix the change is empty.

    >>> split("gain-1.12-dense-40"), split("dense-40")
    (('gain', 1.12, 'dense-40'), ('', 1.0, 'dense-40'))
    """
    match = _PREFIX.match(name)
    if not match:
        return "", 1.0, name
    change, factor = match[1] or match[3], float(match[2] or 1)
    least = 1 if change == "grown" else 0
    if not least <= factor <= LARGEST:
        raise ValueError(
            f"The factor of `{change}-` must be at least {least} and at most {LARGEST:.3g}. Received: {name[:80]!r}"
        )
    return change, factor, name[match.end() :]


def change_kernels(model: keras.Model, change: str, factor: float, images: np.ndarray | None):
    """Changes the kernels of a model that has just been built.

    - `gain`: W ← factor · W.
    - `grown`: W ← W + √(factor² − 1) · rms(W) · N(0, 1): isotropic noise, added once, makes the root mean square of W
      `factor` times as large.
    - `lsuv`: layer-sequential unit variance (D. Mishkin and J. Matas, All you need is a good init, ICLR 2016, algorithm
      1). Layer by layer from the input, each kernel is made orthonormal and then divided by the standard deviation of
      the layer's output for `images`, before its activation.
    """
    kernels = [weight for weight in model.trainable_variables if weight.path.endswith("/kernel")]
    if change == "lsuv":
        _unit_variance(model, kernels, images)
        return
    for kernel in kernels:
        if change == "gain":
            kernel.assign(factor * kernel)
        else:
            rms = np.sqrt(np.mean(np.square(ops.convert_to_numpy(ops.cast(kernel, "float32")))))
            normal = keras.initializers.RandomNormal(stddev=math.sqrt(factor**2 - 1) * rms)
            kernel.assign_add(normal(kernel.shape, kernel.dtype))


def _unit_variance(model, kernels, images):
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense | keras.layers.Conv2D)]
    if {id(layer.kernel) for layer in layers} != {id(kernel) for kernel in kernels} or images is None:
        raise ValueError(
            "`lsuv-` must stand before a net of dense layers and convolutions, and needs images. Received: "
            f"{model.name} with {'no images' if images is None else 'other layers'}. Take 'lsuv-dense-30', and in "
            "`models.build` pass `images`."
        )
    for layer in layers:
        layer.kernel.assign(keras.initializers.Orthogonal()(layer.kernel.shape, layer.kernel.dtype))
        activation, layer.activation = layer.activation, keras.activations.linear
        output = keras.Model(model.inputs[0], layer.output)(images[:LSUV_IMAGES], training=False)
        layer.activation = activation
        layer.kernel.assign(layer.kernel / ops.cast(ops.std(output), layer.kernel.dtype))
