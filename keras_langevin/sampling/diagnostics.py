"""Whether chains have converged, through arviz."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # they take long to import
    from arviz import InferenceData
    from pandas import DataFrame


def arviz():
    """The module, which the extra `sampling` installs.

    Raises:
        ImportError: it is not there.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of 1.0, which the extra leaves out
            import arviz
    except ImportError as error:
        raise ImportError(
            f"The diagnostics of chains need arviz. Received: {error}. Install it by "
            '`pip install "keras-langevin[sampling]"`.'
        ) from error
    return arviz


def inference_data(draws: Mapping[str, np.ndarray]) -> "InferenceData":
    """Draws as arviz's `InferenceData`, in its group `posterior`.

    Args:
        draws: dict of arrays of shape `(num_chains, num_draws, ...)`, by the name of the quantity.
    """
    return arviz().from_dict(posterior=dict(draws))


def summary(data: "InferenceData") -> "DataFrame":
    """A line for each number, as a pandas DataFrame: mean, sd, Monte-Carlo errors (`mcse_mean`, `mcse_sd`), effective
    sample sizes (`ess_bulk`, `ess_tail`) and `r_hat`.

    Args:
        data: `InferenceData`.

    References:
        A. Vehtari et al., Rank-normalization, folding, and localization: an improved R̂, Bayesian Analysis 16 (2021).
    """
    from pandas import DataFrame

    columns = ["mean", "sd", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat"]
    return DataFrame(arviz().summary(data, round_to="none", kind="all"), columns=columns)


def autocorrelation(data: "InferenceData") -> dict[str, np.ndarray]:
    """Of each number in each chain, by lag: arrays of shape `(num_chains, num_lags, ...)`, 1 at lag 0.

    Args:
        data: `InferenceData`.
    """
    posterior = data.posterior
    return {str(name): arviz().autocorr(posterior[name].values, axis=1) for name in posterior.data_vars}


def plot_trace(data: "InferenceData", max_plots: int = 10) -> np.ndarray:
    """Densities and traces of the first numbers, a line for each chain.

    Args:
        data: `InferenceData`.
        max_plots: int >= 1, how many numbers are drawn at most. Defaults to `10`.

    Returns:
        array of matplotlib axes of shape `(num_numbers, 2)`.
    """
    az = arviz()
    with az.rc_context({"plot.max_subplots": 2 * max_plots}):
        return az.plot_trace(data, compact=False, backend_kwargs={"tight_layout": True})
