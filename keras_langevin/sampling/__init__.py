"""Sampling a posterior: samples of the weights, predictions averaged over them, chains and their convergence."""

from keras_langevin.sampling.chains import Chains, run_chains
from keras_langevin.sampling.coefficient import LearningCoefficient, learning_coefficient
from keras_langevin.sampling.ensemble import Ensemble, Prediction
from keras_langevin.sampling.learning_rate import TunedLearningRate, tune_learning_rate
from keras_langevin.sampling.prior import GaussianPrior
from keras_langevin.sampling.sampler_diagnostics import SamplerDiagnostics
from keras_langevin.sampling.samples import PosteriorSamples, load
from keras_langevin.sampling.swag import SWAG

__all__ = [
    "SWAG",
    "Chains",
    "Ensemble",
    "GaussianPrior",
    "LearningCoefficient",
    "PosteriorSamples",
    "Prediction",
    "SamplerDiagnostics",
    "TunedLearningRate",
    "learning_coefficient",
    "load",
    "run_chains",
    "tune_learning_rate",
]
