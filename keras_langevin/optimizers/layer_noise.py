"""The size of the noise of each element."""

import keras
import numpy as np
from keras import ops

from keras_langevin.names import distinct
from keras_langevin.optimizers.draws import Preconditioner
from keras_langevin.optimizers.langevin import Langevin
from keras_langevin.reading import innermost, number


def layer_noise(optimizer: keras.optimizers.Optimizer) -> dict[str, np.ndarray]:
    """Returns the standard deviation of the next noise, for each element of each layer's weights.

        s = σ · √γ · √P

    P is the one of the latest update. Before the first one the slots are zero, and P is near its bound.
    `plots.noise_histogram` draws the result.

    Args:
        optimizer: a built Langevin optimizer (`model.fit` builds it).

    Returns:
        dict from a layer's path, in the model's order, to an array of shape `(num_elements,)` in the weights' unit. It
        is zero for layers that are not noisy.

    Example:

    >>> import keras
    >>> from keras_langevin.optimizers import LSGD, layer_noise
    >>> layers = [keras.layers.Dense(2, name="first"), keras.layers.Dense(1, name="last")]
    >>> model = keras.Sequential([keras.Input((1,)), *layers], name="net")
    >>> optimizer = LSGD(0.01, sigma=0.5, layers=1)
    >>> optimizer.build(model.trainable_variables)
    >>> {path: values.round(4).tolist() for path, values in layer_noise(optimizer).items()}
    {'net/first': [0.05, 0.05, 0.05, 0.05], 'net/last': [0.0, 0.0, 0.0]}
    """
    optimizer = innermost(optimizer)
    if not isinstance(optimizer, Langevin):
        raise ValueError(
            "`layer_noise` needs a Langevin optimizer. Received: "
            f"{type(optimizer).__name__}, which adds no noise. Use one of `keras_langevin.optimizers`, as in `LAdam()`."
        )
    if not optimizer.built:
        raise ValueError(
            "`layer_noise` needs a built optimizer. Received one that is not built. Train a step, or call "
            "`optimizer.build(model.trainable_variables)`."
        )
    noisy = {index for group in optimizer._noisy_groups() for index in group.indices}
    if optimizer._last_update is not None:
        noisy &= optimizer._last_update.drawn
    paths = distinct(group.path for group in optimizer._groups)
    scale = number(optimizer.sigma) * np.sqrt(number(optimizer.learning_rate))
    # the value of `iterations` during the last update, one less than now
    last = max(int(number(optimizer.iterations)) * (optimizer.gradient_accumulation_steps or 1) - 1, 0)
    with keras.StatelessScope(state_mapping=[(optimizer._iterations, ops.convert_to_tensor(last))]):
        return {
            path: np.concatenate([_of_variable(optimizer, index, index in noisy, scale) for index in group.indices])
            for path, group in zip(paths, optimizer._groups, strict=True)
        }


def _of_variable(optimizer: Langevin, index: int, is_noisy: bool, scale: float) -> np.ndarray:
    variable = optimizer._trainable_variables[index]
    if not is_noisy:
        return np.zeros(int(np.prod(variable.shape)))
    preconditioner = Preconditioner(optimizer, (index,), Langevin._before(optimizer, [index]))
    factor = ops.convert_to_numpy(preconditioner.whole())
    return np.ravel(np.broadcast_to(scale * np.sqrt(np.asarray(factor, float)), np.shape(factor) or variable.shape))
