"""Callbacks that control and monitor the noise."""

from keras_langevin.callbacks.cyclical_langevin import CyclicalLangevin
from keras_langevin.callbacks.langevin_monitor import LangevinMonitor
from keras_langevin.callbacks.layer_scheduler import LayerScheduler
from keras_langevin.callbacks.reduce_sigma_on_plateau import ReduceSigmaOnPlateau
from keras_langevin.callbacks.sigma_scheduler import SigmaScheduler
from keras_langevin.callbacks.step_down import StepDown

__all__ = [
    "CyclicalLangevin",
    "LangevinMonitor",
    "LayerScheduler",
    "ReduceSigmaOnPlateau",
    "SigmaScheduler",
    "StepDown",
]
