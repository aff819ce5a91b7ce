"""Checks values from users, files and other programs."""

import inspect
import math
import numbers
import sys
from collections.abc import Callable
from typing import Any


def is_number(value: Any) -> bool:
    """Returns whether a value is a finite int or float that JSON and a float can hold.

    Example:

    >>> [is_number(value) for value in (1, 0.5, True, float("nan"), "1", None)]
    [True, True, False, False, False, False]
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def is_real(value: Any) -> bool:
    """Returns whether a value is a finite real number, including NumPy's scalars.

    Example:

    >>> import numpy as np
    >>> [is_real(value) for value in (1, np.float32(0.5), True, float("inf"), "1")]
    [True, True, False, False, False]
    """
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and bool(abs(value) < math.inf)


LARGEST = (2 - 2**-23) * 2.0**127  # of float32, the dtype of levels and rates


def is_level(value: Any) -> bool:
    """Returns whether a value can be a noise level or a rate: a real number >= 0 that a float32 can hold.

    Example:

    >>> [is_level(value) for value in (0, 0.5, -1, 1e39, 10**400)]
    [True, True, False, False, False]
    """
    return is_real(value) and 0 <= value <= LARGEST


def check_int(name: str, value: Any, least: int, meaning: str = ""):
    """Checks that a value is an int (NumPy's included) >= `least`.

    Args:
        name: str, the argument's name.
        value: the value received.
        least: int, the minimum.
        meaning: str, what the argument means, for the message. Defaults to nothing.

    Raises:
        ValueError: it is not.

    Example:

    >>> check_int("depth", 0, 1, "the number of layers")
    Traceback (most recent call last):
    ValueError: `depth`, the number of layers, must be an int >= 1. Received: depth=0. Give an int, as in `depth=1`.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        meaning = f", {meaning}," if meaning else ""
        raise ValueError(
            f"`{name}`{meaning} must be an int >= {least}. Received: {name}={value!r}. Give an int, as in "
            f"`{name}={max(least, 1)}`."
        )


def two_thirds(epochs: int) -> int:
    """Returns the epoch, counted from 0, that starts when two thirds of all epochs are done.

    >>> [two_thirds(epochs) for epochs in (1, 3, 12)]
    [1, 2, 8]
    """
    return math.ceil(2 * epochs / 3)


def is_count(least: int) -> Callable[[Any], bool]:
    """Returns a function that tells whether a value is an int >= `least`."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def or_none(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Returns a function that tells whether a value is `None` or passes `is_right`."""
    return lambda value: value is None or is_right(value)


def takes(function: Callable, count: int) -> bool:
    """Returns whether a function accepts `count` positional arguments; `True` if Python cannot tell.

    Example:

    >>> takes(lambda epoch, sigma: sigma, 2), takes(lambda epoch: 0.1, 2)
    (True, False)
    """
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a function in C without a signature
        return True
    return True
