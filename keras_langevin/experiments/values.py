"""What a value is that a user, a file or another program gave."""

import math
from collections.abc import Callable
from typing import Any


def is_number(value: Any) -> bool:
    """Whether it is a finite int or float, which JSON can hold.

    Example:

    >>> [is_number(value) for value in (1, 0.5, True, float("nan"), "1", None)]
    [True, True, False, False, False, False]
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def is_count(least: int) -> Callable[[Any], bool]:
    """A function that tells whether a value is an int of at least so much."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def or_none(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A function that tells whether a value is right, or `None`."""
    return lambda value: value is None or is_right(value)
