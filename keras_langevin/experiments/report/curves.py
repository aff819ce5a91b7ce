"""The curves of a setting, as numbers."""

import numpy as np

from keras_langevin.experiments.report.analysis import CellResult
from keras_langevin.experiments.store import CURVES
from keras_langevin.names import unknown


def curves_of(result: CellResult, name: str) -> tuple[dict[str, np.ndarray], dict[str, list[np.ndarray]]]:
    """A curve of every optimizer, of its runs that finished and of those that diverged.

    Args:
        result: one setting.
        name: str, one of `store.CURVES`.

    Returns:
        dict from an optimizer's label to an array of shape `(num_seeds, num_epochs)`, without optimizers of which no
        run finished; dict from a label to a list of arrays of shape `(num_epochs_before,)`. Accuracies are in percent.

    Raises:
        ValueError: there is no such curve.
    """
    if name not in CURVES:
        raise unknown("curve", name, CURVES)
    factor = 100 if name.endswith("accuracy") else 1
    finished, diverged = {}, {}
    for arm in result.arms:
        curves = [(run.status, factor * np.array(run.curves[name], float)) for run in arm.runs]
        whole = [curve for status, curve in curves if status == "finished" and len(curve)]
        longest = max(map(len, whole), default=0)
        if whole:
            finished[arm.label] = np.array([curve for curve in whole if len(curve) == longest])
        diverged[arm.label] = [curve for status, curve in curves if status == "diverged"]
    return finished, diverged
