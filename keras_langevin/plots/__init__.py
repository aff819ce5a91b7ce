"""Pictures of results: numbers in, matplotlib Axes out. No Keras.

Each function takes arrays and dicts of numbers, draws into `ax` or into a new figure, and returns the Axes, on which
all else can be set: `plots.curves(...).set_yscale("log")`. All have one style (`style`).
"""

from keras_langevin.plots.calibration import calibration
from keras_langevin.plots.curves import curves
from keras_langevin.plots.gain_against_depth import gain_against_depth
from keras_langevin.plots.noise_histogram import noise_histogram
from keras_langevin.plots.paired_differences import paired_differences
from keras_langevin.plots.predictive_band import predictive_band
from keras_langevin.plots.sigma_search import sigma_search

__all__ = [
    "calibration",
    "curves",
    "gain_against_depth",
    "noise_histogram",
    "paired_differences",
    "predictive_band",
    "sigma_search",
]
