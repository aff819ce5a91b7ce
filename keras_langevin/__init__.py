"""Langevin optimizers for Keras 3.

`model.compile(optimizer=LAdam(1e-3, sigma=1e-3))`: each optimizer takes its Keras parent's step and adds noise
σ√γ·N(0, P) with the parent's own preconditioner P, on all layers or on the first ones (Layer Langevin).

Importing the package registers its optimizers and layers with Keras, so that saved models load. The command
`keras-langevin` leaves the import to its sub-commands, see `keras_langevin_command`.
"""

import importlib
import sys
from typing import TYPE_CHECKING

from keras_langevin.version import __version__

__all__ = [
    "BAOAB",
    "LSGD",
    "SGHMC",
    "SGNHT",
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
    "NoiseBurst",
    "PosteriorSamples",
    "RandomCropFlip",
    "ReduceSigmaOnPlateau",
    "SamplerDiagnostics",
    "SigmaScheduler",
    "StepDown",
    "__version__",
    "callbacks",
    "describe",
    "find_sigma",
    "langevin",
    "models",
    "optimizers",
    "posterior_sigma",
    "run_chains",
    "sampling",
    "tune_learning_rate",
    "without_noise",
]


if TYPE_CHECKING:  # for editors and type checkers
    from keras_langevin import datasets as datasets
    from keras_langevin import experiments as experiments
    from keras_langevin import plots as plots
else:

    def __getattr__(name: str):
        """Imports `datasets`, `experiments` and `plots` on first use: they need packages from an extra."""
        if name in ("datasets", "experiments", "plots"):
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Returns the public names, for tab completion."""
    return [
        *globals()["__all__"],
        "datasets",
        "experiments",
        "plots",
        *(name for name in globals() if name[:2] == "__"),
    ]


if "keras_langevin_command" not in sys.modules:
    from keras_langevin import callbacks, models, optimizers, sampling
    from keras_langevin.callbacks import (
        CyclicalLangevin,
        LangevinMonitor,
        LayerScheduler,
        ReduceSigmaOnPlateau,
        SigmaScheduler,
        StepDown,
    )
    from keras_langevin.datasets.preprocessing import RandomCropFlip
    from keras_langevin.optimizers import (
        BAOAB,
        LSGD,
        SGHMC,
        SGNHT,
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
        NoiseBurst,
        describe,
        posterior_sigma,
        without_noise,
    )
    from keras_langevin.optimizers.conversion import langevin
    from keras_langevin.optimizers.registry import NEWER
    from keras_langevin.sampling import (
        GaussianPrior,
        PosteriorSamples,
        SamplerDiagnostics,
        run_chains,
        tune_learning_rate,
    )
    from keras_langevin.sigma import find_sigma

    globals().update(NEWER)
    __all__ += NEWER
    if TYPE_CHECKING:  # for editors and type checkers
        from keras_langevin.optimizers.muon import LMuon as LMuon
        from keras_langevin.optimizers.schedule_free_adamw import LScheduleFreeAdamW as LScheduleFreeAdamW
