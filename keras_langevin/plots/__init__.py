"""Plots of results: numbers in, matplotlib Axes out. No Keras.

Each function takes arrays, or dicts from labels to arrays, draws into `ax` or a new figure, and returns the Axes, where
you can set everything else: `plots.curves(...).set_yscale("log")`. A label has the same colour in all plots, unless
`styles`, a dict from labels to (colour, line style), gives another. Input that cannot be drawn raises `ValueError`.
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
