"""scikit-learn's digits: 1,797 images of 8×8, embedded."""

import numpy as np

from keras_langevin.datasets.data import Split, Stored
from keras_langevin.datasets.drawing import stratified


def read() -> Stored:
    """All 1,797 images; one fifth of them, drawn by class and always the same, is the test split."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    examples = Split(digits.images[..., None].astype("uint8"), digits.target.astype("int32"))
    test = stratified(examples.y, 360, seed=0)
    train = np.setdiff1d(np.arange(len(examples.y)), test)
    names = tuple(str(name) for name in digits.target_names)
    return Stored(
        examples.take(train), examples.take(test), (8, 8, 1), names, max_pixel=16, note="", source="scikit-learn"
    )
