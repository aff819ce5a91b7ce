"""Reads an optimizer: which one updates the weights, and its settings as numbers."""

from keras import ops


def innermost(optimizer):
    """Returns the optimizer that updates the weights: for a `LossScaleOptimizer`, the one inside it.

    Example:

    >>> import keras
    >>> from keras_langevin.optimizers import LSGD
    >>> optimizer = LSGD(0.1)
    >>> innermost(keras.optimizers.LossScaleOptimizer(optimizer)) is optimizer
    True
    """
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def parts(optimizer) -> list:
    """Returns the optimizers that update the weights: those inside a `MultiOptimizer`, nested ones too, or the one.

    Example:

    >>> import keras
    >>> from keras_langevin.optimizers import LSGD
    >>> optimizer = LSGD(0.1)
    >>> parts(keras.optimizers.LossScaleOptimizer(optimizer)) == [optimizer]
    True
    """
    optimizer = innermost(optimizer)
    if not hasattr(optimizer, "optimizers"):
        return [optimizer]
    return [leaf for part in optimizer.optimizers for leaf in parts(part)]


def number(value) -> float:
    """Returns a setting of an optimizer, a variable or a tensor, as a float.

    Example:

    >>> from keras_langevin.optimizers import LSGD
    >>> number(LSGD(0.5).learning_rate)
    0.5
    """
    return float(ops.convert_to_numpy(value))
