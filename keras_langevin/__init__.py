"""Langevin optimizers for Keras 3.

`model.compile(optimizer=LAdam(1e-3, sigma=1e-3, layers=0.3))`: each optimizer takes its Keras parent's step and adds
noise σ√γ·N(0, P) with the parent's own preconditioner P, on all layers or on the first ones (Layer Langevin).

Importing the package registers its optimizers and layers with Keras, so that saved models load. The command
`keras-langevin` alone leaves that to the sub-command: it has to choose the backend first, and some of its work needs no
Keras.
"""

import sys
from pathlib import Path

from keras_langevin.version import __version__

__all__ = [
    "LSGD",
    "SGHMC",
    "CyclicalLangevin",
    "GaussianPrior",
    "LAdadelta",
    "LAdafactor",
    "LAdagrad",
    "LAdam",
    "LAdamW",
    "LAdamax",
    "LLamb",
    "LLion",
    "LNadam",
    "LRMSprop",
    "Langevin",
    "LangevinMonitor",
    "LayerScheduler",
    "LogSchedule",
    "PosteriorSamples",
    "RandomCropFlip",
    "ReduceSigmaOnPlateau",
    "SigmaScheduler",
    "__version__",
    "callbacks",
    "describe",
    "langevin",
    "models",
    "optimizers",
    "posterior_sigma",
    "run_chains",
    "sampling",
    "without_noise",
]


def _is_the_command() -> bool:
    started_by_module = ("-m", "keras_langevin") in zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
    return started_by_module or Path(sys.argv[0] if sys.argv else "").stem == "keras-langevin"


if not _is_the_command():
    from keras_langevin import callbacks, models, optimizers, sampling
    from keras_langevin.callbacks import (
        CyclicalLangevin,
        LangevinMonitor,
        LayerScheduler,
        ReduceSigmaOnPlateau,
        SigmaScheduler,
    )
    from keras_langevin.datasets.preprocessing import RandomCropFlip
    from keras_langevin.optimizers import (
        LSGD,
        SGHMC,
        LAdadelta,
        LAdafactor,
        LAdagrad,
        LAdam,
        LAdamax,
        LAdamW,
        Langevin,
        LLamb,
        LLion,
        LNadam,
        LogSchedule,
        LRMSprop,
        describe,
        posterior_sigma,
        without_noise,
    )
    from keras_langevin.optimizers.conversion import langevin
    from keras_langevin.optimizers.registry import NEWER
    from keras_langevin.sampling import GaussianPrior, PosteriorSamples, run_chains

    globals().update(NEWER)
    __all__ += NEWER
