"""Draws by class."""

import numpy as np


def stratified(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Draws examples so that each class keeps its share, to within one example.

    Within a class the order is random; over the classes, an example's turn is its place in that order divided by the
    size of its class. The first `size` turns are drawn, so a smaller draw is a part of a larger one.

    Args:
        labels: int array of shape `(num_examples,)`, class numbers.
        size: int in [0, num_examples].
        seed: int.

    Returns:
        int array of shape `(size,)`, indices in ascending order.

    Example:

    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> labels[stratified(labels, 3, seed=0)].tolist()
    [0, 0, 1]
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels[order]
    counts = np.bincount(labels)
    by_class = np.argsort(shuffled, kind="stable")
    place = np.empty(len(labels), int)
    place[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    turn = (place + 0.5) / counts[shuffled]
    return np.sort(order[np.argsort(turn, kind="stable")[:size]])
