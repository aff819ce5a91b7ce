"""Plots of results: numbers in, matplotlib Axes out. No Keras.

Each function takes arrays, and dicts of arrays by label. It draws into `ax` or into a new figure, and returns the Axes,
where you can set everything else: `plots.curves(...).set_yscale("log")`. A label has one colour in all plots; `styles`
says another, as a dict from a label to (colour, line style). What a function cannot draw is a `ValueError`.
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
