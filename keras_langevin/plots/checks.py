"""What the plots refuse, with a message that says how to mend it."""

from collections.abc import Mapping

import numpy as np


def checked_labels(name: str, value, what: str) -> Mapping:
    """The dict, if it has a label and something under each.

    Args:
        name: str, the argument's name.
        value: what was given.
        what: str, what must stand under a label.

    Raises:
        ValueError: it is no dict, is empty, or a label is no text.
    """
    if not isinstance(value, Mapping) or not value or not all(isinstance(label, str) for label in value):
        received = f"a dict with the keys {list(value)}" if isinstance(value, Mapping) else type(value).__name__
        raise ValueError(
            f"`{name}` must be a dict from labels to {what}, not empty. Received: {received}. "
            f"Give for example {name}={{'L-Adam': ...}}."
        )
    return value


def checked_array(name: str, value, shape: str) -> np.ndarray:
    """The numbers as a float array.

    Args:
        name: str, what they are called.
        value: what was given.
        shape: str, the shape in words, as in `"(num_seeds, num_epochs)"`; no axis may be empty.

    Raises:
        ValueError: they are no numbers, or of another shape.

    Example:

    >>> checked_array("mean", [[1.0]], "(num_points,)")
    Traceback (most recent call last):
    ValueError: `mean` must be an array of shape (num_points,), not empty. Received: shape (1, 1). Give so many axes.
    """
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be an array of numbers of shape {shape}. Received: {type(value).__name__} ({error}). "
            "Give rows of equal length."
        ) from error
    num_axes = len([axis for axis in shape.strip("()").split(",") if axis.strip()])
    if array.ndim != num_axes or not array.size:
        raise ValueError(
            f"`{name}` must be an array of shape {shape}, not empty. Received: shape {array.shape}. Give so many axes."
        )
    return array


def checked_length(name: str, array: np.ndarray, length: int, of: str):
    """Refuses an array that is not as long as another.

    Raises:
        ValueError: it is not.
    """
    if len(array) != length:
        raise ValueError(
            f"`{name}` must be as long as {of}, {length}. Received: length {len(array)}. Give one number for each."
        )


def checked_interval(name: str, interval) -> tuple[float, float]:
    """The two ends of an interval, which are NaN where there is none.

    Raises:
        ValueError: they are not two numbers, or the wrong way round.
    """
    ends = checked_array(name, interval, "(2,)")
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(
            f"`{name}` must be the low and the high end of an interval. Received: {ends.tolist()}. Give (low, high)."
        )
    return float(ends[0]), float(ends[1])
